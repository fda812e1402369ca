"""Finite shots: counts follow the exact probabilities, and the stated uncertainty is the true one.

Keys are fixed, so every test gives the same verdict each time; bounds are set so that a right sampler fails
one of them with a probability below about one in a thousand.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qjax import Angle, Circuit, Op, PauliSum, Simulator
from qjax.engine import shots
from qjax.observables import measurement_groups
from tests.circuits import circuits
from tests.engine.oracles import covariance_per_shot, layered_circuit

# Three measurement bases; the first two observables share counts, the third spreads over all bases.
OBSERVABLES = (
    PauliSum({"Z0": 1.0, "I": 0.5}),
    PauliSum({"Z0 Z1": 0.8, "Z2": -0.6}),
    PauliSum({"Z1": 0.5, "X0 X1": 1.0, "Y2": 0.7, "X1 Y2": -0.4}),
)


def random_states(num_states: int, num_qubits: int, seed: int) -> np.ndarray:
    """States with a third of their amplitudes zero."""
    rng = np.random.default_rng(seed)
    shape = (num_states, 2**num_qubits)
    kept = rng.random(shape) > 1 / 3
    kept[~kept.any(axis=1), 0] = True
    states = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) * kept
    return (states / np.linalg.norm(states, axis=1, keepdims=True)).astype(np.complex64)


def p_values(states: np.ndarray, num_shots: int, seed: int) -> list[float]:
    """P-values of chi-squared tests of drawn counts, one for each state."""
    keys = jax.random.split(jax.random.key(seed), len(states))
    draws = jax.jit(jax.vmap(lambda state, key: shots.sample_states(state, key, num_shots)))(states, keys)
    values = []
    for state, drawn in zip(states, np.asarray(draws), strict=True):
        expected = num_shots * np.abs(state.astype(complex)) ** 2
        counts = np.bincount(drawn, minlength=state.size)
        assert not np.any(counts[expected == 0])
        rare = expected < 5  # too few for the test's asymptotics: taken together
        observed = np.append(counts[~rare], counts[rare].sum())
        wanted = np.append(expected[~rare], expected[rare].sum())
        kept = wanted > 0
        if kept.sum() > 1:  # one certain outcome leaves nothing to test
            values.append(stats.chisquare(observed[kept], wanted[kept] * num_shots / wanted.sum()).pvalue)
    return values


@pytest.mark.parametrize("num_qubits", [2, 6])
def test_counts_follow_the_probabilities(num_qubits):
    values = p_values(random_states(60, num_qubits, num_qubits), 5000, num_qubits)
    # Right counts have uniform p-values: no excess of small ones (wrong) nor of large ones (too regular).
    assert stats.kstest(values, "uniform").pvalue > 1e-3


@pytest.mark.long
@pytest.mark.parametrize("num_qubits", range(2, 11))
def test_many_counts_follow_the_probabilities(num_qubits):
    values = p_values(random_states(300, num_qubits, 100 + num_qubits), 20_000, 100 + num_qubits)
    assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_states_of_probability_zero_are_never_drawn():
    # Parallel sums over this many states round by as much as a few hundred draws of these are worth.
    state = random_states(1, 16, 0)[0]
    draws = jax.jit(shots.sample_states, static_argnums=2)(state, jax.random.key(0), 2**20)
    assert np.all(np.abs(state)[draws] > 0)


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2.0**-23])
def test_extreme_draws_find_states_of_real_probability(monkeypatch, uniform):
    # The outer states have what rounding leaves of an RX(pi): 1e-15, below the grain of the draws.
    state = np.array([4e-8, 0.0, 0.6, 0.0, 0.8j, 0.0, 4e-8, 0.0], np.complex64)
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype: jnp.full(shape, uniform, dtype))
    drawn = shots.sample_states(jnp.asarray(state), jax.random.key(0), 3)
    assert drawn.tolist() == [2 if uniform == 0 else 4] * 3


@pytest.fixture(scope="module")
def many_estimates():
    """Estimates of 2000 circuits with 100 shots each, and the exact means and covariances of one shot."""
    circuit = layered_circuit(3, 2)
    rng = np.random.default_rng(5)
    params = rng.uniform(-np.pi, np.pi, (40, circuit.num_params)).astype(np.float32)
    features = rng.uniform(-np.pi, np.pi, (50, 3)).astype(np.float32)
    estimate = Simulator(shots=100).expectations(
        circuit, params, features, OBSERVABLES, key=jax.random.key(11), covariance=True
    )
    exact = Simulator().expectations(circuit, params, features, OBSERVABLES).mean
    states = np.asarray(Simulator().statevector(circuit, params, features)).astype(complex)
    covariance = [[covariance_per_shot(OBSERVABLES, state) for state in row] for row in states]
    return estimate, np.asarray(exact), np.array(covariance)


def test_standardised_errors_have_mean_zero_and_variance_one(many_estimates):
    estimate, exact, covariance = many_estimates
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1) / 100)
    certain = deviation < 0.01  # nearly eigenstates: counts of rare outcomes are not normal
    errors = ((estimate.mean - exact) / deviation)[~certain]
    assert errors.size > 5000
    assert abs(errors.mean()) < 4 / np.sqrt(errors.size / 3)  # the three observables covary
    # Var(sample variance) = (kurtosis - 1) / n, the kurtosis taken from the errors themselves.
    spread = np.sqrt((np.mean(errors**4) - 1) * 3 / errors.size)
    assert abs(np.mean(errors**2) - 1) < 4 * spread


def test_the_stated_covariance_is_unbiased(many_estimates):
    estimate, _, covariance = many_estimates
    np.testing.assert_array_equal(estimate.variance, np.diagonal(estimate.covariance, axis1=-2, axis2=-1))
    differences = (100 * np.asarray(estimate.covariance) - covariance).reshape(-1, 3, 3)
    error = differences.std(axis=0) / np.sqrt(len(differences))
    assert np.all(np.abs(differences.mean(axis=0)) < 4.5 * error + 1e-6)


def test_the_covariance_over_many_keys_is_the_stated_one():
    circuit = layered_circuit(3, 1)
    params, features = jnp.array([[0.4, 0.9, -0.7]]), jnp.array([[0.9, -0.8, 1.2]])
    num_keys, num_shots = 4000, 20
    simulator = Simulator(shots=num_shots)

    @jax.jit
    @jax.vmap
    def means(key):
        return simulator.expectations(circuit, params, features, OBSERVABLES, key=key).mean[0, 0]

    samples = np.asarray(means(jax.random.split(jax.random.key(2), num_keys))).astype(float)
    state = np.asarray(Simulator().statevector(circuit, params, features))[0, 0].astype(complex)
    expected = covariance_per_shot(OBSERVABLES, state) / num_shots
    assert np.abs(expected[0, 1]) > 1e-3  # observables that share counts do covary here
    centred = samples - samples.mean(axis=0)
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(axis=0) / np.sqrt(num_keys)
    assert np.all(np.abs(products.mean(axis=0) - expected) < 4.5 * error)


def test_shots_of_each_parameter_set():
    circuit = Circuit(1, (Op("ry", (0,), Angle(param=0)),))
    numbers = (1, 10, 1000)
    num_samples = 400
    estimate = Simulator(shots=numbers).expectations(
        circuit, jnp.full((3, 1), 1.0), jnp.zeros((num_samples, 0)), PauliSum("Z0"), key=jax.random.key(1)
    )
    mean, variance = np.asarray(estimate.mean)[..., 0].astype(float), np.asarray(estimate.variance)[..., 0]
    assert set(mean[0]) == {-1.0, 1.0}
    assert np.all(np.isinf(variance[0]))
    for one_set, number in enumerate(numbers):
        # Means are multiples of 2 / shots: no draw beyond a set's own number was counted.
        steps = (mean[one_set] + 1) * number / 2
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        exact_variance = np.sin(1.0) ** 2 / number
        ratio = mean[one_set].var(ddof=1) / exact_variance
        assert abs(ratio - 1) < 4.5 * np.sqrt(2 / num_samples)
        if number > 1:
            error = variance[one_set].std() / np.sqrt(num_samples)
            assert abs(variance[one_set].mean() - exact_variance) < 4.5 * error


def test_one_shot_says_nothing_of_the_variance():
    estimate = Simulator(shots=1).expectations(
        layered_circuit(3, 1),
        jnp.ones((2, 3)),
        jnp.ones((1, 3)),
        OBSERVABLES,
        key=jax.random.key(0),
        covariance=True,
    )
    assert np.all(np.isinf(estimate.variance))
    assert np.all(np.isfinite(estimate.mean))


def test_eigenstates_are_measured_without_noise_in_their_own_basis():
    preparation = {"X": ("x", "h"), "Y": ("x", "h", "s"), "Z": ("x",)}
    circuit = Circuit(
        3, tuple(Op(gate, (q,)) for q, letter in enumerate("XYZ") for gate in preparation[letter])
    )
    observables = [PauliSum(f"{letter}{q}") for q in range(3) for letter in "XYZ"]
    estimate = Simulator(shots=500).expectations(
        circuit, jnp.zeros((1, 0)), None, observables, key=jax.random.key(0)
    )
    mean, variance = estimate.mean.reshape(3, 3), estimate.variance.reshape(3, 3)
    np.testing.assert_array_equal(jnp.diagonal(mean), -1.0)
    np.testing.assert_array_equal(jnp.diagonal(variance), 0.0)
    others = mean[~np.eye(3, dtype=bool)]
    assert np.all(np.abs(others) < 4 / np.sqrt(500))
    assert np.any(others != 0)
    assert int(estimate.circuits) == 3


def test_groups_have_keys_of_their_own():
    # Draws by the same numbers would make the estimates in two bases rise and fall together.
    circuit = Circuit(1, (Op("u3", (0,), [1.0, 0.5, 0.0]),))
    state = Simulator().statevector(circuit, jnp.zeros((1, 0)))[0, 0]
    observables = (PauliSum("Z0"), PauliSum("X0"))
    groups = measurement_groups(observables)

    @jax.vmap
    def moments(key):
        return shots.sampled_moments(state, observables, groups, key, jnp.asarray(50), 50)[0]

    samples = np.asarray(jax.jit(moments)(jax.random.split(jax.random.key(0), 2000)))
    assert abs(np.corrcoef(samples.T)[0, 1]) < 4 / np.sqrt(2000)


@given(circuit=circuits(max_qubits=5), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_the_same_key_gives_the_same_counts_on_both_engines(circuit, seed):
    rng = np.random.default_rng(seed)
    params, features = rng.normal(size=(2, circuit.num_params)), rng.normal(size=(3, circuit.num_features))
    with jax.enable_x64(True):
        drawn = [
            Simulator(engine, shots=200, dtype="complex128").samples(
                circuit, params, features, key=jax.random.key(seed % 1000)
            )
            for engine in ("auto", "xla")
        ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
