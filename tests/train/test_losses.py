"""Losses and scores against scikit-learn and textbook formulas; what weights and padding mean."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, hinge_loss, log_loss, mean_squared_error, r2_score

from qjax.errors import ArgumentError
from qjax.train import heads
from qjax.train.losses import classes, loss_function, score_function

from ..messages import check_message

pytestmark = pytest.mark.usefixtures("quick_compilation")


LOSSES = [
    *[("binary", name) for name in ("cross_entropy", "hinge", "squared_error", "huber")],
    *[("multiclass", name) for name in ("cross_entropy", "hinge", "squared_error", "huber")],
    *[("regression", name) for name in ("squared_error", "huber")],
]
NUM_CLASSES = {"binary": 2, "multiclass": 4, "regression": 0}
WEIGHTS = hnp.arrays(np.float32, 8, elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0]))


def sample(task: Any, seed: int, size: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Random predictions `[size, C]` and targets `[size]`."""
    random = np.random.default_rng(seed)
    columns = 4 if task == "multiclass" else 1
    predictions = random.normal(scale=1.5, size=(size, columns)).astype(np.float32)
    if task == "regression":
        return predictions, random.normal(size=size).astype(np.float32)
    targets = np.concatenate([np.arange(NUM_CLASSES[task]), random.integers(0, NUM_CLASSES[task], size)])
    return predictions, targets[:size].astype(np.int32)


def huber(distance: np.ndarray) -> np.ndarray:
    return np.where(np.abs(distance) <= 1, distance**2 / 2, np.abs(distance) - 0.5)


def reference(task: str, name: str, predictions: np.ndarray, targets: np.ndarray) -> float:
    """The loss by scikit-learn where it has it, else by its formula."""
    if task == "regression":
        if name == "squared_error":
            return mean_squared_error(targets, predictions[:, 0])
        return huber(predictions[:, 0] - targets).mean()
    if name == "cross_entropy":
        if task == "binary":
            return log_loss(targets, 1 / (1 + np.exp(-predictions[:, 0].astype(float))))
        exponentials = np.exp(predictions.astype(float))
        return log_loss(targets, exponentials / exponentials.sum(axis=1, keepdims=True), labels=range(4))
    if task == "binary":
        if name == "hinge":
            return hinge_loss(targets, predictions[:, 0])
        distance = predictions[:, 0] - np.where(targets == 1, 1, -1)
        return (huber(distance) if name == "huber" else distance**2).mean()
    # One against all: the sum over the classes of the binary loss.
    return sum(reference("binary", name, predictions[:, [c]], (targets == c).astype(int)) for c in range(4))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("task", "name"), LOSSES)
def test_losses_agree_with_their_definitions(task: Any, name: str, seed: int) -> None:
    predictions, targets = sample(task, seed)
    value = loss_function(name, task)(jnp.asarray(predictions), jnp.asarray(targets), jnp.ones(len(targets)))
    np.testing.assert_allclose(value, reference(task, name, predictions, targets), rtol=2e-6)


@pytest.mark.parametrize("task", NUM_CLASSES)
def test_scores_agree_with_scikit_learn(task: Any) -> None:
    predictions, targets = sample(task, 7, size=50)
    value = score_function(task)(jnp.asarray(predictions), jnp.asarray(targets), jnp.ones(50))
    if task == "regression":
        np.testing.assert_allclose(value, r2_score(targets, predictions[:, 0]), rtol=1e-5)
    else:
        chosen = predictions[:, 0] > 0 if task == "binary" else predictions.argmax(axis=1)
        assert float(value) == pytest.approx(accuracy_score(targets, chosen))
        np.testing.assert_array_equal(classes(jnp.asarray(predictions)), chosen)


@pytest.mark.parametrize(("task", "name"), LOSSES)
def test_a_loss_is_the_mean_over_samples_by_their_weights(task: Any, name: str) -> None:
    loss = jax.jit(loss_function(name, task))
    by_sample = jax.jit(jax.vmap(loss_function(name, task), in_axes=(None, None, 0)))

    @settings(deadline=None)
    @given(weights=WEIGHTS, seed=st.integers(0, 99))
    def check(weights: np.ndarray, seed: int) -> None:
        predictions, targets = sample(task, seed, size=8)
        # A weight on one sample alone gives that sample's loss; without any weight the loss is zero.
        each = np.asarray(by_sample(predictions, targets, np.eye(8, dtype=np.float32)))
        expected = np.average(each, weights=weights) if weights.any() else 0
        np.testing.assert_allclose(loss(predictions, targets, weights), expected, rtol=1e-5, atol=1e-6)

    check()


@pytest.mark.parametrize("task", NUM_CLASSES)
def test_a_score_weighs_samples_as_scikit_learn_does(task: Any) -> None:
    score = jax.jit(score_function(task))

    @settings(deadline=None)
    @given(weights=WEIGHTS, seed=st.integers(0, 99))
    def check(weights: np.ndarray, seed: int) -> None:
        predictions, targets = sample(task, seed, size=8)
        value = float(score(predictions, targets, weights))
        if task != "regression":
            right = np.asarray(classes(jnp.asarray(predictions))) == targets
            assert value == pytest.approx(np.average(right, weights=weights) if weights.any() else 0)
        elif (weights > 0).sum() > 1:
            expected = r2_score(targets, predictions[:, 0], sample_weight=weights)
            assert value == pytest.approx(expected, rel=1e-3, abs=1e-3)
        else:
            assert np.isfinite(value)

    check()


@pytest.mark.parametrize(("task", "name"), LOSSES)
def test_gradients_are_finite_even_where_all_weights_are_zero(task: Any, name: str) -> None:
    predictions, targets = sample(task, 0, size=8)
    for weights in (jnp.zeros(8), jnp.ones(8).at[3:].set(0)):
        gradient = jax.grad(loss_function(name, task))(
            100 * jnp.asarray(predictions), jnp.asarray(targets), weights
        )
        assert np.isfinite(gradient).all()
        assert not gradient[np.asarray(weights) == 0].any()


def test_a_loss_that_a_task_does_not_have_is_refused() -> None:
    for task, name in (("regression", "cross_entropy"), ("regression", "hinge"), ("binary", "hinges")):
        with pytest.raises(ArgumentError) as caught:
            loss_function(name, task)  # pyright: ignore[reportArgumentType]
        check_message(caught.value, "loss")
    assert loss_function(None, "regression")(jnp.ones((1, 1)), jnp.zeros(1), jnp.ones(1)) == 1


def test_a_linear_head_is_an_affine_map_and_starts_at_the_scale_of_its_inputs() -> None:
    head = heads.linear(400, 3, jnp.float32)
    params = head.init(jax.random.key(0))
    outputs = np.random.default_rng(0).normal(size=(5, 400)).astype(np.float32)
    expected = outputs @ np.asarray(params.weights) + np.asarray(params.bias)
    np.testing.assert_allclose(head.apply(params, jnp.asarray(outputs)), expected, rtol=1e-4, atol=1e-5)
    assert float(params.weights.std()) == pytest.approx(400**-0.5, rel=0.1)
    assert not params.bias.any()


def test_without_a_head_outputs_are_predictions_and_must_be_as_many() -> None:
    head = heads.identity(3, 3)
    outputs = jnp.arange(6.0).reshape(2, 3)
    assert (head.apply(head.init(jax.random.key(0)), outputs) == outputs).all()
    with pytest.raises(ArgumentError) as caught:
        heads.identity(2, 1)
    check_message(caught.value, "observables")
