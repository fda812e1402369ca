"""The host loop: chunks of steps, timed, bounded and handed to observers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from qjax.data import BatchLoader
from qjax.errors import QjaxError, StoppedError
from qjax.gradients import Batch
from qjax.train.observers import Chunk, Observer, SplitEvaluation
from qjax.train.step import Step, StepInfo, TrainState, scan_steps

CHUNK_SECONDS = 0.25
"""The most that a chunk should take. A killed run may lose one, and as much again that is being written."""
_MAX_STEPS = 2048
_MAX_BYTES = 2**26


class DivergedError(QjaxError, RuntimeError):
    """The loss is no longer a number, so training cannot go on."""


class StepTimeoutError(StoppedError):
    """A step took too long; what was done is checkpointed and can be resumed."""


Evaluate = Callable[[TrainState], tuple[SplitEvaluation, ...]]


@dataclass(frozen=True)
class LoopTimes:
    """Where the time went.

    Args:
        compile: seconds to trace and compile the steps.
        steps: seconds in steps and evaluations.
    """

    compile: float
    steps: float


def run_loop(
    step: Step,
    state: TrainState,
    loader: BatchLoader,
    observers: Sequence[Observer],
    *,
    evaluate: Evaluate,
    evaluate_every: int | None,
    timeout: float,
    stop_step: int | None = None,
) -> LoopTimes:
    """Trains from a state to the end of a loader's steps.

    Steps run inside one compiled scan, in chunks that take about a quarter of a second at most; the next
    chunk's batches are made meanwhile. Numbers do not depend on how steps fall into chunks.

    Args:
        step: the training step.
        state: where to start; its `step` says at which batch.
        loader: the batches.
        observers: called after every chunk.
        evaluate: evaluates a state.
        evaluate_every: steps between evaluations, which end a chunk; None for no evaluation.
        timeout: seconds that a step may take.
        stop_step: the step before which to stop; None for the end of the loader's steps.

    Returns:
        Where the time went; what came of it, the observers saw.

    Raises:
        DivergedError: if the loss is no longer finite.
        StepTimeoutError: if a step took longer than `timeout`.
    """
    position = int(state.step)
    end = loader.num_steps if stop_step is None else min(stop_step, loader.num_steps)
    if position >= end:
        return LoopTimes(0.0, 0.0)
    capacity = _capacity(loader, evaluate_every)
    started = time.perf_counter()
    batches, indices = _batches(loader, position, capacity)
    scan = jax.jit(scan_steps(step)).lower(state, batches, np.int32(1)).compile()
    compiled = time.perf_counter()
    count, pace = 1, 0.0
    while position < end:
        left = end - position
        if evaluate_every is not None:
            left = min(left, evaluate_every - position % evaluate_every)
        count = min(count, left, capacity)
        following = position + count
        if following < end:
            loader.prefetch(following, capacity)
        begin = time.perf_counter()
        state, infos = jax.block_until_ready(scan(state, batches, np.int32(count)))
        seconds = time.perf_counter() - begin
        infos = jax.tree.map(lambda array, n=count: np.asarray(array)[:n], infos)
        check_finite(infos, position)
        due = evaluate_every is not None and following % evaluate_every == 0
        evaluations = evaluate(state) if due else ()
        for evaluation in evaluations:
            if not math.isfinite(evaluation.loss):
                raise diverged(f"{evaluation.split} loss after step {following - 1}", evaluation.loss)
        used = indices[:count]
        chunk = Chunk(position, loader.steps_per_epoch, infos, seconds, state, used, evaluations)
        for observer in observers:
            observer.on_chunk(chunk)
        if seconds > timeout * count and following < end:
            raise StepTimeoutError(
                f"Step {position} took {seconds / count:.3g} s, and `batch_submission_timeout` is "
                f"{timeout:g} s, so the run stopped after its checkpoint. Raise the timeout and resume it."
            )
        position = following
        pace = max(seconds / count, 1e-6)
        # Grow by doubling: the first chunks also warm caches, and their pace misleads.
        count = max(1, min(2 * count, int(CHUNK_SECONDS / pace)))
        if position < end:
            batches, indices = _batches(loader, position, capacity)
    return LoopTimes(compiled - started, time.perf_counter() - compiled)


def _batches(loader: BatchLoader, position: int, capacity: int) -> tuple[Batch, np.ndarray]:
    chunk = loader.chunk(position, capacity)
    return Batch(*jax.device_put((chunk.features, chunk.targets, chunk.weights))), chunk.indices


def _capacity(loader: BatchLoader, evaluate_every: int | None) -> int:
    """Steps of the scan: every chunk has this shape, whatever part of it is done."""
    one = loader.chunk(0, 1)
    bytes_per_step = sum(np.asarray(array).nbytes for array in one)
    longest = min(evaluate_every or loader.num_steps, loader.num_steps)
    return max(1, min(longest, _MAX_STEPS, _MAX_BYTES // bytes_per_step))


def check_finite(infos: StepInfo, first_step: int) -> None:
    """Ends a run whose numbers are none any more.

    Args:
        infos: entries `[n]` of consecutive steps.
        first_step: index of the first.

    Raises:
        DivergedError: if a loss or a gradient is not finite.
    """
    # A gradient that is not finite spoils the parameters, even where the loss of its step was still a number.
    for name, values in (("loss", infos.loss), ("gradient norm", infos.gradient_norm)):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size:
            raise diverged(f"{name} of step {first_step + int(bad[0])}", float(values[bad[0]]))


def diverged(what: str, value: float) -> DivergedError:
    """The error that says so, to be raised."""
    return DivergedError(
        f"The {what} is {value}, so training cannot go on. Lower `learning_rate`, or look for extreme values "
        "in the data."
    )
