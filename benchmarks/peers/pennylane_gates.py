"""The gate table in PennyLane's words."""

from __future__ import annotations

from typing import Any

from benchmarks.flat import FlatOp
from qjax import gates

_NAMES = {
    **{name: name.upper() for name in ("s", "t", "sx", "swap", "rx", "ry", "rz", "crx", "cry", "crz", "u3")},
    "h": "Hadamard",
    "x": "PauliX",
    "y": "PauliY",
    "z": "PauliZ",
    "p": "PhaseShift",
    "cx": "CNOT",
    "cy": "CY",
    "cz": "CZ",
    "ch": "CH",
    "ccx": "Toffoli",
    "cswap": "CSWAP",
    "cp": "ControlledPhaseShift",
    "rxx": "IsingXX",
    "ryy": "IsingYY",
    "rzz": "IsingZZ",
    "iswap": "ISWAP",
}
_INVERSES = {"sdg": "S", "tdg": "T", "sxdg": "SX", "iswapdg": "ISWAP"}


def operation(flat_op: FlatOp, own: list[Any]) -> Any:
    """PennyLane's operation for a gate.

    Args:
        flat_op: the gate.
        own: its angles.

    Returns:
        The operation, queued where a tape records.
    """
    import pennylane as qml

    op = flat_op.op
    if op.pauli is not None:
        return qml.PauliRot(own[0], op.pauli, wires=op.qubits)
    if op.gate == gates.UNITARY:
        return qml.QubitUnitary(flat_op.matrix(), wires=op.qubits)
    if op.gate in _INVERSES:
        return qml.adjoint(getattr(qml, _INVERSES[op.gate])(wires=op.qubits))
    return getattr(qml, _NAMES[op.gate])(*own, wires=op.qubits)
