"""Density matrices agree with Cirq's, are states, and live under every transformation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, NoiseModel, Op, PauliSum, Simulator, gates
from qjax.gradients import Batch, Objective, Params, adjoint, parameter_shift
from tests.circuits import circuits, random_angle, random_circuit
from tests.engine.oracles import dense, layered_circuit, num_lines, random_pauli_sum
from tests.noise.oracles import CHANNELS, cirq_density, moments_per_shot, read_probabilities

READOUT = NoiseModel(0.01, 0.04, readout_p01=0.03, readout_p10=0.12)


def check_agreement(
    circuit: Circuit, noise: NoiseModel, seed: int, dtype: str, tolerance: float, *, whole: bool = False
):
    """Density matrices of two parameter sets and two samples; the whole surface where asked."""
    rng = np.random.default_rng(seed)
    params = rng.normal(size=(2, circuit.num_params)).astype(np.float32)
    features = rng.normal(size=(2, circuit.num_features)).astype(np.float32)
    observables = [random_pauli_sum(rng, circuit.num_qubits, terms) for terms in (1, 3, 0)]
    expected = np.array([[cirq_density(circuit, p, f, noise) for f in features] for p in params])
    with jax.enable_x64(dtype == "complex128"):
        simulator = Simulator(noise=noise, dtype=dtype)  # pyright: ignore[reportArgumentType]
        states = np.asarray(simulator.density_matrix(circuit, params, features))
        assert states.dtype == dtype
        np.testing.assert_allclose(states, expected, atol=tolerance)
        np.testing.assert_allclose(np.trace(states, axis1=-2, axis2=-1), 1, atol=tolerance)
        np.testing.assert_allclose(states, np.conj(np.swapaxes(states, -1, -2)), atol=tolerance)
        assert np.linalg.eigvalsh(states).min() > -tolerance
        if not whole:
            return
        read = simulator.probabilities(circuit, params, features)
        np.testing.assert_allclose(read, np.einsum("sbii->sbi", expected).real, atol=tolerance)
        estimate = simulator.expectations(circuit, params, features, observables)
        values = [
            [[np.trace(state @ dense(o, circuit.num_qubits)).real for o in observables] for state in row]
            for row in expected
        ]
        np.testing.assert_allclose(estimate.mean, values, atol=8 * tolerance)
        assert not np.any(estimate.variance)


DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("complex64", 1e-5), ("complex128", 1e-10)])


@pytest.mark.parametrize("name", CHANNELS)
def test_random_circuits_agree_with_cirq(name):
    seed = list(CHANNELS).index(name)
    check_agreement(random_circuit(seed, 3, 8), CHANNELS[name], seed, "complex128", 1e-10)


def test_single_precision_agrees_with_cirq():
    check_agreement(random_circuit(7, 4, 8), CHANNELS["all"], 7, "complex64", 1e-5, whole=True)


@pytest.mark.long
@DTYPES
@pytest.mark.parametrize("noise", CHANNELS.values(), ids=CHANNELS)
@given(circuit=circuits(max_qubits=6, max_ops=25), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_many_random_circuits_agree_with_cirq(noise, dtype, tolerance, circuit, seed):
    check_agreement(circuit, noise, seed, dtype, tolerance, whole=True)


def whole_table(num_qubits: int, seed: int) -> Circuit:
    """Every gate of the table, and Pauli rotations on one to all qubits."""
    rng = np.random.default_rng(seed)
    ops = [Op("u3", (q,), list(rng.normal(size=3))) for q in range(num_qubits)]
    for name, row in gates.GATES.items():
        if row.num_qubits is not None:
            qubits = [int(q) for q in rng.permutation(num_qubits)[: row.num_qubits]]
            ops.append(Op(name, qubits, [random_angle(rng, 2, 2) for _ in range(row.num_angles)]))
    for size in range(1, num_qubits + 1):
        qubits = [int(q) for q in rng.permutation(num_qubits)[:size]]
        pauli = "".join(rng.choice(list("XYZ"), size))
        ops.append(Op("pauli_rotation", qubits, random_angle(rng, 2, 2), pauli=pauli))
    return Circuit(num_qubits, ops, 2, 2)


def test_the_whole_gate_table_agrees_with_cirq():
    check_agreement(whole_table(5, 1), CHANNELS["all"], 0, "complex128", 1e-10)


def test_rates_of_one_give_cirqs_channels():
    # Depolarising beyond the mixture: at one, the state itself has no weight left.
    circuit = Circuit(3, (Op("h", (0,)), Op("cx", (0, 1)), Op("ccx", (0, 1, 2)), Op("ry", (2,), 0.4)))
    for noise in (NoiseModel(1.0, 1.0), NoiseModel(bit_flip=1.0), NoiseModel(amplitude_damping=1.0)):
        check_agreement(circuit, noise, 0, "complex128", 1e-10)


def test_readout_errors_are_one_confusion_matrix():
    circuit = layered_circuit(3, 1)
    rng = np.random.default_rng(3)
    params, features = rng.normal(size=(1, circuit.num_params)), rng.normal(size=(1, circuit.num_features))
    observables = [random_pauli_sum(rng, 3) for _ in range(3)]
    with jax.enable_x64(True):
        for noise in (READOUT, NoiseModel(readout_p01=0.2, readout_p10=0.05)):
            simulator = Simulator(noise=noise, dtype="complex128")
            state = np.asarray(simulator.density_matrix(circuit, params, features))[0, 0]
            read = simulator.probabilities(circuit, params, features)[0, 0]
            np.testing.assert_allclose(read, read_probabilities(state, {}, noise), atol=1e-12)
            mean = simulator.expectations(circuit, params, features, observables).mean[0, 0]
            np.testing.assert_allclose(mean, moments_per_shot(observables, state, noise)[0], atol=1e-12)


def energy(simulator: Simulator, circuit: Circuit, observable: PauliSum):
    def value(params, features):
        return simulator.expectations(circuit, params[None], features[None], observable).mean[0, 0, 0]

    return value


def test_transformations_agree_with_one_at_a_time_and_finite_differences():
    circuit = layered_circuit(2, 2)
    rng = np.random.default_rng(0)
    observable = random_pauli_sum(rng, 2)
    with jax.enable_x64(True):
        value = jax.jit(energy(Simulator(noise=READOUT, dtype="complex128"), circuit, observable))
        params = jnp.asarray(rng.normal(size=(3, circuit.num_params)))
        features = jnp.asarray(rng.normal(size=(3, circuit.num_features)))
        one_by_one = jnp.stack([value(p, f) for p, f in zip(params, features, strict=True)])
        values = jax.jit(jax.vmap(value))
        np.testing.assert_allclose(values(params, features), one_by_one, atol=1e-12)
        gradient = jax.jit(jax.vmap(jax.grad(value)))(params, features)
        step = 1e-5
        for index in range(circuit.num_params):
            move = step * jnp.eye(circuit.num_params)[index]
            ends = [values(params + sign * move, features) for sign in (1, -1)]
            np.testing.assert_allclose(gradient[:, index], (ends[0] - ends[1]) / (2 * step), atol=1e-8)


@pytest.mark.long
def test_adjoint_and_parameter_shift_agree_under_noise():
    circuit = layered_circuit(3, 2)
    rng = np.random.default_rng(1)
    objective = Objective(
        Simulator(noise="aria-1"),
        circuit,
        (PauliSum("Z0"), PauliSum("X1 Z2")),
        lambda head, outputs, targets, weights: jnp.sum(weights[:, None] * outputs**2),
    )
    batch = Batch(jnp.asarray(rng.normal(size=(4, 3)), jnp.float32), jnp.zeros(4), jnp.ones(4))
    params = Params(jnp.asarray(rng.normal(size=6), jnp.float32))
    results = [
        method.estimate((), objective, params, batch, jax.random.key(0))[0].circuit
        for method in (adjoint(), parameter_shift())
    ]
    np.testing.assert_allclose(results[0], results[1], atol=2e-5)


def test_without_noise_nothing_changes():
    circuit, params, features = layered_circuit(3, 2), np.ones((2, 6)), np.ones((3, 3))
    assert Simulator(noise="ideal") == Simulator(noise=NoiseModel()) == Simulator()
    pure = Simulator().statevector(circuit, params, features)
    state = Simulator().density_matrix(circuit, params, features)
    np.testing.assert_allclose(state, pure[..., :, None] * jnp.conj(pure[..., None, :]), atol=1e-6)


def test_repeats_stay_loops():
    def lines(num_layers: int, method: str) -> int:
        simulator = Simulator(noise="aria-1", noise_method=method)  # pyright: ignore[reportArgumentType]
        circuit = layered_circuit(3, num_layers)
        return num_lines(
            lambda p: (
                simulator.expectations(
                    circuit, p, jnp.ones((1, 3)), PauliSum("Z0"), key=jax.random.key(0)
                ).mean
            ),
            jnp.zeros((1, circuit.num_params)),
        )

    for method in ("density", "trajectories"):
        assert lines(64, method) <= lines(4, method) + 5


def test_angles_that_are_not_numbers_have_no_means():
    circuit = Circuit(2, (Op("ry", (0,), Angle(param=0)), Op("cx", (0, 1))))
    for simulator in (
        Simulator(noise=READOUT),
        Simulator(noise=READOUT, shots=10),
        Simulator(noise=READOUT, shots=10, noise_method="trajectories"),
    ):
        mean = simulator.expectations(
            circuit, np.array([[np.nan], [1.0]]), None, PauliSum("Z0"), key=jax.random.key(0)
        ).mean
        assert np.isnan(mean).ravel().tolist() == [True, False]
