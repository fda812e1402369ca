"""The classical map from measured outputs to predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from qjax.errors import ArgumentError


class Linear(NamedTuple):
    """Parameters of a linear head.

    Attributes:
        weights: `[O, C]`, real.
        bias: `[C]`, real.
    """

    weights: Array
    bias: Array


class Head(NamedTuple):
    """A head as a pair of pure functions.

    Attributes:
        init: from a key to the head's parameters, a pytree.
        apply: from the parameters and outputs `[B, O]` to predictions `[B, C]`.
    """

    init: Callable[[Array], Any]
    apply: Callable[[Any, Array], Array]


def linear(num_outputs: int, num_predictions: int, dtype: Any) -> Head:
    """`outputs @ weights + bias`, trained.

    Args:
        num_outputs: O, the number of observables.
        num_predictions: C.
        dtype: real dtype of the parameters.

    Returns:
        The head; weights start normal with variance 1 / O, the bias at zero.

    Example:
        >>> head = linear(2, 1, jnp.float32)
        >>> head.apply(Linear(jnp.ones((2, 1)), jnp.zeros(1)), jnp.ones((3, 2))).shape
        (3, 1)
    """

    def init(key: Array) -> Linear:
        scale = num_outputs**-0.5
        weights = scale * jax.random.normal(key, (num_outputs, num_predictions), dtype)
        return Linear(weights, jnp.zeros(num_predictions, dtype))

    return Head(init, lambda params, outputs: outputs @ params.weights + params.bias)


def identity(num_outputs: int, num_predictions: int) -> Head:
    """No head: the outputs are the predictions.

    Args:
        num_outputs: O, the number of observables.
        num_predictions: C, which must equal O.

    Returns:
        The head; its parameters are `()`.

    Raises:
        ArgumentError: if the numbers differ.
    """
    if num_outputs != num_predictions:
        raise ArgumentError(
            "observables",
            f"be {num_predictions} in number where there is no head",
            f"there are {num_outputs}",
            'Name as many Pauli strings, such as ["Z0"], or set `head` to linear.',
        )

    def init(key: Array) -> tuple[()]:
        del key
        return ()

    def apply(params: tuple[()], outputs: Array) -> Array:
        del params
        return outputs

    return Head(init, apply)
