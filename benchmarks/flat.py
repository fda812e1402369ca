"""A circuit as peers take it: one gate after another, all angles in one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qjax import Circuit, Op, gates


@dataclass(frozen=True)
class FlatOp:
    """One gate.

    Args:
        op: the gate, its qubits, Pauli string and matrix.
        first_angle: index of its first angle in the circuit's vector of angles.
    """

    op: Op
    first_angle: int

    @property
    def slots(self) -> range:
        """Indices of its angles."""
        return range(self.first_angle, self.first_angle + len(self.op.angles))

    def own(self, angles: Any) -> list[Any]:
        """Its angles, out of the circuit's vector."""
        return [angles[slot] for slot in self.slots]

    def matrix(self, own: Sequence[Any] = ()) -> Any:
        """The gate's matrix `[2**k, 2**k]`, complex, first qubit most significant.

        Args:
            own: its own angles, of NumPy or JAX.
        """
        row = gates.GATES[self.op.gate]
        if self.op.matrix is not None:
            return np.array(self.op.matrix)
        if self.op.pauli is not None:
            import jax.numpy as jnp

            pauli = gates.pauli_string_matrix(self.op.pauli)
            return jnp.cos(own[0] / 2) * np.eye(len(pauli)) - 1j * jnp.sin(own[0] / 2) * pauli
        return row.matrix(*own) if callable(row.matrix) else row.matrix


@dataclass(frozen=True, eq=False)
class FlatCircuit:
    """A circuit whose angles are one vector, `scale * params[param] * features[feature] + offset`.

    Args:
        num_qubits: its qubits.
        num_params: length P of the parameter vector.
        ops: the gates.
        param: `[A]`, index of each angle's parameter; P stands for none.
        feature: `[A]`, index of its feature; F stands for none.
        scale: `[A]`.
        offset: `[A]`.
    """

    num_qubits: int
    num_params: int
    ops: tuple[FlatOp, ...]
    param: np.ndarray
    feature: np.ndarray
    scale: np.ndarray
    offset: np.ndarray

    @property
    def num_angles(self) -> int:
        """Length A of the vector of angles."""
        return len(self.param)

    def angles(self, params: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Angles `[..., A]` of parameters `[..., P]` and features `[..., F]`, by NumPy."""
        return self._angles(np, params, features)

    def traced_angles(self, params: Any, features: Any) -> Any:
        """The same in JAX, for one parameter set and one sample."""
        import jax.numpy as jnp

        return self._angles(jnp, params, features)

    def _angles(self, library: Any, params: Any, features: Any) -> Any:
        one = library.ones_like
        params = library.concatenate([params, one(params[..., :1])], axis=-1)
        features = library.concatenate([features, one(features[..., :1])], axis=-1)
        scale, offset = (library.asarray(part, params.dtype) for part in (self.scale, self.offset))
        return scale * params[..., self.param] * features[..., self.feature] + offset

    def slopes(self, features: np.ndarray, by_angle: np.ndarray) -> np.ndarray:
        """Derivatives by parameters from derivatives by angles, `[B, A]` to `[B, P]`."""
        features = np.concatenate([features, np.ones((len(features), 1))], axis=-1)
        return (by_angle * self.scale * features[:, self.feature]) @ self._by_param

    @cached_property
    def _by_param(self) -> np.ndarray:
        return np.eye(self.num_params + 1)[self.param, : self.num_params]


def flatten(circuit: Circuit) -> FlatCircuit:
    """Writes a circuit out.

    Args:
        circuit: the circuit; it has a parameter and a feature at least.

    Returns:
        The same gates one after another.
    """
    ops, angles = [], []
    for op in circuit.unrolled():
        ops.append(FlatOp(op, len(angles)))
        angles += op.angles
    none_param, none_feature = circuit.num_params, circuit.num_features
    return FlatCircuit(
        num_qubits=circuit.num_qubits,
        num_params=circuit.num_params,
        ops=tuple(ops),
        param=np.array([none_param if a.param is None else a.param for a in angles], int),
        feature=np.array([none_feature if a.feature is None else a.feature for a in angles], int),
        scale=np.array([0.0 if a.is_constant else a.scale for a in angles]),
        offset=np.array([a.offset for a in angles]),
    )
