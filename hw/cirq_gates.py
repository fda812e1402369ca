"""The gates that circuits are translated to, as Cirq's."""

from __future__ import annotations

import cirq
import numpy as np

from hw.primitives import Primitive

_CONSTANT: dict[str, cirq.Gate] = {
    "h": cirq.H,
    "x": cirq.X,
    "y": cirq.Y,
    "z": cirq.Z,
    "s": cirq.S,
    "si": cirq.ZPowGate(exponent=-0.5),
    "t": cirq.T,
    "ti": cirq.ZPowGate(exponent=-0.25),
    "v": cirq.XPowGate(exponent=0.5),
    "vi": cirq.XPowGate(exponent=-0.5),
    "cnot": cirq.CNOT,
    "swap": cirq.SWAP,
}
_POWERS = {
    "rx": cirq.XPowGate,
    "ry": cirq.YPowGate,
    "rz": cirq.ZPowGate,
    "xx": cirq.XXPowGate,
    "yy": cirq.YYPowGate,
    "zz": cirq.ZZPowGate,
}


def cirq_operation(gate: Primitive, angle: float) -> cirq.Operation:
    """One gate of the service as Cirq's operation.

    Args:
        gate: the gate.
        angle: its angle in radians; of no account for gates without one.

    Returns:
        An operation on `LineQubit`s that cirq-ionq's serializer accepts.

    Example:
        >>> cirq_operation(Primitive("cnot", (0, 1)), 0.0)
        cirq.CNOT(cirq.LineQubit(0), cirq.LineQubit(1))
    """
    qubits = [cirq.LineQubit(qubit) for qubit in gate.qubits]
    if gate.gate in _CONSTANT:
        return _CONSTANT[gate.gate](*qubits)
    return _POWERS[gate.gate](exponent=angle / np.pi)(*qubits)
