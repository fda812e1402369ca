"""Losses from a model's predictions, and scores for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jax import Array

from qjax.errors import ArgumentError

Task = Literal["binary", "multiclass", "regression"]
"""What is predicted: one of two classes, one of more, or a number."""


def _signs(targets: Array, dtype) -> Array:
    return 2 * targets.astype(dtype) - 1


def _binary(name: str, logits: Array, targets: Array) -> Array:
    margin = logits[:, 0]
    match name:
        case "cross_entropy":
            return optax.sigmoid_binary_cross_entropy(margin, targets.astype(margin.dtype))
        case "hinge":
            return optax.hinge_loss(margin, _signs(targets, margin.dtype))
        case "huber":
            return optax.huber_loss(margin, _signs(targets, margin.dtype))
        case _:
            return (margin - _signs(targets, margin.dtype)) ** 2


def _multiclass(name: str, logits: Array, targets: Array) -> Array:
    wanted = _signs(jax.nn.one_hot(targets, logits.shape[1]), logits.dtype)
    match name:
        case "cross_entropy":
            return optax.softmax_cross_entropy_with_integer_labels(logits, targets)
        case "hinge":
            return jnp.sum(optax.hinge_loss(logits, wanted), axis=1)
        case "huber":
            return jnp.sum(optax.huber_loss(logits, wanted), axis=1)
        case _:
            return jnp.sum((logits - wanted) ** 2, axis=1)


def _regression(name: str, predictions: Array, targets: Array) -> Array:
    if name == "huber":
        return optax.huber_loss(predictions[:, 0], targets)
    return (predictions[:, 0] - targets) ** 2


_BY_TASK: dict[Task, tuple[Callable[[str, Array, Array], Array], tuple[str, ...]]] = {
    "binary": (_binary, ("cross_entropy", "hinge", "squared_error", "huber")),
    "multiclass": (_multiclass, ("cross_entropy", "hinge", "squared_error", "huber")),
    "regression": (_regression, ("squared_error", "huber")),
}


def loss_function(name: str | None, task: Task) -> Callable[[Array, Array, Array], Array]:
    """The weighted mean loss of a task.

    Args:
        name: "cross_entropy", "hinge", "squared_error" or "huber"; None for the task's usual one.
        task: what is predicted.

    Returns:
        A function of predictions `[B, C]`, targets `[B]` and weights `[B]` to a scalar. Class indices are
        int32; margins are compared with -1 and +1. Where all weights are zero the loss is zero.

    Raises:
        ArgumentError: if the task has no such loss.

    Example:
        >>> loss = loss_function("squared_error", "binary")
        >>> loss(jnp.array([[0.5], [9.0]]), jnp.array([1, 0]), jnp.array([1.0, 0.0])).item()
        0.25
    """
    by_sample, names = _BY_TASK[task]
    chosen = name or names[0]
    if chosen not in names:
        raise ArgumentError(
            "loss", f"be one of {', '.join(names)} for {task} data", f"it is {name!r}", "Pick one of them."
        )

    def loss(predictions: Array, targets: Array, weights: Array) -> Array:
        return weighted_mean(by_sample(chosen, predictions, targets), weights)

    return loss


def score_function(task: Task) -> Callable[[Array, Array, Array], Array]:
    """What tells a person how good predictions are: accuracy, or R^2 in regression.

    Args:
        task: what is predicted.

    Returns:
        A function of predictions `[B, C]`, targets `[B]` and weights `[B]` to a scalar.

    Example:
        >>> score = score_function("binary")
        >>> score(jnp.array([[0.5], [-0.1]]), jnp.array([1, 1]), jnp.ones(2)).item()
        0.5
    """

    def accuracy(predictions: Array, targets: Array, weights: Array) -> Array:
        return weighted_mean((classes(predictions) == targets).astype(weights.dtype), weights)

    def r_squared(predictions: Array, targets: Array, weights: Array) -> Array:
        spread = weighted_mean((targets - weighted_mean(targets, weights)) ** 2, weights)
        error = weighted_mean((predictions[:, 0] - targets) ** 2, weights)
        return 1 - error / jnp.where(spread > 0, spread, 1)

    return r_squared if task == "regression" else accuracy


def classes(predictions: Array) -> Array:
    """The predicted class indices `[B]` for predictions `[B, C]`: by sign for C = 1, else the largest."""
    if predictions.shape[1] == 1:
        return (predictions[:, 0] > 0).astype(jnp.int32)
    return jnp.argmax(predictions, axis=1).astype(jnp.int32)


def weighted_mean(values: Array, weights: Array) -> Array:
    """`sum(values * weights) / sum(weights)`, zero where the weights are all zero."""
    total = jnp.sum(weights)
    return jnp.sum(values * weights) / jnp.where(total > 0, total, 1)
