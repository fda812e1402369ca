"""What noisy results are held against: Cirq's density matrices, and readout errors as one dense matrix."""

from __future__ import annotations

from functools import reduce

import cirq
import numpy as np

from qjax import Circuit, NoiseModel, PauliSum
from qjax.observables import measurement_groups
from tests.circuits import to_cirq
from tests.engine.oracles import dense

CHANNELS = {
    "depolarizing": NoiseModel(depolarizing_1q=0.03, depolarizing_2q=0.08),
    "depolarizing_2q": NoiseModel(depolarizing_2q=0.3),
    "bit_flip": NoiseModel(bit_flip=0.06),
    "phase_flip": NoiseModel(phase_flip=0.07),
    "amplitude_damping": NoiseModel(amplitude_damping=0.11),
    "all": NoiseModel(0.02, 0.05, 0.03, 0.04, 0.06),
}


def noisy_cirq(circuit: Circuit, params: np.ndarray, features: np.ndarray, noise: NoiseModel) -> cirq.Circuit:
    """The circuit in Cirq, with Cirq's own channels after every gate."""
    ops = []
    for index, op in enumerate(to_cirq(circuit, params, features).all_operations()):
        ops.append(op)
        if index < circuit.num_qubits:  # the identities that declare the qubits
            continue
        if rate := noise.depolarizing(len(op.qubits)):
            ops.append(cirq.depolarize(rate, len(op.qubits))(*op.qubits))
        for rate, channel in (
            (noise.bit_flip, cirq.bit_flip),
            (noise.phase_flip, cirq.phase_flip),
            (noise.amplitude_damping, cirq.amplitude_damp),
        ):
            if rate:
                ops += [channel(rate)(qubit) for qubit in op.qubits]
    return cirq.Circuit(ops)


def cirq_density(circuit: Circuit, params: np.ndarray, features: np.ndarray, noise: NoiseModel) -> np.ndarray:
    """The density matrix `[2**n, 2**n]` that Cirq computes."""
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    qubits = cirq.LineQubit.range(circuit.num_qubits)
    return simulator.simulate(
        noisy_cirq(circuit, params, features, noise), qubit_order=qubits
    ).final_density_matrix


def confusion(noise: NoiseModel, num_qubits: int) -> np.ndarray:
    """Probabilities `[2**n, 2**n]` of reading a row's state where a column's is."""
    one = np.array([[1 - noise.readout_p01, noise.readout_p10], [noise.readout_p01, 1 - noise.readout_p10]])
    return reduce(np.kron, [one] * num_qubits)


ROTATIONS = {
    "X": np.array([[1, 1], [1, -1]]) / np.sqrt(2),
    "Y": np.array([[1, -1j], [1, 1j]]) / np.sqrt(2),
    "Z": np.eye(2),
}


def read_probabilities(state: np.ndarray, basis: dict[int, str], noise: NoiseModel) -> np.ndarray:
    """What is read from a density matrix in a basis, `[2**n]`."""
    num_qubits = len(state).bit_length() - 1
    rotation = reduce(np.kron, [ROTATIONS[basis.get(q, "Z")] for q in range(num_qubits)])
    return confusion(noise, num_qubits) @ np.real(np.diag(rotation @ state @ rotation.conj().T))


def moments_per_shot(
    observables: list[PauliSum], state: np.ndarray, noise: NoiseModel
) -> tuple[np.ndarray, np.ndarray]:
    """Means `[O]`, and covariance `[O, O]` for one shot of every group; with readout errors."""
    num_qubits = len(state).bit_length() - 1
    mean = np.array([dict(observable.terms).get((), 0.0) for observable in observables])
    covariance = np.zeros((len(observables), len(observables)))
    for group in measurement_groups(observables):
        read = read_probabilities(state, dict(group.basis), noise)
        # In its own basis a string is one of Z, with its signs on the diagonal.
        values = np.zeros((len(observables), 2**num_qubits))
        for row, observable in enumerate(observables):
            for string, coefficient in observable.terms:
                if string in group.strings:
                    signs = dense(PauliSum(((tuple((q, "Z") for q, _ in string), 1.0),)), num_qubits)
                    values[row] += coefficient * np.real(np.diag(signs))
        part = values @ read
        mean = mean + part
        covariance += (values * read) @ values.T - np.outer(part, part)
    return mean, covariance
