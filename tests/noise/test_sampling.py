"""Sampled noise: counts, means and variances are those of the density matrix, within stated confidence."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from qjax import Angle, Circuit, NoiseModel, Op, PauliSum, Repeat, Simulator
from qjax.engine import trajectories
from qjax.engine.program import lower
from qjax.errors import ArgumentError
from tests.circuits import random_circuit
from tests.noise.oracles import CHANNELS, moments_per_shot

NOISE = NoiseModel(0.05, 0.1, 0.02, 0.03, 0.08, readout_p01=0.04, readout_p10=0.1)
OBSERVABLES = [
    PauliSum("Z0"),
    PauliSum({"Z0 Z1": 1.0, "Z2": 0.5, "I": 0.3}),
    PauliSum({"X1": 1.0, "Y2": -0.7}),
]
WAYS = {
    "density": {},
    "trajectories": {"noise_method": "trajectories"},
    "few trajectories": {"noise_method": "trajectories", "num_trajectories": 16},
}

CIRCUIT = Circuit(
    3,
    (
        *(Op("ry", (q,), Angle(param=q)) for q in range(3)),
        Op("cx", (0, 1)),
        Op("rxx", (1, 2), Angle(feature=0)),
    ),
)
PARAMS, FEATURES = np.array([[0.7, 1.9, -0.6], [2.5, 0.3, 1.1]]), np.array([[0.9]])


def g_test(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """The p-value that counts come from probabilities, by the likelihood-ratio test."""
    expected = counts.sum() * probabilities
    drawn = counts > 0
    statistic = 2 * np.sum(counts[drawn] * np.log(counts[drawn] / expected[drawn]))
    return float(chi2.sf(statistic, len(counts) - 1))


@pytest.mark.parametrize("way", ["density", "trajectories"])
def test_counts_pass_a_g_test(way):
    probabilities = np.asarray(Simulator(noise=NOISE).probabilities(CIRCUIT, PARAMS, FEATURES))[:, 0]
    bits = Simulator(noise=NOISE, shots=20_000, **WAYS[way]).samples(
        CIRCUIT, PARAMS, FEATURES, key=jax.random.key(1)
    )
    assert bits.shape == (2, 1, 20_000, 3)
    states = np.asarray(bits)[:, 0] @ np.array([4, 2, 1])
    for row, expected in zip(states, probabilities, strict=True):
        # Correct counts fail once in 10,000 keys; this key is fixed.
        assert g_test(np.bincount(row, minlength=8), expected.astype(float)) > 1e-4
        # The same test refuses the circuit without noise, so it can fail.
        assert g_test(np.bincount(row, minlength=8), np.roll(expected.astype(float), 1)) < 1e-4


@pytest.mark.parametrize("way", WAYS)
def test_means_and_variances_over_many_keys(way):
    num_keys, num_shots = 1500, 40
    simulator = Simulator(noise=NOISE, shots=num_shots, **WAYS[way])

    @jax.jit
    @jax.vmap
    def estimates(key):
        estimate = simulator.expectations(
            CIRCUIT, PARAMS[:1], FEATURES, OBSERVABLES, key=key, covariance=True
        )
        assert estimate.covariance is not None
        return estimate.mean[0, 0], estimate.covariance[0, 0]

    means, stated = (np.asarray(a, float) for a in estimates(jax.random.split(jax.random.key(2), num_keys)))
    state = np.asarray(Simulator(noise=NOISE).density_matrix(CIRCUIT, PARAMS[:1], FEATURES))[0, 0]
    expected, per_shot = moments_per_shot(OBSERVABLES, state.astype(complex), NOISE)
    spread = means.std(axis=0) / np.sqrt(num_keys)
    assert np.all(np.abs(means.mean(axis=0) - expected) < 4.5 * spread)
    # What an estimate says of its own covariance is right on average, ...
    centred = means - means.mean(axis=0)
    products = centred[:, :, None] * centred[:, None, :] * num_keys / (num_keys - 1)
    error = np.sqrt(products.var(axis=0) + stated.var(axis=0)) / np.sqrt(num_keys)
    assert np.all(np.abs(products.mean(axis=0) - stated.mean(axis=0)) < 4.5 * error)
    if way != "few trajectories":
        # ... and shots that are independent have the covariance of the mixed state's.
        error = products.std(axis=0) / np.sqrt(num_keys)
        assert np.all(np.abs(products.mean(axis=0) - per_shot / num_shots) < 4.5 * error)


@pytest.mark.parametrize(
    "name", [name if name == "all" else pytest.param(name, marks=pytest.mark.long) for name in CHANNELS]
)
def test_trajectories_average_to_the_density_matrix(name):
    # Gates of one to five qubits, which take different ways.
    rng = np.random.default_rng(0)
    ops = (
        *(Op("ry", (q,), Angle(param=q)) for q in range(5)),
        Repeat((Op("cx", (0, 3)), Op("rz", (3,), Angle(param=0)), Op("h", (3,))), 2, param_stride=1),
        Op("cswap", (2, 0, 4)),
        Op("pauli_rotation", (4, 0, 3, 1, 2), Angle(feature=0), pauli="XYZXY"),
    )
    circuit = Circuit(5, ops)
    params, features = rng.normal(size=(1, circuit.num_params)), rng.normal(size=(1, circuit.num_features))
    noise = CHANNELS[name]
    exact = np.asarray(Simulator(noise=noise).probabilities(circuit, params, features))[0, 0]
    simulator = Simulator(noise=noise, noise_method="trajectories", num_trajectories=20_000)
    mean = np.asarray(simulator.probabilities(circuit, params, features, key=jax.random.key(0)))[0, 0]
    # The variance of a probability over pure states is at most p (1 - p).
    bound = 4.5 * np.sqrt(exact * (1 - exact) / 20_000) + 2e-5
    assert np.all(np.abs(mean - exact) < bound)


def test_averages_over_trajectories_state_their_variance():
    observables = [PauliSum("Z0"), PauliSum("X1 X2")]
    simulator = Simulator(noise=NOISE, noise_method="trajectories", num_trajectories=25)
    assert not simulator.exact
    estimate = simulator.expectations(
        CIRCUIT, PARAMS[[0] * 800], FEATURES, observables, key=jax.random.key(4), covariance=True
    )
    exact = Simulator(noise=NOISE).expectations(CIRCUIT, PARAMS[:1], FEATURES, observables).mean[0, 0]
    means = np.asarray(estimate.mean, float)[:, 0]
    assert np.all(np.abs(means.mean(axis=0) - exact) < 4.5 * means.std(axis=0) / np.sqrt(800))
    covariance = np.asarray(estimate.covariance, float)[:, 0]
    centred = means - means.mean(axis=0)
    products = centred[:, :, None] * centred[:, None, :]
    error = np.sqrt(products.var(axis=0) + covariance.var(axis=0)) / np.sqrt(800)
    assert np.all(np.abs(products.mean(axis=0) - covariance.mean(axis=0)) < 4.5 * error)
    assert (int(estimate.circuits), int(estimate.jobs)) == (800, 1)


def test_error_strings_are_uniform_without_the_identity():
    for size in (1, 2, 3):
        draws = jax.random.uniform(jax.random.key(size), (60_000, size))
        letters = np.asarray(trajectories._error_letters(draws))
        counts = np.bincount(letters @ 4 ** np.arange(size), minlength=4**size)
        assert counts[0] == 0
        assert g_test(counts[1:], np.full(4**size - 1, 1 / (4**size - 1))) > 1e-4


def test_trajectories_stay_normalised():
    program = lower(random_circuit(3, 3, 5))
    draws = jax.random.uniform(jax.random.key(0), (50, trajectories.num_draws(program, NOISE)))
    params, features = jnp.ones(program.num_params), jnp.ones(program.num_features)

    @jax.jit
    @jax.vmap
    def norm(own):
        state = trajectories.trajectory(program, params, features, NOISE, own, np.dtype(np.complex64))
        return jnp.sum(jnp.abs(state) ** 2)

    np.testing.assert_allclose(norm(draws), 1, atol=1e-5)


def test_trajectories_serve_circuits_too_large_for_density_matrices():
    # Qubits that nothing entangles: each decays as it would alone.
    num_qubits, num_shots = 12, 500
    noise = NoiseModel(depolarizing_1q=0.1, readout_p10=0.05)
    angles = 0.2 * np.arange(num_qubits)
    circuit = Circuit(num_qubits, [Op("ry", (q,), Angle(feature=q)) for q in range(num_qubits)])
    estimate = Simulator(noise=noise, noise_method="trajectories", shots=num_shots).expectations(
        circuit,
        np.zeros((1, 0)),
        angles[None],
        [PauliSum(f"Z{q}") for q in range(num_qubits)],
        key=jax.random.key(0),
    )
    expected = 0.05 + 0.95 * (1 - 0.1 * 4 / 3) * np.cos(angles)
    deviation = np.sqrt((1 - expected**2) / num_shots)
    assert np.all(np.abs(np.asarray(estimate.mean)[0, 0] - expected) < 4.5 * deviation)


@pytest.mark.parametrize("way", ["density", "few trajectories"])
def test_shots_of_each_parameter_set_and_equal_keys(way):
    simulator = Simulator(noise=NOISE, shots=(1, 7), **WAYS[way])
    first, again, other = (
        simulator.expectations(CIRCUIT, PARAMS, FEATURES, PauliSum("Z0"), key=jax.random.key(key))
        for key in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.mean, again.mean)
    assert np.any(first.mean != other.mean) or np.any(first.variance != other.variance)
    # Means are multiples of 2 / shots: no draw beyond a set's own number was counted.
    steps = (np.asarray(first.mean)[:, 0, 0] + 1) * np.array([1, 7]) / 2
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-5)
    assert np.isinf(first.variance[0, 0, 0])
    assert np.isfinite(first.variance[1, 0, 0])


def call(**changes):
    shots = changes.pop("shots", None)
    key = changes.pop("key", jax.random.key(0))
    circuit = changes.pop("circuit", CIRCUIT)
    simulator = Simulator(shots=shots, **{"noise": NOISE, **changes})
    params, features = np.zeros((1, circuit.num_params)), np.zeros((1, circuit.num_features))
    return simulator.expectations(circuit, params, features, PauliSum("Z0"), key=key)


LARGE = Circuit(11, (Op("h", (0,)),))


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        *((name, lambda name=name: NoiseModel(**{name: 1.5})) for name in vars(NoiseModel())),
        ("bit_flip", lambda: NoiseModel(bit_flip=-0.1)),
        ("bit_flip", lambda: NoiseModel(bit_flip=float("nan"))),
        ("bit_flip", lambda: NoiseModel(bit_flip="0.1")),  # pyright: ignore[reportArgumentType]
        ("bit_flip", lambda: NoiseModel(bit_flip=True)),
        ("noise", lambda: Simulator(noise="aria-3")),
        ("noise", lambda: Simulator(noise=0.1)),  # pyright: ignore[reportArgumentType]
        ("noise_method", lambda: Simulator(noise="aria-1", noise_method="magic")),  # pyright: ignore
        ("num_trajectories", lambda: call(num_trajectories=10)),
        ("num_trajectories", lambda: call(num_trajectories=0, noise_method="trajectories")),
        ("engine", lambda: Simulator(noise="aria-1", engine="native")),
        ("noise_method", lambda: call(circuit=LARGE)),
        ("noise_method", lambda: call(circuit=LARGE, shots=10)),
        ("noise_method", lambda: Simulator().density_matrix(LARGE, np.zeros((1, 0)))),
        ("key", lambda: call(noise_method="trajectories", key=None)),
        ("key", lambda: call(shots=10, key=None)),
        ("noise", lambda: Simulator(noise="aria-1").statevector(LARGE, np.zeros((1, 0)))),
    ],
)
def test_bad_input_is_refused_with_cause_and_cure(argument, bad):
    with pytest.raises(ArgumentError, match=rf"^Argument `{argument}` must .+, but .+\. [A-Z].+") as caught:
        bad()
    assert caught.value.argument == argument


@pytest.mark.parametrize("options", [{"shots": 10}, {"noise_method": "trajectories"}])
def test_random_results_refuse_to_be_differentiated(options):
    def energy(params):
        simulator = Simulator(noise=NOISE, **options)
        return simulator.expectations(
            CIRCUIT, params, FEATURES, PauliSum("Z0"), key=jax.random.key(0)
        ).mean.sum()

    with pytest.raises(ArgumentError, match=r"differentiated.*spsa"):
        jax.grad(energy)(jnp.asarray(PARAMS, jnp.float32))
