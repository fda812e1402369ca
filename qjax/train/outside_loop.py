"""The host loop for executors outside of JAX: steps one by one, as many in flight as allowed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from qjax.data import BatchLoader
from qjax.gradients import Batch
from qjax.train import loop
from qjax.train.loop import Evaluate, LoopTimes, StepTimeoutError, check_finite, diverged
from qjax.train.observers import Chunk, Observer, SplitEvaluation
from qjax.train.outside import OutsideStep, Pipeline
from qjax.train.step import StepInfo, TrainState


def run_outside_loop(
    step: OutsideStep,
    state: TrainState,
    loader: BatchLoader,
    observers: Sequence[Observer],
    *,
    evaluate: Evaluate,
    evaluate_every: int | None,
    timeout: float,
    stop_step: int | None = None,
) -> LoopTimes:
    """Trains from a state to the end of a loader's steps, as `run_loop` does.

    The next step is sent before observers see the last one, so that a service is never kept waiting. However
    the loop ends, observers have seen every step that was done.

    Args:
        step: the training step.
        state: where to start; its `step` says at which batch.
        loader: the batches.
        observers: called after every chunk: steps of a quarter of a second, or one longer step.
        evaluate: evaluates a state.
        evaluate_every: steps between evaluations, which end a chunk; None for no evaluation.
        timeout: seconds to wait for a step's results.
        stop_step: the step before which to stop; None for the end of the loader's steps.

    Returns:
        Where the time went: until the first circuits were sent, and from then on.

    Raises:
        DivergedError: if the loss is no longer finite.
        StepTimeoutError: if a step's results did not come in time.
    """
    position = int(state.step)
    num_steps = loader.num_steps if stop_step is None else min(stop_step, loader.num_steps)
    if position >= num_steps:
        return LoopTimes(0.0, 0.0)
    started = time.perf_counter()
    pipeline = Pipeline(step, state, lambda index: batch_at(loader, index), num_steps)
    sent = time.perf_counter()
    chunk = _OpenChunk(position, loader, observers)
    try:
        while position < num_steps:
            try:
                state, info = pipeline.land(state, timeout)
            except TimeoutError:
                raise StepTimeoutError(
                    f"The results of step {position} did not come within {timeout:g} s "
                    "(`batch_submission_timeout`), so the run stopped, checkpointed. Go on with "
                    "`qjax train --resume latest`, which fetches them."
                ) from None
            info = jax.tree.map(np.asarray, info)
            check_finite(jax.tree.map(np.atleast_1d, info), position)
            position += 1
            pipeline.fill(state)
            evaluations = ()
            due = evaluate_every is not None and position % evaluate_every == 0
            if due:
                # Without its evaluation the step is not done: who resumes the run shall find it to do.
                chunk.close()
                evaluations = evaluate(state)
                for evaluation in evaluations:
                    if not math.isfinite(evaluation.loss):
                        raise diverged(f"{evaluation.split} loss after step {position - 1}", evaluation.loss)
            chunk.add(state, info)
            if due:
                chunk.close(evaluations)
            elif chunk.seconds >= loop.CHUNK_SECONDS:
                chunk.close()
    finally:
        chunk.close()
    return LoopTimes(sent - started, time.perf_counter() - sent)


def batch_at(loader: BatchLoader, step: int) -> Batch:
    """The batch of a step."""
    chunk = loader.chunk(step, 1)
    return Batch(*(jnp.asarray(array[0]) for array in (chunk.features, chunk.targets, chunk.weights)))


class _OpenChunk:
    """Steps that were done and that no observer has seen yet."""

    def __init__(self, first_step: int, loader: BatchLoader, observers: Sequence[Observer]):
        self._first_step = first_step
        self._loader = loader
        self._observers = observers
        self._infos: list[StepInfo] = []
        self._state: TrainState | None = None
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def add(self, state: TrainState, info: StepInfo) -> None:
        self._infos.append(info)
        self._state = state

    def close(self, evaluations: tuple[SplitEvaluation, ...] = ()) -> None:
        if self._state is None:
            return
        infos: StepInfo = jax.tree.map(lambda *values: np.stack(values), *self._infos)
        first, loader = self._first_step, self._loader
        indices = loader.indices(first, len(self._infos))
        chunk = Chunk(first, loader.steps_per_epoch, infos, self.seconds, self._state, indices, evaluations)
        # First of all: an observer that raises must not be called again for the same steps.
        self._first_step, self._infos, self._state = chunk.next_step, [], None
        self._began = time.perf_counter()
        for observer in self._observers:
            observer.on_chunk(chunk)
