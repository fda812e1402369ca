"""Random circuits over the whole gate table."""

from __future__ import annotations

import numpy as np

from qjax import Angle, Circuit, Op, gates

NUM_FEATURES = 8
_MAX_STRING = 4


def random_circuit(rng: np.random.Generator, num_qubits: int, num_gates: int) -> Circuit:
    """Deals the gate table out, as often as it takes, shuffled, on random qubits.

    Two of three angles are trainable parameters of their own, the others are features. Pauli rotations take
    1 to 4 qubits, explicit unitaries 1 or 2 (and are drawn from the Haar measure).

    Args:
        rng: source of the draws.
        num_qubits: 4 or more.
        num_gates: how many gates.

    Returns:
        The circuit.
    """
    names = rng.permutation(np.resize(list(gates.GATES), num_gates))
    ops: list[Op] = []
    num_params = 0
    for name in map(str, names):
        row = gates.GATES[name]
        limit = 2 if name == gates.UNITARY else _MAX_STRING
        size = row.num_qubits or int(rng.integers(1, limit + 1))
        qubits = tuple(int(qubit) for qubit in rng.permutation(num_qubits)[:size])
        angles = []
        for _ in range(row.num_angles):
            if rng.random() < 1 / 3:
                angles.append(Angle(feature=int(rng.integers(NUM_FEATURES))))
            else:
                angles.append(Angle(param=num_params))
                num_params += 1
        pauli = "".join(rng.choice(list("XYZ"), size)) if name == gates.PAULI_ROTATION else None
        matrix = _haar(rng, 2**size) if name == gates.UNITARY else None
        ops.append(Op(name, qubits, tuple(angles), pauli=pauli, matrix=matrix))
    return Circuit(num_qubits, ops, num_features=NUM_FEATURES)


def _haar(rng: np.random.Generator, size: int) -> np.ndarray:
    gaussian = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    q, r = np.linalg.qr(gaussian)
    return q * (np.diag(r) / abs(np.diag(r)))
