"""One step: pure, blind to padding, and what one would compute by hand."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qjax import Simulator
from qjax.gradients import Batch, Params
from qjax.train.checkpoint import state_to_bytes
from qjax.train.prepare import Prepared, prepare
from qjax.train.run import initial_state

from .problems import METHODS, batch_at, same, step_of, tiny

pytestmark = pytest.mark.usefixtures("quick_compilation")


def with_other_padding(batch: Batch, seed: int) -> Batch:
    """The same samples with random numbers where the weight is zero."""
    random = np.random.default_rng(seed)
    is_padding = np.asarray(batch.weights) == 0
    assert is_padding.any()
    assert not is_padding.all()
    features, targets = np.array(batch.features), np.array(batch.targets)
    features[is_padding] = random.normal(size=features[is_padding].shape)
    targets[is_padding] = random.integers(0, 2, is_padding.sum())
    return Batch(jnp.asarray(features), jnp.asarray(targets), batch.weights)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_is_a_pure_function_that_padding_does_not_reach(method: str) -> None:
    prepared = prepare(tiny(**METHODS[method]))
    step, state, partial = step_of(prepared), initial_state(prepared), batch_at(prepared, 2)
    before = state_to_bytes(state)
    after, info = step(state, partial)
    assert state_to_bytes(state) == before != state_to_bytes(after)
    assert int(after.step) == 1
    for seed in range(3):
        again, other_info = step(state, with_other_padding(partial, seed) if seed else partial)
        assert state_to_bytes(again) == state_to_bytes(after)
        assert same(other_info, info)
    draws = "spsa" in method or "shots" in method
    for other in (state._replace(key=jax.random.key(99)), state._replace(step=state.step + 1)):
        differs, _ = step(other, partial)
        equal = jax.tree.map(np.array_equal, differs.params, after.params)
        assert all(jax.tree.leaves(equal)) == (not draws)


def mean_log_loss(prepared: Prepared, params: Params, features: Any, targets: Any) -> jax.Array:
    """The mean cross entropy of samples, by its textbook formula and one sample at a time."""
    model = prepared.model

    def one(x: jax.Array, y: jax.Array) -> jax.Array:
        outputs = Simulator().expectations(model.circuit, params.circuit[None], x[None], model.observables)
        logit = outputs.mean[0, 0] @ params.head.weights[:, 0] + params.head.bias[0]
        probability = 1 / (1 + jnp.exp(-logit))
        return -jnp.log(jnp.where(y == 1, probability, 1 - probability))

    return jnp.mean(jax.vmap(one)(features, targets))


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift"])
def test_a_partial_batch_gives_the_step_of_its_real_samples(method: str) -> None:
    prepared = prepare(tiny(gradient_method=method, learning_rate=0.5))
    state, batch = initial_state(prepared), batch_at(prepared, 2)
    is_real = np.asarray(batch.weights) == 1
    assert is_real.sum() == 6
    after, info = step_of(prepared)(state, batch)
    loss, gradient = jax.value_and_grad(mean_log_loss, argnums=1)(
        prepared, state.params, batch.features[is_real], batch.targets[is_real]
    )
    np.testing.assert_allclose(info.loss, loss, rtol=1e-5)
    expected = jax.tree.map(lambda p, g: p - 0.5 * g, state.params, gradient)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), after.params, expected)
    norm = np.sqrt(sum(float(jnp.sum(g**2)) for g in jax.tree.leaves(gradient)))
    np.testing.assert_allclose(info.gradient_norm, norm, rtol=1e-4)


def test_spsa_on_a_partial_batch_is_the_difference_quotient_of_its_real_samples() -> None:
    prepared = prepare(tiny(gradient_method="spsa_parallel", learning_rate=1.0))
    state, batch = initial_state(prepared), batch_at(prepared, 2)
    is_real = np.asarray(batch.weights) == 1
    after, info = step_of(prepared)(state, batch)
    update = np.asarray(state.params.circuit - after.params.circuit)
    # All components have the same size, so their signs are those of the perturbation, or all the opposite.
    signs, c = np.sign(update), prepared.config.perturbation
    losses = [
        float(
            mean_log_loss(
                prepared,
                state.params._replace(circuit=state.params.circuit + s * c * signs),
                batch.features[is_real],
                batch.targets[is_real],
            )
        )
        for s in (1, -1)
    ]
    np.testing.assert_allclose(update, (losses[0] - losses[1]) / (2 * c) * signs, atol=1e-5)
    np.testing.assert_allclose(info.loss, np.mean(losses), rtol=1e-5)


def test_the_seed_decides_everything() -> None:
    def start(seed: int) -> tuple[bytes, bytes]:
        prepared = prepare(tiny(seed=seed))
        return state_to_bytes(initial_state(prepared)), np.asarray(batch_at(prepared, 0).features).tobytes()

    assert start(1) == start(1)
    assert all(a != b for a, b in zip(start(1), start(2), strict=True))
