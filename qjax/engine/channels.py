"""Noise channels and gates as superoperators: matrices that act on vectorised density matrices.

The vector of a density matrix has an index of four values for each qubit, `2 * row + column`. A gate or a
channel on `k` qubits is a matrix `[4**k, 4**k]` on the indices of these qubits, the first one most
significant, as for gates on amplitudes.
"""

from __future__ import annotations

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.gates import PAULI_MATRICES
from qjax.noise import NoiseModel
from qjax.observables import MeasurementGroup

MIXED = np.outer([1, 0, 0, 1], [1, 0, 0, 1]) / 2
"""Superoperator `[4, 4]` that replaces a qubit by the maximally mixed state."""

_BASIS_CHANGES = {
    "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "Y": np.array([[1, -1j], [1, 1j]]) / np.sqrt(2),
    "Z": np.eye(2),
}


def superoperator(matrix: Array) -> Array:
    """The superoperator of a unitary, `rho -> U rho U^dagger`.

    Args:
        matrix: `[..., 2**k, 2**k]`, complex.

    Returns:
        `[..., 4**k, 4**k]`, complex.

    Example:
        >>> superoperator(jnp.array([[0, 1], [1, 0]]))[:, 0].tolist()
        [0, 0, 0, 1]
    """
    batch, size = matrix.shape[:-2], matrix.shape[-1]
    num_qubits = size.bit_length() - 1
    product = matrix[..., :, None, :, None] * jnp.conj(matrix)[..., None, :, None, :]
    tensor = product.reshape(*batch, *(2,) * (4 * num_qubits))
    # Axes come as rows, columns, and the same of what goes in; rows and columns of a qubit go side by side.
    order = [
        side + half + q for side in (0, 2 * num_qubits) for q in range(num_qubits) for half in (0, num_qubits)
    ]
    axes = [*range(len(batch)), *(len(batch) + axis for axis in order)]
    return tensor.transpose(axes).reshape(*batch, size**2, size**2)


def depolarizing_weight(noise: NoiseModel, num_qubits: int) -> float:
    r"""How much of a gate's qubits depolarising replaces by the maximally mixed state.

    All Pauli strings with equal probability give that state, the identity among them, so the weight is
    `p * 4**k / (4**k - 1)`.

    Args:
        noise: the model.
        num_qubits: `k`, qubits of the gate.

    Returns:
        The weight; the state itself keeps one minus it.

    Example:
        >>> round(depolarizing_weight(NoiseModel(depolarizing_1q=0.3), 1), 6)
        0.4
    """
    return noise.depolarizing(num_qubits) * 4**num_qubits / (4**num_qubits - 1)


@lru_cache(maxsize=64)
def qubit_channel(noise: NoiseModel) -> np.ndarray:
    """Bit flip, phase flip and amplitude damping on one qubit, in this order.

    Args:
        noise: the model.

    Returns:
        Superoperator `[4, 4]`, complex128.
    """
    flips = {"X": noise.bit_flip, "Z": noise.phase_flip}
    channel = np.eye(4, dtype=np.complex128)
    for letter, rate in flips.items():
        pauli = PAULI_MATRICES[letter]
        channel = ((1 - rate) * np.eye(4) + rate * np.kron(pauli, pauli.conj())) @ channel
    gamma = noise.amplitude_damping
    kept, decayed = np.diag([1, np.sqrt(1 - gamma)]), np.array([[0, np.sqrt(gamma)], [0, 0]])
    return (np.kron(kept, kept) + np.kron(decayed, decayed)) @ channel


@lru_cache(maxsize=64)
def gate_channel(noise: NoiseModel, num_qubits: int) -> np.ndarray:
    """Everything that follows a gate on a few qubits.

    Args:
        noise: the model.
        num_qubits: `k`, qubits of the gate.

    Returns:
        Superoperator `[4**k, 4**k]`, complex128.
    """
    weight = depolarizing_weight(noise, num_qubits)
    mixed = single = np.ones((1, 1))
    for _ in range(num_qubits):
        mixed, single = np.kron(mixed, MIXED), np.kron(single, qubit_channel(noise))
    return single @ ((1 - weight) * np.eye(4**num_qubits) + weight * mixed)


def readout_matrix(noise: NoiseModel) -> np.ndarray:
    """Probabilities `[2, 2]` of what is read (row) from what is there (column).

    Example:
        >>> readout_matrix(NoiseModel(readout_p01=0.25)).tolist()
        [[0.75, 0.0], [0.25, 1.0]]
    """
    p01, p10 = noise.readout_p01, noise.readout_p10
    return np.array([[1 - p01, p10], [p01, 1 - p10]])


def basis_changes(groups: tuple[MeasurementGroup, ...], num_qubits: int) -> np.ndarray:
    """Unitaries after which measuring in the computational basis measures some groups.

    Args:
        groups: `G` groups.
        num_qubits: `n`.

    Returns:
        Matrices `[G, n, 2, 2]`, complex128.
    """
    letters = [dict(group.basis) for group in groups]
    matrices = [[_BASIS_CHANGES[basis.get(q, "Z")] for q in range(num_qubits)] for basis in letters]
    return np.array(matrices, np.complex128).reshape(len(groups), num_qubits, 2, 2)


def measurement_maps(groups: tuple[MeasurementGroup, ...], num_qubits: int, noise: NoiseModel) -> np.ndarray:
    """For each group and qubit, from the vector of a density matrix to probabilities of what is read.

    Args:
        groups: `G` groups.
        num_qubits: `n`.
        noise: the model, of which the readout error enters.

    Returns:
        Matrices `[G, n, 2, 4]`, complex128.
    """
    changes = basis_changes(groups, num_qubits)
    # Entry (outcome, row, column) of |<outcome| U |row>><column| U^dagger |outcome>|.
    outcomes = np.einsum("gqor,gqoc->gqorc", changes, changes.conj())
    return readout_matrix(noise) @ outcomes.reshape(len(groups), num_qubits, 2, 4)
