"""Noisy results over a grid of circuits, from density matrices or from trajectories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax.circuit import Circuit
from qjax.engine import channels, density, shots, trajectories, xla
from qjax.engine.chunks import MEMORY_BUDGET, map_circuits, map_in_chunks, states_per_chunk
from qjax.engine.matrices import real_dtype
from qjax.engine.program import Program, lower
from qjax.engine.shots import Moments
from qjax.noise import NoiseModel
from qjax.observables import MeasurementGroup, PauliSum, measurement_groups


@dataclass(frozen=True)
class NoisyEngine:
    """Runs noisy circuits in one of two ways.

    Args:
        noise: what follows gates and readouts.
        dtype: "complex64" or "complex128".
        num_trajectories: None for density matrices; else the trajectories of each circuit. Where shots are
            drawn they are spread evenly over at most so many.
    """

    noise: NoiseModel
    dtype: str
    num_trajectories: int | None = None

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
            num_shots: shots of each parameter set `[S]`, or None for means that are not sampled.

        Returns:
            Means and covariances; the latter are infinite where one trajectory or one shot says nothing of
            them.
        """
        groups = measurement_groups(observables)
        if num_shots is not None:
            return self._sampled(circuit, params, features, observables, groups, keys, num_shots)
        if self.num_trajectories is None:
            return self._exact(circuit, params, features, observables, groups), None
        return self._averaged(circuit, params, features, observables, groups, keys)

    def probabilities(self, circuit: Circuit, params: Array, features: Array, keys: Array | None) -> Array:
        """Probabilities of what is read in the computational basis, `[S, B, 2**n]`, real."""
        program = lower(circuit)
        if self.num_trajectories is None:
            maps = self._maps((MeasurementGroup((), ()),), circuit.num_qubits)[0]
            return self._on_densities(
                program, params, features, None, lambda state, *_: density.outcome_probabilities(state, maps)
            )
        simulated = partial(self._trajectory_values, program, function=self._read)
        num_trajectories = self.num_trajectories
        across, aside = self._chunks(program, num_trajectories, 0)

        def average(one_set: Array, sample: Array, key: Array, _: Any) -> Array:
            keys = jax.random.split(key, num_trajectories)
            return _mean_in_chunks(partial(simulated, one_set, sample), keys, aside)

        return map_circuits(average, params, features, keys, chunk=across)

    def samples(self, circuit: Circuit, params: Array, features: Array, keys: Array, num_shots: int) -> Array:
        """Basis states read in the computational basis, `[S, B, shots]`, int32."""
        program, groups = lower(circuit), (MeasurementGroup((), ()),)
        draw = self._sampler(program, groups, num_shots)
        across = self._chunks(program, self._clusters(num_shots), self._bytes(groups, 0, num_shots))[0]

        def sample(one_set: Array, features: Array, key: Array, _: Any) -> Array:
            # Shot i belongs to trajectory i modulo their number.
            return draw(one_set, features, key)[0].T.reshape(-1)[:num_shots]

        return map_circuits(sample, params, features, keys, chunk=across)

    def density_matrices(self, circuit: Circuit, params: Array, features: Array) -> Array:
        """Density matrices before any readout, `[S, B, 2**n, 2**n]`, complex."""
        return self._on_densities(
            lower(circuit), params, features, None, lambda state, *_: density.as_matrix(state)
        )

    def _exact(
        self,
        circuit: Circuit,
        params: Array,
        features: Array,
        observables: Sequence[PauliSum],
        groups: tuple[MeasurementGroup, ...],
    ) -> Array:
        maps = self._maps(groups, circuit.num_qubits)

        def values(state: Array, *_: Any) -> Array:
            read = jax.vmap(density.outcome_probabilities, (None, 0), axis_size=len(groups))(state, maps)
            return _values(read, observables, groups)

        return self._on_densities(lower(circuit), params, features, None, values, num_groups=len(groups))

    def _averaged(
        self,
        circuit: Circuit,
        params: Array,
        features: Array,
        observables: Sequence[PauliSum],
        groups: tuple[MeasurementGroup, ...],
        keys: Array | None,
    ) -> Moments:
        program, number = lower(circuit), self.num_trajectories
        assert number is not None
        changes = self._basis_changes(groups, circuit.num_qubits)

        def read(state: Array, draws: Array) -> Array:
            del draws
            rotated = jax.vmap(lambda change: self._rotated(state, change), axis_size=len(groups))(changes)
            return _values(jax.vmap(self._read, axis_size=len(groups))(rotated), observables, groups)

        across, aside = self._chunks(program, number, 0)

        def moments(one_set: Array, sample: Array, key: Array, _: Any) -> Moments:
            values = map_in_chunks(
                lambda own: self._trajectory_values(program, one_set, sample, own, function=read),
                jax.random.split(key, number),
                number,
                aside,
            )
            mean = jnp.mean(values, axis=0)
            centred = values - mean
            spread = jnp.matmul(centred.T, centred, precision=lax.Precision.HIGHEST)
            if number == 1:
                return mean, jnp.full_like(spread, jnp.inf)
            return mean, spread / (number * (number - 1))

        return map_circuits(moments, params, features, keys, chunk=across)

    def _sampled(
        self,
        circuit: Circuit,
        params: Array,
        features: Array,
        observables: Sequence[PauliSum],
        groups: tuple[MeasurementGroup, ...],
        keys: Array | None,
        num_shots: np.ndarray,
    ) -> Moments:
        program, most = lower(circuit), int(num_shots.max(initial=0))
        dtype = real_dtype(np.dtype(self.dtype))
        clusters = self._clusters(most)
        draw = self._sampler(program, groups, most)
        constant = jnp.asarray([dict(observable.terms).get((), 0.0) for observable in observables], dtype)

        def moments(one_set: Array, sample: Array, key: Array, number: Array) -> Moments:
            states = draw(one_set, sample, key)
            # Shot i belongs to trajectory i modulo their number.
            used = jnp.arange(clusters)[:, None] + clusters * jnp.arange(states.shape[-1]) < number
            mean = constant
            covariance = jnp.zeros((len(observables), len(observables)), dtype)
            for group, own in zip(groups, states, strict=True):
                parts = shots.group_moments(own, used, observables, group, circuit.num_qubits, dtype)
                mean, covariance = mean + parts[0], covariance + parts[1]
            valid = jnp.all(states >= 0)
            unknown = jnp.minimum(number, clusters) < 2
            covariance = jnp.where(unknown, jnp.inf, covariance)
            return jnp.where(valid, mean, jnp.nan), jnp.where(valid, covariance, jnp.nan)

        across = self._chunks(program, clusters, self._bytes(groups, len(observables), most))[0]
        return map_circuits(moments, params, features, keys, jnp.asarray(num_shots), chunk=across)

    def _sampler(
        self, program: Program, groups: tuple[MeasurementGroup, ...], num_shots: int
    ) -> Callable[[Array, Array, Array], Array]:
        """From parameters, features and a key to basis states `[G, clusters, draws]`; -1 where one is NaN."""
        num_qubits, dtype = program.num_qubits, real_dtype(np.dtype(self.dtype))
        clusters = self._clusters(num_shots)
        each = -(-num_shots // max(1, clusters))

        def draw_states(probabilities: Array, draws: Array) -> Array:
            probabilities = shots.refuse_derivative(jnp.maximum(probabilities, 0))
            valid = jnp.isfinite(jnp.sum(probabilities))
            return jnp.where(valid, shots.drawn_states(probabilities, draws), -1)

        def from_density(one_set: Array, sample: Array, key: Array) -> Array:
            state = self._density(program, one_set, sample)
            draws = jax.random.uniform(key, (len(groups), num_shots), dtype)
            maps = self._maps(groups, num_qubits)
            read = jax.vmap(density.outcome_probabilities, (None, 0), axis_size=len(groups))(state, maps)
            return jax.vmap(draw_states, axis_size=len(groups))(read, draws)[..., None]

        def from_trajectories(one_set: Array, sample: Array, key: Array) -> Array:
            # Every group is measured on trajectories of its own, as circuits of their own would be.
            changes = jnp.repeat(self._basis_changes(groups, num_qubits), clusters, axis=0)
            keys = jax.random.split(key, len(groups) * clusters)
            aside = self._chunks(program, clusters, self._bytes(groups, 0, each))[1]

            def one(item: tuple[Array, Array]) -> Array:
                change, own = item

                def read(state: Array, draws: Array) -> Array:
                    return draw_states(self._read(self._rotated(state, change)), draws)

                return self._trajectory_values(program, one_set, sample, own, function=read, beside=each)

            states = map_in_chunks(one, (changes, keys), len(groups) * clusters, aside)
            return states.reshape(len(groups), clusters, each)

        return from_density if self.num_trajectories is None else from_trajectories

    def _trajectory_values(
        self,
        program: Program,
        params: Array,
        features: Array,
        key: Array,
        *,
        function: Callable[..., Array],
        beside: int | None = None,
    ) -> Array:
        """Applies a function to the state of one trajectory, and to random numbers beside where asked."""
        dtype = np.dtype(self.dtype)
        number = trajectories.num_draws(program, self.noise)
        draws = jax.random.uniform(key, (number + (beside or 0),), real_dtype(dtype))
        state = trajectories.trajectory(program, params, features, self.noise, draws[:number], dtype)
        state = trajectories.refuse_derivative(state)
        return function(state, draws[number:])

    def _read(self, state: Array, draws: Array | None = None) -> Array:
        """Probabilities of what is read from a state vector, readout errors included."""
        del draws
        probabilities = xla.probabilities(state)
        if not self.noise.acts_on_readout:
            return probabilities
        num_qubits = state.size.bit_length() - 1
        wrong = jnp.asarray(channels.readout_matrix(self.noise), probabilities.dtype)
        matrices = jnp.broadcast_to(wrong, (num_qubits, 2, 2))
        return xla.apply_product(probabilities, range(num_qubits), matrices, num_qubits).real

    def _rotated(self, state: Array, change: Array) -> Array:
        return xla.apply_product(state, range(len(change)), change, len(change))

    def _maps(self, groups: tuple[MeasurementGroup, ...], num_qubits: int) -> Array:
        return jnp.asarray(channels.measurement_maps(groups, num_qubits, self.noise), self.dtype)

    def _basis_changes(self, groups: tuple[MeasurementGroup, ...], num_qubits: int) -> Array:
        return jnp.asarray(channels.basis_changes(groups, num_qubits), self.dtype)

    def _clusters(self, num_shots: int) -> int:
        """Into how many independent parts shots fall: single ones, or those of each trajectory."""
        return num_shots if self.num_trajectories is None else min(self.num_trajectories, num_shots)

    def _bytes(self, groups: Sequence[MeasurementGroup], num_observables: int, num_shots: int) -> int:
        real = real_dtype(np.dtype(self.dtype))
        return len(groups) * shots.bytes_beside_states(groups, num_observables, num_shots, real)

    def _chunks(self, program: Program, number: int, beside_states: int) -> tuple[int, int]:
        """How many circuits go side by side, and how many trajectories of each."""
        if self.num_trajectories is None:
            return self._densities_per_chunk(program, 1, beside_states), 1
        itemsize = np.dtype(self.dtype).itemsize
        states = states_per_chunk(program, itemsize, beside_states=beside_states)
        aside = max(1, min(number, states))
        return max(1, states // aside), aside

    def _density(self, program: Program, params: Array, features: Array) -> Array:
        return density.density_vector(program, params, features, self.noise, np.dtype(self.dtype))

    def _densities_per_chunk(self, program: Program, num_groups: int, beside_states: int = 0) -> int:
        states = density.num_stored_states(program.steps) + 2 + num_groups
        bytes_per_circuit = states * np.dtype(self.dtype).itemsize * 4**program.num_qubits + beside_states
        return max(1, MEMORY_BUDGET // bytes_per_circuit)

    def _on_densities(
        self,
        program: Program,
        params: Array,
        features: Array,
        keys: Array | None,
        function: Callable[..., Array],
        num_groups: int = 1,
    ) -> Array:
        return map_circuits(
            lambda one_set, sample, key, _: function(self._density(program, one_set, sample), key),
            params,
            features,
            keys,
            chunk=self._densities_per_chunk(program, num_groups),
        )


def _values(
    probabilities: Array, observables: Sequence[PauliSum], groups: Sequence[MeasurementGroup]
) -> Array:
    """Observables `[O]` from the probabilities `[G, 2**n]` of what is read in each group's basis."""
    dtype = probabilities.dtype
    mean = jnp.asarray([dict(observable.terms).get((), 0.0) for observable in observables], dtype)
    for group, own in zip(groups, probabilities, strict=True):
        coefficients = np.array([[dict(o.terms).get(s, 0.0) for s in group.strings] for o in observables])
        sums = xla.signed_sums(own, [[qubit for qubit, _ in string] for string in group.strings])
        mean += jnp.matmul(jnp.asarray(coefficients, dtype), sums, precision=lax.Precision.HIGHEST)
    return mean


def _mean_in_chunks(function: Callable[[Array], Array], keys: Array, chunk: int) -> Array:
    """The mean over keys, of which only a running sum is kept."""
    number = len(keys)
    num_chunks = -(-number // chunk)
    weights = (jnp.arange(num_chunks * chunk) < number).reshape(num_chunks, chunk)
    padded = jnp.concatenate([keys, keys[: num_chunks * chunk - number]]).reshape(num_chunks, chunk)

    def add(total: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
        values = jax.vmap(function)(item[0])
        return total + jnp.tensordot(item[1].astype(values.dtype), values, 1), None

    shape = jax.eval_shape(function, keys[0])
    return lax.scan(add, jnp.zeros(shape.shape, shape.dtype), (padded, weights))[0] / number
