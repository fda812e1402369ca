"""Reads circuits in IonQ's JSON form with NumPy, knowing nothing of this project: the independent witness.

IonQ's conventions: angles in radians, phases and native angles in turns, and in a state's number qubit q is
bit q, the least significant first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

X = np.array([[0, 1], [1, 0]], complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1.0 + 0j, -1])
TURN = 2 * np.pi


def rotation(pauli: np.ndarray, angle: float) -> np.ndarray:
    return np.cos(angle / 2) * np.eye(len(pauli)) - 1j * np.sin(angle / 2) * pauli


def equator(phase: float) -> np.ndarray:
    return np.cos(TURN * phase) * X + np.sin(TURN * phase) * Y


CONSTANT = {
    "x": X,
    "not": X,
    "y": Y,
    "z": Z,
    "h": (X + Z) / np.sqrt(2),
    "s": np.diag([1, 1j]),
    "si": np.diag([1, -1j]),
    "t": np.diag([1, np.exp(0.25j * np.pi)]),
    "ti": np.diag([1, np.exp(-0.25j * np.pi)]),
    "v": rotation(X, np.pi / 2),
    "vi": rotation(X, -np.pi / 2),
    "swap": np.eye(4, dtype=complex)[[0, 2, 1, 3]],
}
AXES = {
    "rx": X,
    "ry": Y,
    "rz": Z,
    "xx": np.kron(X, X),
    "yy": np.kron(Y, Y),
    "zz": np.kron(Z, Z),
}


def matrix(gate: dict[str, Any], gateset: str) -> np.ndarray:
    name = gate["gate"]
    if gateset == "native":
        if name == "gpi":
            return equator(gate["phase"])
        if name == "gpi2":
            return rotation(equator(gate["phase"]), np.pi / 2)
        if name == "ms":
            pair = np.kron(*(equator(phase) for phase in gate["phases"]))
            return rotation(pair, TURN * gate.get("angle", 0.25))
        assert name == "zz"
        return rotation(AXES["zz"], TURN * gate["angle"])
    return CONSTANT[name] if name in CONSTANT else rotation(AXES[name], gate["rotation"])


def probabilities(circuit: list[dict[str, Any]], num_qubits: int, gateset: str = "qis") -> np.ndarray:
    """Probabilities `[2**n]` by IonQ's numbers of states."""
    state = np.zeros([2] * num_qubits, complex)
    state[(0,) * num_qubits] = 1
    # Axis k of the array is bit n - 1 - k of its flat index.
    for gate in circuit:
        if gate["gate"] == "cnot":
            qubits = [gate["control"], gate["target"]]
            unitary = np.block([[np.eye(2), np.zeros((2, 2))], [np.zeros((2, 2)), X]])
        else:
            qubits = gate["targets"] if "targets" in gate else [gate["target"]]
            unitary = matrix(gate, gateset)
        axes = [num_qubits - 1 - qubit for qubit in qubits]
        size = len(axes)
        state = np.tensordot(unitary.reshape([2] * 2 * size), state, (range(size, 2 * size), axes))
        state = np.moveaxis(state, range(size), axes)
    return np.abs(state.ravel()) ** 2
