"""One training step as a pure function, and many of them as one compiled scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from qjax.gradients import Batch, GradientMethod, Measured, Objective, Params


class TrainState(NamedTuple):
    """What the next step needs.

    Attributes:
        params: the parameters.
        optimizer: the optimizer's state.
        gradient: the gradient method's state.
        key: the run's PRNG key; step k uses `fold_in(key, k)`.
        step: int32 scalar: steps done.
    """

    params: Params
    optimizer: optax.OptState
    gradient: Any
    key: Array
    step: Array


class StepInfo(NamedTuple):
    """What a person needs to know of a step; scalars.

    Attributes:
        loss: the batch's loss, at the parameters or the mean over the perturbed ones.
        gradient_norm: Euclidean norm of the gradient, head included.
        score: accuracy on the batch (R^2 in regression), from the outputs that the gradient measured.
        circuits: int32: circuits executed.
        jobs: int32: submissions.
    """

    loss: Array
    gradient_norm: Array
    score: Array
    circuits: Array
    jobs: Array


Step = Callable[[TrainState, Batch], tuple[TrainState, StepInfo]]


def init_state(
    params: Params, method: GradientMethod, optimizer: optax.GradientTransformation, key: Array
) -> TrainState:
    """The state before the first step."""
    return TrainState(params, optimizer.init(params), method.init(params), key, jnp.zeros((), jnp.int32))


def make_step(
    objective: Objective,
    method: GradientMethod,
    optimizer: optax.GradientTransformation,
    score: Callable[[Params, Measured], Array],
) -> Step:
    """Builds the step.

    Args:
        objective: the loss of a batch.
        method: estimates its gradient.
        optimizer: turns gradients into updates.
        score: from parameters and measured outputs to a score.

    Returns:
        A pure function `(state, batch) -> (state, info)`.
    """
    update = optax.with_extra_args_support(optimizer).update

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        key = jax.random.fold_in(state.key, state.step)
        gradient, gradient_state, info = method.estimate(state.gradient, objective, state.params, batch, key)
        updates, optimizer_state = update(gradient, state.optimizer, state.params, value=info.loss)
        params: Any = optax.apply_updates(state.params, updates)
        report = StepInfo(
            loss=info.loss,
            gradient_norm=optax.tree.norm(gradient),
            score=score(state.params, info.measured),
            circuits=info.circuits,
            jobs=info.jobs,
        )
        return TrainState(params, optimizer_state, gradient_state, state.key, state.step + 1), report

    return step


def scan_steps(step: Step) -> Callable[[TrainState, Batch, Array], tuple[TrainState, StepInfo]]:
    """Many steps as one scan, of which the first so many are done.

    The number of steps is an argument, not a shape, so one compilation serves chunks of every length.

    Args:
        step: the step.

    Returns:
        A function of the state, batches `[L, B, ...]` and an int32 count to the state after `count` steps and
        infos `[L]`, of which those from `count` on are zero.
    """

    def scan(state: TrainState, batches: Batch, count: Array) -> tuple[TrainState, StepInfo]:
        _, shapes = jax.eval_shape(step, state, jax.tree.map(lambda array: array[0], batches))
        nothing = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)

        def skip(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
            del batch
            return state, nothing

        def body(state: TrainState, item: tuple[Array, Batch]) -> tuple[TrainState, StepInfo]:
            index, batch = item
            return lax.cond(index < count, step, skip, state, batch)

        length = batches.weights.shape[0]
        return lax.scan(body, state, (jnp.arange(length), batches))

    return scan
