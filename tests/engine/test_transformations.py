"""Every JAX transformation of the plain engine gives the same numbers as doing without it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qjax import Angle, Circuit, Op, PauliSum, Simulator
from tests.engine.oracles import layered_circuit, mixed_circuit, num_lines

CIRCUIT = mixed_circuit()
OBSERVABLES = (PauliSum({"X0 Y1": 0.7, "Z2": 1.0}), PauliSum({"Y1": 0.4, "Z0 Z1 X2": -1.3}))
SIMULATOR = Simulator("xla", dtype="complex128")
EXACT = {"rtol": 0, "atol": 1e-11}


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def params():
    return jnp.asarray(np.random.default_rng(0).normal(size=(3, CIRCUIT.num_params)))


@pytest.fixture
def features():
    return jnp.asarray(np.random.default_rng(1).normal(size=(2, CIRCUIT.num_features)))


def values(params, features):
    """Expectation values `[O]` of one parameter set and one sample."""
    estimate = SIMULATOR.expectations(CIRCUIT, params[None], features[None], OBSERVABLES)
    return estimate.mean[0, 0]


def energy(params, features):
    return values(params, features) @ jnp.array([1.0, -0.5])


VALUES = jax.jit(values)
JACOBIANS = jax.jit(jax.jacrev(values, argnums=(0, 1)))
GRADIENT = jax.jit(jax.grad(energy))


def central_difference(function, point, step):
    """The derivative of a function along each axis of a point, on the last axis."""
    shifts = step * jnp.eye(point.size)
    return jnp.stack([(function(point + s) - function(point - s)) / (2 * step) for s in shifts], axis=-1)


def test_jit_vmap_and_batches(params, features):
    expected = np.array([[VALUES(p, x) for x in features] for p in params])
    np.testing.assert_allclose(values(params[0], features[0]), expected[0, 0], **EXACT)
    batch = SIMULATOR.expectations(CIRCUIT, params, features, OBSERVABLES)
    np.testing.assert_allclose(batch.mean, expected, **EXACT)
    over_params = jax.vmap(values, (0, None))
    over_features = jax.vmap(values, (None, 0))
    np.testing.assert_allclose(jax.jit(over_params)(params, features[0]), expected[:, 0], **EXACT)
    np.testing.assert_allclose(jax.jit(over_features)(params[0], features), expected[0], **EXACT)
    both = jax.jit(jax.vmap(values))
    np.testing.assert_allclose(both(params[:2], features), expected[[0, 1], [0, 1]], **EXACT)
    nested = jax.vmap(over_features, (0, None))
    np.testing.assert_allclose(jax.jit(nested)(params, features), expected, **EXACT)


def test_jacobians_agree_forward_and_backward_and_with_differences(params, features):
    p, x = params[0], features[0]
    backward = JACOBIANS(p, x)
    forward = jax.jit(jax.jacfwd(values, argnums=(0, 1)))(p, x)
    for ours, expected in zip(forward, backward, strict=True):
        np.testing.assert_allclose(ours, expected, **EXACT)
    by_params = central_difference(lambda p: VALUES(p, x), p, 1e-5)
    by_features = central_difference(lambda x: VALUES(p, x), x, 1e-5)
    np.testing.assert_allclose(backward[0], by_params, atol=1e-8)
    np.testing.assert_allclose(backward[1], by_features, atol=1e-8)


def test_hessian_agrees_with_differences_of_the_gradient(params, features):
    hessian = jax.jit(jax.hessian(energy))(params[0], features[0])
    expected = central_difference(lambda p: GRADIENT(p, features[0]), params[0], 1e-5)
    np.testing.assert_allclose(hessian, expected, atol=1e-8)
    np.testing.assert_allclose(hessian, hessian.T, **EXACT)


def test_grad_with_vmap_and_checkpoint(params, features):
    expected = np.array([GRADIENT(p, features[0]) for p in params])
    mapped = jax.jit(jax.vmap(jax.grad(energy), (0, None)))
    np.testing.assert_allclose(mapped(params, features[0]), expected, **EXACT)

    def total(params):
        return jnp.sum(jax.vmap(energy, (0, None))(params, features[0]))

    np.testing.assert_allclose(jax.jit(jax.grad(total))(params), expected, **EXACT)
    checkpointed = jax.jit(jax.grad(jax.checkpoint(energy)))
    np.testing.assert_allclose(checkpointed(params[0], features[0]), expected[0], **EXACT)


def test_grad_inside_scan(params, features):
    def step(carry, features):
        carry = carry - 0.1 * jax.grad(energy)(carry, features)
        return carry, carry

    samples = jnp.concatenate([features, features])
    _, path = jax.lax.scan(step, params[0], samples)
    point = params[0]
    for index, sample in enumerate(samples):
        point = point - 0.1 * GRADIENT(point, sample)
        np.testing.assert_allclose(path[index], point, **EXACT)


def test_the_gradient_of_a_batch_is_the_sum_over_its_circuits(params, features):
    weights = np.random.default_rng(2).normal(size=(3, 2, 2))

    def batch(params, features):
        estimate = SIMULATOR.expectations(CIRCUIT, params, features, OBSERVABLES)
        return jnp.sum(weights * estimate.mean)

    by_params, by_features = jax.jit(jax.grad(batch, argnums=(0, 1)))(params, features)
    single = [[JACOBIANS(p, x) for x in features] for p in params]
    expected_params = np.einsum("sbo,sbop->sp", weights, [[j[0] for j in row] for row in single])
    expected_features = np.einsum("sbo,sbof->bf", weights, [[j[1] for j in row] for row in single])
    np.testing.assert_allclose(by_params, expected_params, **EXACT)
    np.testing.assert_allclose(by_features, expected_features, **EXACT)


def test_probabilities_have_right_second_derivatives_where_amplitudes_vanish():
    # cos(t/2)^2 and sin(t/2)^2 at t = 0: the amplitude is zero there, its square is not flat.
    circuit = Circuit(1, (Op("rx", (0,), Angle(param=0)),))

    def probabilities(theta):
        return SIMULATOR.probabilities(circuit, theta[None, None])[0, 0]

    zero = jnp.zeros(())
    np.testing.assert_allclose(jax.jit(jax.jacrev(probabilities))(zero), [0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(jax.jit(jax.hessian(probabilities))(zero), [-0.5, 0.5], atol=1e-15)


def test_gradients_are_finite_at_special_angles():
    # Zeros and multiples of pi put exact zeros into amplitudes, where careless norms have no derivative.
    for value in (0.0, np.pi, 2 * np.pi):
        point = jnp.full(CIRCUIT.num_params, value), jnp.zeros(CIRCUIT.num_features)
        assert np.all(np.isfinite(GRADIENT(*point)))


@pytest.mark.parametrize("differentiate", [False, True])
def test_the_compiled_program_does_not_grow_with_depth(differentiate):
    def lines(num_layers):
        circuit = layered_circuit(3, num_layers)

        def function(params, features):
            estimate = SIMULATOR.expectations(circuit, params, features, PauliSum("Z0"))
            return jnp.sum(estimate.mean)

        function = jax.grad(function, argnums=(0, 1)) if differentiate else function
        return num_lines(function, jnp.zeros((2, circuit.num_params)), jnp.zeros((4, 3)))

    assert lines(2) == lines(64)
