"""Ideal results over a grid of circuits, by the kernel or in plain JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.circuit import Circuit
from qjax.engine import native, shots, xla
from qjax.engine.chunks import map_circuits, states_per_chunk
from qjax.engine.matrices import real_dtype
from qjax.engine.program import lower
from qjax.engine.shots import Moments
from qjax.observables import PauliSum, measurement_groups


@dataclass(frozen=True)
class IdealEngine:
    """Runs circuits without noise.

    Args:
        engine: "xla" for plain JAX; otherwise the kernel takes the circuits that it can run, and leaves
            other platforms than CPUs to plain JAX by itself.
        dtype: "complex64" or "complex128".
    """

    engine: str
    dtype: str

    def expectations(
        self,
        circuit: Circuit,
        params: Array,
        features: Array,
        observables: tuple[PauliSum, ...],
        keys: Array | None,
        num_shots: np.ndarray | None,
    ) -> Moments:
        """Expectation values.

        Args:
            circuit: the circuit.
            params: `[S, P]`.
            features: `[B, F]` or `[S, B, F]`.
            observables: `O` observables.
            keys: `[S, B]`; None for exact results.
            num_shots: shots of each parameter set `[S]`, or None for exact results.

        Returns:
            Means and covariances.
        """
        if num_shots is not None:
            return self._sampled(circuit, params, features, observables, keys, num_shots)
        if self._is_native(circuit):
            return native.expectations(circuit, observables, *self._operands(params, features)), None
        return self._map_states(
            circuit, params, features, None, lambda state, *_: xla.expectations(state, observables)
        ), None

    def statevectors(self, circuit: Circuit, params: Array, features: Array) -> Array:
        """State vectors, `[S, B, 2**n]`, complex."""
        if self._is_native(circuit):
            return native.statevector(circuit, *self._operands(params, features))
        return self._map_states(circuit, params, features, None, lambda state, *_: state)

    def probabilities(self, circuit: Circuit, params: Array, features: Array, keys: Array | None) -> Array:
        """Probabilities of the basis states, `[S, B, 2**n]`, real; no key is needed."""
        del keys
        if self._is_native(circuit):
            return native.probabilities(circuit, *self._operands(params, features))
        return self._map_states(circuit, params, features, None, lambda state, *_: xla.probabilities(state))

    def samples(self, circuit: Circuit, params: Array, features: Array, keys: Array, num_shots: int) -> Array:
        """Basis states measured in the computational basis, `[S, B, shots]`, int32."""

        def measure(state: Array, _: Any, key: Array) -> Array:
            return shots.sample_states(state, key, num_shots)

        beside = shots.bytes_beside_states((), 0, num_shots, self._real_dtype)
        return self._map_states(circuit, params, features, keys, measure, beside_states=beside)

    def _sampled(
        self,
        circuit: Circuit,
        params: Array,
        features: Array,
        observables: tuple[PauliSum, ...],
        keys: Array | None,
        num_shots: np.ndarray,
    ) -> Moments:
        groups, most = measurement_groups(observables), int(num_shots.max(initial=0))

        def measure(state: Array, number: Array, key: Array) -> Moments:
            return shots.sampled_moments(state, observables, groups, key, number, most)

        beside = shots.bytes_beside_states(groups, len(observables), most, self._real_dtype)
        per_set = jnp.asarray(num_shots)
        return self._map_states(circuit, params, features, keys, measure, per_set, beside_states=beside)

    @property
    def _real_dtype(self) -> np.dtype:
        return real_dtype(np.dtype(self.dtype))

    def _is_native(self, circuit: Circuit) -> bool:
        return self.engine != "xla" and native.can_run(circuit)

    def _operands(self, params: Array, features: Array) -> tuple[Array, Array]:
        """Parameters `[S, 1, P]` and features `[1 or S, B, F]`, as the kernel takes a grid."""
        samples = features if features.ndim == 3 else features[None]
        return params.astype(self._real_dtype)[:, None, :], samples.astype(self._real_dtype)

    def _map_states(
        self,
        circuit: Circuit,
        params: Array,
        features: Array,
        keys: Array | None,
        function: Callable[..., Any],
        per_set: Array | None = None,
        *,
        beside_states: int = 0,
    ) -> Any:
        """Applies a function (state, per_set, key) -> pytree to every circuit of the S x B grid."""
        program = lower(circuit)
        dtype = np.dtype(self.dtype)

        def evaluate(one_set: Array, sample: Array, key: Array | None, per_set: Any) -> Any:
            if self._is_native(circuit):
                real = self._real_dtype
                state = native.statevector(circuit, one_set.astype(real), sample.astype(real))
            else:
                state = xla.statevector(program, one_set, sample, dtype)
            return function(state, per_set, key)

        chunk = states_per_chunk(program, dtype.itemsize, beside_states=beside_states)
        return map_circuits(evaluate, params, features, keys, per_set, chunk=chunk)
