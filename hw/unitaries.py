"""Explicit unitaries as gates of the service, by Cirq's decompositions."""

from __future__ import annotations

from collections.abc import Iterator

import cirq
import numpy as np

from hw.cirq_gates import cirq_operation
from hw.errors import ServiceError
from hw.primitives import Primitive
from qjax.angle import Angle
from qjax.op import Matrix

ACCURACY = 1e-5
"""How far an entry of what was built may be from the matrix, global phase aside."""


def decompose(matrix: Matrix, num_qubits: int) -> tuple[Primitive, ...]:
    """Gates of the service whose product is a matrix, global phase aside.

    One qubit takes three rotations, two take at most three two-qubit gates (Cartan's decomposition), more
    take the quantum Shannon decomposition.

    Args:
        matrix: a unitary `[2**k, 2**k]` as nested tuples.
        num_qubits: k.

    Returns:
        Gates on qubits 0 to k - 1.

    Raises:
        ServiceError: if the decomposition is not accurate.

    Example:
        >>> [gate.gate for gate in decompose(((1, 0), (0, 1j)), 1)]
        ['rz']
    """
    # What is unitary within a tolerance is decomposed as the nearest unitary matrix.
    left, _, right = np.linalg.svd(np.asarray(matrix, np.complex128))
    unitary = left @ right
    gates = tuple(_gates(unitary, tuple(range(num_qubits))))
    error = _distance(unitary, gates, num_qubits)
    if not error <= ACCURACY:
        raise ServiceError(
            f"A `unitary` gate on {num_qubits} qubits has no accurate decomposition (an entry is off by "
            f"{error:.1g}). Write it with gates of the table."
        )
    return gates


def _gates(unitary: np.ndarray, qubits: tuple[int, ...]) -> Iterator[Primitive]:
    if len(qubits) == 1:
        yield from _one_qubit(unitary, qubits)
    elif len(qubits) == 2:
        yield from _two_qubits(unitary, qubits)
    else:
        line: list[cirq.Qid] = [cirq.LineQubit(qubit) for qubit in qubits]
        for op in cirq.quantum_shannon_decomposition(line, unitary):
            on = tuple(line.index(qubit) for qubit in op.qubits)
            if op.gate == cirq.CNOT:
                yield Primitive("cnot", on)
            elif on:
                yield from _gates(cirq.unitary(op), on)


def _one_qubit(unitary: np.ndarray, qubits: tuple[int, ...]) -> Iterator[Primitive]:
    angles = cirq.deconstruct_single_qubit_matrix_into_angles(unitary)
    for gate, angle in zip(("rz", "ry", "rz"), angles, strict=True):
        yield from _rotation(gate, qubits, angle)


def _two_qubits(unitary: np.ndarray, qubits: tuple[int, ...]) -> Iterator[Primitive]:
    parts = cirq.kak_decomposition(unitary)
    for qubit, before in zip(qubits, parts.single_qubit_operations_before, strict=True):
        yield from _one_qubit(before, (qubit,))
    for gate, coefficient in zip(("xx", "yy", "zz"), parts.interaction_coefficients, strict=True):
        yield from _rotation(gate, qubits, -2 * coefficient)
    for qubit, after in zip(qubits, parts.single_qubit_operations_after, strict=True):
        yield from _one_qubit(after, (qubit,))


def _rotation(gate: str, qubits: tuple[int, ...], angle: float) -> Iterator[Primitive]:
    # A turn by 2 pi is a global phase.
    reduced = float(np.remainder(angle + np.pi, 2 * np.pi) - np.pi)
    if abs(reduced) > 1e-12:
        yield Primitive(gate, qubits, Angle(offset=reduced))


def _distance(unitary: np.ndarray, gates: tuple[Primitive, ...], num_qubits: int) -> float:
    line = cirq.LineQubit.range(num_qubits)
    built = cirq.Circuit(
        cirq_operation(gate, 0.0 if gate.angle is None else gate.angle.offset) for gate in gates
    )
    product = built.unitary(qubit_order=line, qubits_that_should_be_present=line)
    phase = np.vdot(product, unitary)
    return float(np.abs(product * (phase / abs(phase)) - unitary).max())
