"""The simulator agrees with Cirq on random circuits of the whole gate table."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Simulator, gates
from tests.circuits import circuits, random_angle
from tests.engine.oracles import cirq_expectation, cirq_states, nested_repeat, random_pauli_sum

DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("complex64", 1e-5), ("complex128", 1e-10)])


def check_agreement(circuit: Circuit, seed: int, own_features: bool, dtype, tolerance):
    """States, probabilities and observables of two parameter sets and three samples agree with Cirq."""
    rng = np.random.default_rng(seed)
    params = rng.normal(size=(2, circuit.num_params)).astype(np.float32)
    features = rng.normal(size=(2, 3, circuit.num_features) if own_features else (3, circuit.num_features))
    features = features.astype(np.float32)
    observables = [random_pauli_sum(rng, circuit.num_qubits, terms) for terms in (1, 4, 0)]
    expected = cirq_states(circuit, params, features)
    values = [[[cirq_expectation(o, state) for o in observables] for state in row] for row in expected]
    with jax.enable_x64(dtype == "complex128"):
        for engine in ("auto", "xla"):
            simulator = Simulator(engine, dtype=dtype)
            states = simulator.statevector(circuit, params, features)
            assert states.dtype == dtype
            np.testing.assert_allclose(states, expected, atol=tolerance)
            np.testing.assert_allclose(np.sum(np.abs(states) ** 2, axis=-1), 1.0, atol=tolerance)
            probabilities = simulator.probabilities(circuit, params, features)
            np.testing.assert_allclose(probabilities, np.abs(expected) ** 2, atol=tolerance)
            estimate = simulator.expectations(circuit, params, features, observables)
            # An observable of a few terms amplifies the state's error by the size of its coefficients.
            np.testing.assert_allclose(estimate.mean, values, atol=8 * tolerance)
            assert not np.any(estimate.variance)


@DTYPES
@given(circuit=circuits(max_qubits=8), seed=st.integers(0, 2**32 - 1), own_features=st.booleans())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_random_circuits_agree_with_cirq(dtype, tolerance, circuit, seed, own_features):
    check_agreement(circuit, seed, own_features, dtype, tolerance)


@pytest.mark.long
@DTYPES
@given(circuit=circuits(max_qubits=8, max_ops=30), seed=st.integers(0, 2**32 - 1), own_features=st.booleans())
@settings(max_examples=100, deadline=None)
def test_many_random_circuits_agree_with_cirq(dtype, tolerance, circuit, seed, own_features):
    check_agreement(circuit, seed, own_features, dtype, tolerance)


def test_the_whole_gate_table_agrees_with_cirq():
    num_qubits = 4
    # One circuit holds many gates, so that the table costs one compilation.
    rng = np.random.default_rng(num_qubits)
    ops = [Op("u3", (q,), list(rng.normal(size=3))) for q in range(num_qubits)]
    for name, row in gates.GATES.items():
        if row.num_qubits is None or row.num_qubits > num_qubits:
            continue
        for _ in range(2):
            qubits = [int(q) for q in rng.permutation(num_qubits)[: row.num_qubits]]
            ops.append(Op(name, qubits, [random_angle(rng, 2, 2) for _ in range(row.num_angles)]))
    check_agreement(Circuit(num_qubits, tuple(ops), 2, 2), num_qubits, True, "complex128", 1e-10)


@pytest.mark.parametrize("seed", range(2))
def test_nested_repeats_agree_with_cirq_and_with_the_unrolled_circuit(seed):
    rng = np.random.default_rng(seed)
    ops = tuple(Op("ry", (q,), Angle(param=q, feature=q, scale=0.3, offset=0.5)) for q in range(3))
    circuit = Circuit(3, (*ops, nested_repeat(rng, 3), *ops), num_params=7, num_features=5)
    check_agreement(circuit, seed, False, "complex128", 1e-10)
    params, features = rng.normal(size=(2, 7)), rng.normal(size=(3, 5))
    with jax.enable_x64(True):
        rolled, unrolled = (
            Simulator(dtype="complex128").statevector(c, params, features)
            for c in (circuit, Circuit(3, tuple(circuit.unrolled()), 7, 5))
        )
    np.testing.assert_allclose(rolled, unrolled, atol=1e-13)


@DTYPES
def test_large_angles_keep_their_precision(dtype, tolerance):
    ops = [Op(name, (0,), Angle(param=0)) for name in ("rx", "ry", "rz", "p")]
    ops += [Op(name, (0, 1), Angle(param=1)) for name in ("rxx", "ryy", "rzz", "crx", "cry", "crz", "cp")]
    ops += [Op("u3", (1,), [Angle(param=0), Angle(param=1), Angle(param=0)])]
    ops += [Op("pauli_rotation", (1, 0), Angle(param=1), pauli="XY")]
    # Angles that float32 holds exactly: the rest of the error is the engine's.
    params = np.array([[1000.0, -999.5], [4096.25, 1024.125], [12.5, -100000.0]])
    circuit = Circuit(2, tuple(ops))
    with jax.enable_x64(dtype == "complex128"):
        states = Simulator(dtype=dtype).statevector(circuit, params)
    np.testing.assert_allclose(states, cirq_states(circuit, params, np.zeros((1, 0))), atol=tolerance)
