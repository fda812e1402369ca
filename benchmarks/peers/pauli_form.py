"""Gates with angles as Pauli rotations, for peers whose own table has no other gates with angles."""

from __future__ import annotations

from qjax import Op, gates

Rotations = list[tuple[int, float, tuple[int, ...], str]]
"""Rotations `exp(-i factor angle P / 2)`: which angle of the gate, factor, qubits, letters."""


def pauli_rotations(op: Op) -> Rotations | None:
    """The rotations that make a gate with angles, up to a global phase.

    Args:
        op: the gate.

    Returns:
        The rotations in order; None for a gate without angles.

    Example:
        >>> pauli_rotations(Op("crx", (2, 0), 0.3))
        [(0, 0.5, (0,), 'X'), (0, -0.5, (2, 0), 'ZX')]
    """
    row = gates.GATES[op.gate]
    letters = op.pauli or row.pauli
    if letters is not None:
        return [(0, 1.0, op.qubits, letters)]
    if op.gate == "p":
        return [(0, 1.0, op.qubits, "Z")]
    if op.gate == "u3":
        return [(2, 1.0, op.qubits, "Z"), (0, 1.0, op.qubits, "Y"), (1, 1.0, op.qubits, "Z")]
    if op.gate == "cp":
        first, second = op.qubits
        # ab = (1 - Z_a - Z_b + Z_a Z_b) / 4
        return [(0, 0.5, (first,), "Z"), (0, 0.5, (second,), "Z"), (0, -0.5, op.qubits, "ZZ")]
    if op.gate in ("crx", "cry", "crz"):
        letter = op.gate[-1].upper()
        return [(0, 0.5, op.qubits[1:], letter), (0, -0.5, op.qubits, f"Z{letter}")]
    return None
