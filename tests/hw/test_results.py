"""Results: distributions read, counted and drawn, and what they say of the observables."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hw.batch import Measured, make_grid, to_estimate
from hw.errors import ResultError
from hw.results import Distribution, as_counted, read_distribution, sample
from qjax import Circuit, PauliSum
from tests import circuits


@given(st.integers(1, 29), st.integers(0, 2**32 - 1))
def test_every_state_is_read_with_its_bits_turned_around(num_qubits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = rng.permutation(np.unique(rng.integers(0, 2**num_qubits, 40)))
    weights = rng.dirichlet(np.ones(len(states)))
    read = read_distribution(
        {str(state): weight for state, weight in zip(states, weights, strict=True)}, num_qubits
    )
    turned = {
        int(format(state, f"0{num_qubits}b")[::-1], 2): w for state, w in zip(states, weights, strict=True)
    }
    assert read.states.tolist() == sorted(turned)
    np.testing.assert_allclose(read.weights, [turned[state] for state in sorted(turned)])


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"4": 1.0},
        {"-1": 1.0},
        {"x": 1.0},
        {"0": 0.5},
        {"0": None},
        {"0": 2.0, "1": -1.0},
        {"0": float("nan")},
    ],
)
def test_what_is_no_distribution_is_refused(bad: dict) -> None:
    with pytest.raises(ResultError, match="cannot be used"):
        read_distribution(bad, 2)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).filter(any), st.integers(0, 6))
def test_frequencies_of_shots_come_back_as_their_counts(counts: list[int], digits: int) -> None:
    shots = sum(counts)
    weights = np.array(counts) / shots
    read = as_counted(Distribution(np.arange(len(counts)), weights), shots)
    np.testing.assert_allclose(read.weights * shots, counts, atol=1e-9)
    # A service that rounds what it shows.
    rounded = np.round(weights, digits + 4)
    again = as_counted(Distribution(np.arange(len(counts)), rounded / rounded.sum()), shots)
    assert round(float(again.weights.sum() * shots)) == shots
    assert (
        round(
            float(
                as_counted(Distribution(np.arange(len(counts)), rounded / rounded.sum()), shots).weights.sum()
                * shots
            )
        )
        == shots
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 1000))
def test_counts_of_mitigated_frequencies_add_up_to_the_shots(seed: int, shots: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.full(16, 0.3))
    counts = as_counted(Distribution(np.arange(16), weights), shots).weights * shots
    assert round(float(counts.sum())) == shots
    assert (np.abs(counts - weights * shots) < 1 + 1e-6).all()


def test_shots_are_drawn_from_the_distribution() -> None:
    weights = np.array([0.5, 0.2, 0.2, 0.07, 0.03])
    counts = np.zeros(5)
    draws = 200
    for seed in range(draws):
        drawn = sample(Distribution(np.arange(5), weights), 100, (seed,))
        counts[drawn.states] += drawn.weights * 100
    assert stats.power_divergence(counts, weights * 100 * draws, lambda_="log-likelihood").pvalue > 1e-4
    again = sample(Distribution(np.arange(5), weights), 100, (7,))
    other = sample(Distribution(np.arange(5), weights), 100, (8,))
    assert again.weights.tolist() == sample(Distribution(np.arange(5), weights), 100, (7,)).weights.tolist()
    assert again.weights.tolist() != other.weights.tolist()


@settings(max_examples=20, deadline=None)
@given(circuits.circuits(max_qubits=3, max_ops=6, min_ops=1), st.integers(0, 1000))
def test_variances_are_those_of_the_mean_over_shots(circuit: Circuit, seed: int) -> None:
    """Against the sample covariance of every shot's value, computed shot by shot."""
    rng = np.random.default_rng(seed)
    n = circuit.num_qubits
    observables = [PauliSum({"I": 0.5, "Z0": 1.5}), PauliSum({" ".join(f"Z{q}" for q in range(n)): -0.7})]
    shots = int(rng.integers(2, 40))
    drawn = rng.integers(0, 2**n, shots)
    states, counts = np.unique(drawn, return_counts=True)
    grid = make_grid(
        circuit,
        np.zeros((1, circuit.num_params)),
        np.zeros((1, circuit.num_features)),
        observables,
        key=None,
        mask=None,
        covariance=True,
        random=False,
    )
    with jax.enable_x64(True):
        measured = Measured([[Distribution(states, counts / shots)]], (shots,), 1, 1)
        estimate = to_estimate(grid, measured)
    signs = 1 - 2 * ((drawn[:, None] >> np.arange(n)[::-1]) & 1)
    values = np.stack([0.5 + 1.5 * signs[:, 0], -0.7 * signs.prod(axis=1)])
    np.testing.assert_allclose(estimate.mean[0, 0], values.mean(axis=1), atol=1e-12)
    assert estimate.covariance is not None
    np.testing.assert_allclose(estimate.covariance[0, 0], np.cov(values) / shots, atol=1e-12)
    np.testing.assert_allclose(estimate.variance[0, 0], np.diag(np.cov(values)) / shots, atol=1e-12)


def test_of_a_single_shot_the_variance_is_unknown() -> None:
    grid = make_grid(
        Circuit(1),
        np.zeros((1, 0)),
        None,
        PauliSum("Z0"),
        key=None,
        mask=None,
        covariance=False,
        random=False,
    )
    one = Distribution(np.array([0]), np.array([1.0]))
    assert to_estimate(grid, Measured([[one]], (1,), 1, 1)).variance.tolist() == [[[np.inf]]]
