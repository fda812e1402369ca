"""SPSA: its mean, its variance, its gain sequence, the samples it draws and the circuits it costs."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from qjax import Angle, Circuit, Op, PauliSum, Simulator
from qjax.errors import ArgumentError
from qjax.gradients import Batch, Objective, Params, adjoint, spsa
from tests.gradients.problems import Echo, batch, objective, params

NUM_PARAMS = 6
SLOPE = np.random.default_rng(1).normal(size=NUM_PARAMS).astype(np.float32)
THETA = np.random.default_rng(2).normal(size=NUM_PARAMS).astype(np.float32)
# `Echo` gives the parameters as outputs, so the loss may be any function of them.
ECHO_CIRCUIT = Circuit(1, (), num_params=NUM_PARAMS, num_features=1)
OBSERVABLES = tuple(PauliSum("Z0") for _ in range(NUM_PARAMS))


def linear_loss(head, outputs, targets, weights):
    return jnp.sum(weights * (outputs @ SLOPE)) / jnp.sum(weights)


LINEAR = Objective(Echo(), ECHO_CIRCUIT, OBSERVABLES, linear_loss)


def numbered_batch(num_samples, num_padded=0) -> Batch:
    """Samples whose targets are their numbers; padding has the number -1."""
    targets = np.append(np.arange(num_samples), -np.ones(num_padded))
    weights = np.append(np.ones(num_samples), np.zeros(num_padded))
    return Batch(*(jnp.asarray(array, jnp.float32) for array in (targets[:, None], targets, weights)))


def estimates(method, objective, params, batch, num_keys):
    """Gradient, state and info for many keys."""

    @jax.jit
    @jax.vmap
    def estimate(key):
        return method.estimate(method.init(params), objective, params, batch, key)

    return estimate(jax.random.split(jax.random.key(0), num_keys))


@pytest.mark.parametrize("num_directions", [1, 4])
def test_mean_and_variance_on_a_linear_loss(num_directions):
    """E[g_hat] = g and E|g_hat - g|^2 = (p - 1)|g|^2, the latter shared by the directions."""
    num_keys = 20_000
    method = spsa(num_directions=num_directions)
    gradient, _, _ = estimates(method, LINEAR, Params(jnp.asarray(THETA)), numbered_batch(2), num_keys)
    samples = np.asarray(gradient.circuit).astype(float)
    error = samples.std(axis=0) / np.sqrt(num_keys)
    assert np.all(np.abs(samples.mean(axis=0) - SLOPE) < 4 * error)
    squares = np.sum((samples - SLOPE) ** 2, axis=1)
    expected = (NUM_PARAMS - 1) * np.sum(SLOPE**2) / num_directions
    assert abs(squares.mean() - expected) < 4 * squares.std() / np.sqrt(num_keys)


def test_the_mean_tends_to_the_gradient_of_a_circuit():
    num_keys = 5000
    point, samples = params(), batch(3)
    exact = adjoint().estimate((), objective(), point, samples, jax.random.key(0))[0]
    gradient, _, _ = estimates(spsa(perturbation=0.02), objective(), point, samples, num_keys)
    ours = np.asarray(gradient.circuit).astype(float)
    # The bias is of order c^2 = 4e-4, the rounding of losses in single precision over 2 c about 1e-5.
    bound = 4 * ours.std(axis=0) / np.sqrt(num_keys) + 2e-3
    assert np.all(np.abs(ours.mean(axis=0) - exact.circuit) < bound)
    assert np.all(bound < 0.1)


def test_directions_are_fair_and_independent():
    num_keys = 5000
    _, _, info = estimates(
        spsa(num_directions=2), LINEAR, Params(jnp.asarray(THETA)), numbered_batch(1), num_keys
    )
    outputs = np.asarray(info.measured.outputs)  # [keys, 2 directions x 2 signs, P]
    signs = np.sign(outputs[:, 0::2] - THETA).reshape(num_keys, -1)
    np.testing.assert_array_equal(signs.reshape(num_keys, 2, -1), -np.sign(outputs[:, 1::2] - THETA))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    correlation = signs.T @ signs / num_keys
    assert np.abs(signs.mean(axis=0)).max() < 4.5 / np.sqrt(num_keys)
    assert np.abs(correlation - np.eye(len(correlation))).max() < 4.5 / np.sqrt(num_keys)


@pytest.mark.parametrize(("perturbation", "gamma"), [(0.2, 0.101), (0.05, 0.5)])
def test_the_perturbation_decays_as_spall_says(perturbation, gamma):
    method, point = spsa(perturbation, gamma=gamma), Params(jnp.asarray(THETA))

    def step(state, key):
        _, state, info = method.estimate(state, LINEAR, point, numbered_batch(1), key)
        return state, jnp.abs(info.measured.outputs - THETA)

    state, sizes = jax.lax.scan(step, method.init(point), jax.random.split(jax.random.key(0), 50))
    expected = perturbation / (np.arange(50) + 1.0) ** gamma
    np.testing.assert_allclose(
        sizes, np.broadcast_to(expected[:, None, None], sizes.shape), rtol=2e-4, atol=1e-6
    )
    assert int(state.iteration) == 50


def test_the_loss_is_the_mean_of_the_perturbed_ones():
    gradient, _, info = estimates(spsa(), LINEAR, Params(jnp.asarray(THETA)), numbered_batch(2), 10)
    # On a linear loss the perturbations cancel.
    np.testing.assert_allclose(info.loss, np.full(10, THETA @ SLOPE), rtol=1e-5)
    assert not np.any(info.at_params)
    assert gradient.head == ()


@pytest.mark.parametrize("size", [1, 3])
def test_subsamples_are_uniform_real_and_without_repeats(size):
    num_keys, num_samples = 3000, 6
    method = spsa(num_directions=2, subsample_size=size)
    _, _, info = estimates(
        method, LINEAR, Params(jnp.asarray(THETA)), numbered_batch(num_samples, 3), num_keys
    )
    drawn = np.asarray(info.measured.targets).astype(int).reshape(num_keys, 2, 2, size)  # direction, sign
    assert drawn.min() >= 0
    np.testing.assert_array_equal(drawn[:, :, 0], drawn[:, :, 1])  # both signs see the same samples
    sets = np.sort(drawn[:, :, 0], axis=-1)
    assert np.all(np.diff(sets, axis=-1) > 0)
    assert np.any(sets[:, 0] != sets[:, 1])  # each direction draws its own
    # Every subset is equally likely.
    _, counts = np.unique(sets.reshape(-1, size), axis=0, return_counts=True)
    assert counts.size == math.comb(num_samples, size)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert np.all(np.asarray(info.circuits) == 4 * size)


def test_a_batch_with_fewer_real_samples_gives_all_of_them():
    for num_samples, num_padded in ((2, 4), (2, 0)):
        method = spsa(subsample_size=4)
        point = Params(jnp.asarray(THETA))
        gradient, _, info = estimates(method, LINEAR, point, numbered_batch(num_samples, num_padded), 50)
        targets, weights = np.asarray(info.measured.targets), np.asarray(info.measured.weights)
        for one_targets, one_weights in zip(targets, weights, strict=True):
            assert sorted(one_targets[one_weights > 0]) == [0, 0, 1, 1]
        assert np.all(np.asarray(info.circuits) == 4)
        assert np.all(np.isfinite(gradient.circuit))


def test_subsamples_average_to_the_gradient_of_the_batch():
    """With a subsample the estimate scatters more, but around the same gradient."""
    num_keys = 20_000
    circuit = Circuit(1, (Op("rx", (0,), Angle(param=0)), Op("ry", (0,), Angle(feature=0))))
    samples = Batch(jnp.linspace(-1, 1, 5)[:, None], jnp.array([1.0, -1.0, 2.0, 0.0, 3.0]), jnp.ones(5))

    def loss(head, outputs, targets, weights):
        return jnp.sum(weights * targets * outputs[:, 0]) / jnp.sum(weights)

    point = Params(jnp.array([0.8]))
    energy = Objective(Simulator(), circuit, (PauliSum("Z0"),), loss)
    whole, _, _ = estimates(spsa(), energy, point, samples, 1)
    drawn, _, _ = estimates(spsa(subsample_size=2), energy, point, samples, num_keys)
    ours = np.asarray(drawn.circuit).astype(float)
    # With one parameter the sign cancels: all scatter is the subsample's.
    assert ours.std() > 0.05
    assert abs(ours.mean() - whole.circuit[0, 0]) < 4 * ours.std() / np.sqrt(num_keys)


@pytest.mark.parametrize(
    ("options", "circuits"),
    [
        ({}, 20),
        ({"subsample_size": 2}, 4),
        ({"num_directions": 3, "subsample_size": 2}, 12),
        ({"subsample_size": 100}, 20),
    ],
)
def test_a_batch_of_ten_costs_two_circuits_a_sample_and_direction(options, circuits):
    method, point = spsa(**options), Params(jnp.asarray(THETA))
    _, _, info = estimates(method, LINEAR, point, numbered_batch(10), 1)
    assert info.measured.weights.shape == (1, circuits)
    assert (info.circuits.tolist(), info.jobs.tolist()) == ([circuits], [1])


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("perturbation", value) for value in (0.0, -0.1, float("nan"), float("inf"))),
        *(("num_directions", value) for value in (0, -1, 1.5, True)),
        *(("subsample_size", value) for value in (0, -1, 2.0, False)),
    ],
)
def test_bad_arguments_are_refused(argument, value):
    with pytest.raises(ArgumentError, match=rf"^Argument `{argument}` must .+, but .+\. .+\.$"):
        spsa(**{argument: value})
