"""What a circuit's JSON means, read by NumPy alone: an oracle that shares no line with the server."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.linalg import expm

ONE, X, Y, Z = np.eye(2), np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1, -1])
PAULIS = {"I": ONE, "X": X, "Y": Y, "Z": Z}
H, TURN = (X + Z) / np.sqrt(2), 2 * np.pi


def root(pauli, power):
    """The matrix P^power that leaves the +1 eigenvectors of P alone."""
    return (ONE + pauli) / 2 + np.exp(1j * np.pi * power) * (ONE - pauli) / 2


FIXED = {
    "x": X, "not": X, "cnot": X, "y": Y, "z": Z, "h": H, "nop": ONE, "swap": np.eye(4)[[0, 2, 1, 3]],
    "s": root(Z, 0.5), "si": root(Z, -0.5), "t": root(Z, 0.25), "ti": root(Z, -0.25), "v": root(X, 0.5),
    "vi": root(X, -0.5),
}  # fmt: skip


def string(letters) -> np.ndarray:
    return functools.reduce(np.kron, [PAULIS[letter] for letter in letters])


def rotation(letters, angle) -> np.ndarray:
    return expm(-0.5j * angle * string(letters))


def equatorial(phase):
    return np.cos(TURN * phase) * X + np.sin(TURN * phase) * Y


def matrix(gate: dict[str, Any], gateset: str) -> np.ndarray:
    """The gate without its controls; its first target is the most significant."""
    name = gate["gate"]
    if gateset == "native":
        if name == "gpi":
            return equatorial(gate["phase"])
        if name == "gpi2":
            return expm(-0.25j * np.pi * equatorial(gate["phase"]))
        if name == "ms":
            pair = np.kron(*(equatorial(phase) for phase in gate["phases"]))
            return expm(-1j * np.pi * gate.get("angle", 0.25) * pair)
        return ONE if name == "nop" else rotation("ZZ", TURN * gate["angle"])
    if name == "pauliexp":
        terms = zip(gate["terms"], gate["coefficients"], strict=True)
        return expm(-1j * gate["time"] * sum(c * string(reversed(term)) for term, c in terms))
    if name == "z" and "rotation" in gate:
        return np.diag([1, np.exp(1j * gate["rotation"])])
    if "rotation" in gate:
        return rotation(name.removeprefix("r").upper(), gate["rotation"])
    return FIXED[name]


def qubits(gate: dict[str, Any], single: str, several: str) -> list[int]:
    return gate[several] if several in gate else [gate[single]] if single in gate else []


def probabilities(circuit: list[dict[str, Any]], num_qubits: int, gateset: str = "qis") -> np.ndarray:
    """Probabilities by the service's number of a state: bit `q` of the number is qubit `q`."""
    state = np.zeros((2,) * num_qubits, complex)  # axis q is qubit q
    state[(0,) * num_qubits] = 1
    for gate in circuit:
        targets, controls = qubits(gate, "target", "targets"), qubits(gate, "control", "controls")
        unitary = matrix(gate, gateset)
        if len(targets) + len(controls) == 0:
            continue
        size = 2 ** (len(targets) + len(controls))
        full = np.eye(size, dtype=complex)  # controls first, so that the last block is where all are 1
        full[size - len(unitary) :, size - len(unitary) :] = unitary
        axes = [*controls, *targets]
        tensor = full.reshape((2,) * (2 * len(axes)))
        state = np.moveaxis(
            np.tensordot(tensor, state, (range(len(axes), 2 * len(axes)), axes)), range(len(axes)), axes
        )
    return np.abs(state.transpose(range(num_qubits)[::-1]).ravel()) ** 2
