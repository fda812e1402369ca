"""One training step as a pure function, and many of them as one compiled scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from qjax.gradients import Batch, GradientInfo, GradientMethod, Measured, Objective, Params


class TrainState(NamedTuple):
    """What the next step needs.

    Attributes:
        params: the parameters.
        optimizer: the optimizer's state.
        gradient: the gradient method's state.
        key: the run's PRNG key; step k uses `fold_in(key, k)`.
        step: int32 scalar: steps done.
        earlier: the parameters of the last d steps, oldest first, each leaf `[d, ...]`, where gradients come
            d steps late; else `()`.
    """

    params: Params
    optimizer: optax.OptState
    gradient: Any
    key: Array
    step: Array
    earlier: Any = ()


class StepInfo(NamedTuple):
    """What a person needs to know of a step; scalars.

    Attributes:
        loss: the batch's loss, where the gradient was taken: at the parameters or the mean over the perturbed
            ones.
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
Score = Callable[[Params, Measured], Array]


def init_state(
    params: Params,
    method: GradientMethod,
    optimizer: optax.GradientTransformation,
    key: Array,
    depth: int = 0,
) -> TrainState:
    """The state before the first step.

    Args:
        params: the initial parameters.
        method: estimates gradients.
        optimizer: turns gradients into updates.
        key: the run's PRNG key.
        depth: how many steps late gradients come; the first ones are taken at the initial
            parameters.

    Returns:
        The state.
    """
    earlier = ()
    if depth:
        earlier = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (depth, *leaf.shape)), params)
    optimizer_state, gradient_state = optimizer.init(params), method.init(params)
    return TrainState(params, optimizer_state, gradient_state, key, jnp.zeros((), jnp.int32), earlier)


def params_ahead(state: TrainState, ahead: int = 0) -> Params:
    """The parameters at which a coming step takes its gradient, known already.

    Args:
        state: the state before step t, with gradients that come d steps late.
        ahead: which step: t + ahead, where `ahead` is at most d.

    Returns:
        The parameters of step t + ahead - d.
    """
    if ahead == pipeline_depth(state):
        return state.params
    return jax.tree.map(lambda leaf: leaf[ahead], state.earlier)


def pipeline_depth(state: TrainState) -> int:
    """How many steps late the gradients of a state come."""
    leaves = jax.tree.leaves(state.earlier)
    return len(leaves[0]) if leaves else 0


def make_step(
    objective: Objective, method: GradientMethod, optimizer: optax.GradientTransformation, score: Score
) -> Step:
    """Builds the step.

    Args:
        objective: the loss of a batch.
        method: estimates its gradient.
        optimizer: turns gradients into updates.
        score: from parameters and measured outputs to a score.

    Returns:
        A pure function `(state, batch) -> (state, info)`. Where the state keeps the parameters of earlier
        steps, the gradient is taken at the oldest of them.
    """
    advance = make_advance(optimizer, score)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        at = params_ahead(state)
        gradient, gradient_state, info = method.estimate(
            state.gradient, objective, at, batch, step_key(state.key, state.step)
        )
        return advance(state, at, gradient, gradient_state, info)

    return step


def step_key(key: Array, step: Array | int) -> Array:
    """The PRNG key of a step."""
    return jax.random.fold_in(key, step)


def make_advance(
    optimizer: optax.GradientTransformation, score: Score
) -> Callable[[TrainState, Params, Params, Any, GradientInfo], tuple[TrainState, StepInfo]]:
    """Builds the second half of a step: what is done with a gradient.

    Args:
        optimizer: turns gradients into updates.
        score: from parameters and measured outputs to a score.

    Returns:
        A pure function of the state, the parameters at which the gradient was taken, the gradient, the
        gradient method's next state and its info, to the next state and the step's info.
    """
    update = optax.with_extra_args_support(optimizer).update

    def advance(
        state: TrainState, at: Params, gradient: Params, gradient_state: Any, info: GradientInfo
    ) -> tuple[TrainState, StepInfo]:
        updates, optimizer_state = update(gradient, state.optimizer, state.params, value=info.loss)
        params: Any = optax.apply_updates(state.params, updates)
        earlier = jax.tree.map(
            lambda ring, leaf: jnp.concatenate([ring[1:], leaf[None]]),
            state.earlier,
            state.params if jax.tree.leaves(state.earlier) else (),
        )
        report = StepInfo(
            loss=info.loss,
            gradient_norm=optax.tree.norm(gradient),
            score=score(at, info.measured),
            circuits=info.circuits,
            jobs=info.jobs,
        )
        after = TrainState(params, optimizer_state, gradient_state, state.key, state.step + 1, earlier)
        return after, report

    return advance


def scan_steps(step: Step) -> Callable[[TrainState, Batch, Array], tuple[TrainState, StepInfo]]:
    """Many steps as one scan, of which the first so many are done.

    The number of steps is an argument, not a shape, so one compilation serves chunks of every length.

    Args:
        step: the step.

    Returns:
        A function of the state, batches `[L, B, ...]` and an int32 count to the state after `count` steps and
        infos `[L]`, of which those from `count` on are zero.
    """
    step = jax.jit(step, inline=True)  # to be traced once, for its shapes and for the scan

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
