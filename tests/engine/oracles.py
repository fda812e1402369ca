"""What the engine is held against: Cirq for states and observables, dense matrices for shot noise."""

from __future__ import annotations

from collections.abc import Sequence

import cirq
import jax
import numpy as np

from qjax import Angle, Circuit, Op, PauliSum, Repeat, gates
from qjax.observables import measurement_groups
from tests.circuits import cirq_state, random_angle, random_op


def random_pauli_sum(rng: np.random.Generator, num_qubits: int, num_terms: int = 4) -> PauliSum:
    terms = []
    for _ in range(num_terms):
        letters = rng.choice(list("IXYZ"), num_qubits)
        string = " ".join(f"{letter}{q}" for q, letter in enumerate(letters) if letter != "I")
        terms.append((string, float(rng.normal())))
    return PauliSum(terms)


def dense(observable: PauliSum, num_qubits: int) -> np.ndarray:
    matrix = np.zeros((2**num_qubits, 2**num_qubits), complex)
    for string, coefficient in observable.terms:
        letters = dict(string)
        matrix += coefficient * gates.pauli_string_matrix(
            "".join(letters.get(qubit, "I") for qubit in range(num_qubits))
        )
    return matrix


def cirq_expectation(observable: PauliSum, state: np.ndarray) -> float:
    """The expectation value as Cirq computes it."""
    qubits = cirq.LineQubit.range(state.size.bit_length() - 1)
    terms = [
        cirq.PauliString({qubits[q]: letter for q, letter in string}, coefficient=coefficient)
        for string, coefficient in observable.terms
    ]
    if not terms:
        return 0.0
    order = {qubit: index for index, qubit in enumerate(qubits)}
    return cirq.PauliSum.from_pauli_strings(terms).expectation_from_state_vector(state, order).real


def cirq_states(circuit: Circuit, params: np.ndarray, features: np.ndarray) -> np.ndarray:
    """States `[S, B, 2**n]` for params `[S, P]` and features `[B, F]` or `[S, B, F]`."""
    features = np.broadcast_to(features, (len(params), *features.shape[-2:]))
    return np.array(
        [
            [cirq_state(circuit, one_set, sample) for sample in samples]
            for one_set, samples in zip(params, features, strict=True)
        ]
    )


def covariance_per_shot(observables: Sequence[PauliSum], state: np.ndarray) -> np.ndarray:
    """Covariance `[O, O]` of the observables' estimates for one shot of every measurement group."""
    num_qubits = state.size.bit_length() - 1
    total = np.zeros((len(observables), len(observables)))
    for group in measurement_groups(observables):
        parts = [
            dense(PauliSum([(s, c) for s, c in observable.terms if s in group.strings]), num_qubits)
            for observable in observables
        ]
        means = np.array([np.real(state.conj() @ part @ state) for part in parts])
        products = np.array([[np.real(state.conj() @ a @ b @ state) for b in parts] for a in parts])
        total += products - np.outer(means, means)
    return total


def mixed_circuit() -> Circuit:
    """Three qubits, every kind of step, and a loop in a loop; parameters and features serve several gates."""
    angle = iter([Angle(k % 2, k % 2 if k % 3 else None, 0.5 + 0.2 * k, 0.1 * k) for k in range(6)])
    inner = Repeat((Op("ry", (1,), next(angle)), Op("cx", (1, 2))), times=2, param_stride=1)
    ops = (
        Op("h", (0,)),
        Op("ry", (2,), next(angle)),
        Op("crx", (2, 0), next(angle)),
        Op("cp", (1, 0), next(angle)),
        Op("cswap", (2, 1, 0)),
        Op("pauli_rotation", (2, 0, 1), next(angle), pauli="XYZ"),
        Repeat((Op("rz", (1,), next(angle)), inner), 2, param_stride=1, feature_stride=1),
    )
    return Circuit(3, ops)


def nested_repeat(rng: np.random.Generator, num_qubits: int) -> Repeat:
    """A repeat in a repeat, each with strides; uses parameters 0 to 6 and features 0 to 4."""

    def op() -> Op:
        return random_op(rng, num_qubits, 3, 2)

    def rotation() -> Op:
        return Op("ry", (int(rng.integers(num_qubits)),), random_angle(rng, 3, 2))

    inner = Repeat((op(), rotation()), times=3, param_stride=1, feature_stride=1)
    return Repeat((op(), inner, rotation()), times=2, param_stride=2, feature_stride=1)


def layered_circuit(num_qubits: int, num_layers: int) -> Circuit:
    """An angle encoding and repeated layers of RY and a chain of CX."""
    encoding = tuple(Op("rx", (q,), Angle(feature=q)) for q in range(num_qubits))
    body = tuple(Op("ry", (q,), Angle(param=q)) for q in range(num_qubits))
    chain = tuple(Op("cx", (q, q + 1)) for q in range(num_qubits - 1))
    return Circuit(num_qubits, (*encoding, Repeat(body + chain, num_layers, num_qubits)))


def num_lines(function, *args) -> int:
    """Size of the program that JAX hands to the compiler."""
    return len(jax.jit(function).lower(*args).as_text().splitlines())
