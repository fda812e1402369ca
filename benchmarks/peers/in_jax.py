"""What peers written in JAX share: the tasks from the expectation value of one circuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers.peer import Call
from benchmarks.problem import Problem

Values = Callable[[Any, Any], Any]
"""From parameter sets `[S, P]` and features `[B, F]` to values `[S, B]`."""


def warm_up() -> None:
    """Compiles and runs something unrelated."""
    jax.block_until_ready(jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3))))
    jax.block_until_ready(jax.jit(jax.grad(lambda x: jnp.sum(x**3)))(jnp.ones(3)))


def mapped(expectation: Callable[[Any, Any], Any]) -> Values:
    """From the value of one circuit, of `params[P]` and `features[F]`, to those of S x B."""
    return jax.vmap(jax.vmap(expectation, (None, 0)), (0, None))


def compiled(values: Values, problem: Problem, dtype: Any = np.float32) -> Call:
    """The task as one jitted function of all its numbers.

    Args:
        values: the values of a grid of circuits.
        problem: the problem.
        dtype: of the numbers.

    Returns:
        The call; it waits for the result.
    """
    task = problem.cell.task

    def losses(sets: Any, features: Any, targets: Any) -> Any:
        return jnp.mean((values(sets, features) - targets) ** 2, axis=-1)

    def run(sets: Any, features: Any, targets: Any) -> Any:
        if task == "spsa":
            return losses(sets, features, targets)
        if task == "pshift":
            return values(sets, features)
        return jax.value_and_grad(lambda params: losses(params[None], features, targets)[0])(sets[0])[1]

    jitted = jax.jit(run)
    numbers = [
        jax.device_put(np.asarray(array, dtype))
        for array in (problem.sets, problem.features, problem.targets)
    ]
    return lambda: jitted(*numbers).block_until_ready()
