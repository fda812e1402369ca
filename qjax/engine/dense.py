"""Steps as gates with matrices, one at a time: what noise, which follows every gate, needs of a program."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax import gates
from qjax.circuit import Op
from qjax.engine.matrices import factor_matrix
from qjax.engine.program import DiagonalStep, MatrixStep, PauliRotationStep, PermutationStep

MAX_DENSE_QUBITS = 4
"""Pauli rotations on more qubits have no matrix here; every other gate is smaller."""

GateStep = MatrixStep | DiagonalStep | PauliRotationStep | PermutationStep


def gate_qubits(step: GateStep) -> list[tuple[int, ...]]:
    """The qubits of each gate of a step."""
    match step:
        case PermutationStep(ops):
            return [op.qubits for op in ops]
        case PauliRotationStep(pauli):
            return [tuple(qubit for qubit, _ in pauli)]
        case _:
            return [step.qubits]


def gate_matrices(
    step: GateStep, angles: tuple[Array, Array], dtype: np.dtype
) -> list[Array] | list[np.ndarray]:
    """The matrices `[2**k, 2**k]` of a step's gates, in the order of `gate_qubits`.

    Args:
        step: a step whose gates have at most `MAX_DENSE_QUBITS` qubits.
        angles: the two angle tables.
        dtype: complex dtype.

    Returns:
        One matrix for each gate; NumPy's, known before any compilation, where no angle enters.
    """
    match step:
        case PermutationStep(ops):
            return [_constant_matrix(op) for op in ops]
        case PauliRotationStep(pauli, slot):
            half = angles[slot.uses_features][slot.index] / 2
            string = gates.pauli_string_matrix("".join(letter for _, letter in pauli))
            identity = jnp.eye(len(string), dtype=dtype)
            return [jnp.cos(half) * identity - 1j * jnp.sin(half) * jnp.asarray(string, dtype)]
        case _ if not step.factor.slots:
            return [_constant_matrix(step.factor.op)]
        case _:
            return [factor_matrix(step.factor, angles, dtype)]


def _constant_matrix(op: Op) -> np.ndarray:
    matrix = gates.GATES[op.gate].matrix if op.matrix is None else op.matrix
    return np.asarray(matrix, np.complex128)
