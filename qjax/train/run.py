"""A training run and its record in the store: the one edge where effects happen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TypedDict

import jax

from qjax.errors import ArgumentError, StoppedError, StoreError
from qjax.executor import Executor
from qjax.store import EndStatus, RunRecord, RunStore
from qjax.store.answers import RunAnswers
from qjax.train.answers import RecordingExecutor
from qjax.train.checkpoint import state_from_bytes
from qjax.train.config import TrainingConfig
from qjax.train.evaluation import make_evaluation, run_keys
from qjax.train.loop import Evaluate, run_loop
from qjax.train.observers import Observer, SplitEvaluation
from qjax.train.optimizers import make_optimizer
from qjax.train.outside import make_outside_step
from qjax.train.outside_loop import run_outside_loop
from qjax.train.prepare import Prepared, dispatched, prepare
from qjax.train.recording import Recorder, begin_run, restore_tally
from qjax.train.result import Result, Tally, result_from, summary
from qjax.train.step import TrainState, init_state, make_step


def train(
    config: TrainingConfig,
    *,
    store: RunStore | None = None,
    resume: str | None = None,
    name: str = "train",
    observers: Sequence[Observer] = (),
    prepared: Prepared | None = None,
    started: Callable[[str], None] | None = None,
    executor_for: Callable[[str], Executor] | None = None,
) -> Result:
    """Trains a model and records the run.

    Args:
        config: the configuration.
        store: where to record it; None to record nothing.
        resume: id of a run of the store to go on with; `config` must be its configuration. Of a finished run
            the recorded result is returned.
        name: name of the run in the store.
        observers: called after every chunk, after the store.
        prepared: what `prepare(config)` gave, where it was called already.
        started: called with the run's id before its first step.
        executor_for: makes the executor from the run's id ("" without a store), for services that keep a
            journal of each run; None for the one that was prepared with.

    Returns:
        The result; the same for an unbroken run and for one that was resumed.

    Raises:
        QjaxError: if data, configuration or store cannot work, or training diverges.

    Example:
        >>> config = TrainingConfig(dataset="rings", num_samples=50, num_features=2, num_qubits=2)
        >>> train(config).gradient_circuits
        200
    """
    begun = time.perf_counter()
    prepared = prepared or prepare(config)
    if resume is not None:
        if store is None:
            raise ArgumentError(
                "store", "be given where a run is resumed", "it is None", "Open the one that holds the run."
            )
        record = store.run(resume)
        _check_config(config, record)
        resume = record.id
        if record.status == "finished":
            return result_from(record.summary or {}, prepared.model.task)
    tally = Tally()
    if store is None:
        if executor_for is not None:
            prepared = replace(prepared, executor=executor_for(""))
        return _run(prepared, initial_state(prepared), tally, observers, begun)
    if resume is None:
        state, recorder = None, Recorder(store, prepared, lambda own: begin_run(own, prepared, name))
    else:
        run, state = resume, _resumed(store, resume, prepared, initial_state(prepared), tally)
        recorder = Recorder(store, prepared, lambda _: run)
    return _train_recorded(store, recorder, prepared, state, tally, observers, started, executor_for, begun)


def _train_recorded(
    store: RunStore,
    recorder: Recorder,
    prepared: Prepared,
    state: TrainState | None,
    tally: Tally,
    observers: Sequence[Observer],
    started: Callable[[str], None] | None,
    executor_for: Callable[[str], Executor] | None,
    begun: float,
) -> Result:
    try:
        # Answers that come late are kept until all that was done is written.
        with ExitStack() as answering, ExitStack() as recording:
            if state is None:
                # The record begins while this is compiled, in which time nobody waits for it.
                state = initial_state(prepared, lambda: recording.enter_context(recorder))
            else:
                recording.enter_context(recorder)
            run = tally.run = recorder.begun(state)
            if executor_for is not None:
                prepared = replace(prepared, executor=executor_for(run))
            if not prepared.executor.traceable:
                answers = answering.enter_context(RunAnswers(store.directory, run))
                prepared = replace(prepared, executor=RecordingExecutor(prepared.executor, answers))
            if started is not None:
                started(run)
            result = _run(prepared, state, tally, [recorder, *observers], begun)
            recorder.finish(tally.params or state.params, summary(result, prepared.model.task))
    except (KeyboardInterrupt, StoppedError):
        _break_off(store, recorder.run, "interrupted", {})
        raise
    except BaseException as error:
        _break_off(store, recorder.run, "failed", {"error": str(error)})
        raise
    return result


def _break_off(store: RunStore, run: str | None, status: EndStatus, report: dict[str, str]) -> None:
    # Who interrupts the very end may be too late: then the run is finished. And none where none was begun.
    if run is not None and store.run(run).status == "running":
        store.finish_run(run, status, report)


def _check_config(config: TrainingConfig, record: RunRecord) -> None:
    recorded = TrainingConfig.from_mapping(record.config)
    if replace(recorded, batch_submission_timeout=config.batch_submission_timeout) != config:
        raise ArgumentError(
            "config",
            f"be the configuration that run {record.id} was started with",
            "it differs from it",
            "Read it with `TrainingConfig.from_mapping(store.run(run).config)`.",
        )


def initial_state(prepared: Prepared, meanwhile: Callable[[], object] = lambda: None) -> TrainState:
    """The state before the first step: a pure function of the configuration.

    Args:
        prepared: what the run was prepared to.
        meanwhile: starts in another thread what is to be done while the state is compiled.

    Returns:
        The state.
    """
    optimizer = make_optimizer(prepared.config, prepared.loader().num_steps)
    depth = prepared.config.pipeline_depth

    def build() -> TrainState:
        init_key, train_key, _ = run_keys(prepared.config.seed)
        return init_state(prepared.model.init(init_key), prepared.method, optimizer, train_key, depth)

    # Compiled as one: operation by operation, the first use of each would take longer than all together.
    lowered = jax.jit(build).lower()
    meanwhile()
    return lowered.compile()()


def retrain(prepared: Prepared, observers: Sequence[Observer], stop_step: int) -> None:
    """Trains from the beginning, recording nothing.

    Args:
        prepared: what the run was prepared to.
        observers: called after every chunk.
        stop_step: the step before which to stop.

    Raises:
        QjaxError: training diverges, or a step takes too long.
    """
    _run(prepared, initial_state(prepared), Tally(), observers, time.perf_counter(), stop_step)


def _run(
    prepared: Prepared,
    state: TrainState,
    tally: Tally,
    observers: Sequence[Observer],
    begun: float,
    stop_step: int | None = None,
) -> Result:
    config, model = prepared.config, prepared.model
    with prepared.loader() as loader:
        executor = dispatched(config, prepared.executor)
        parts = (
            model.objective(executor),
            prepared.method,
            make_optimizer(config, loader.num_steps),
            model.measured_score,
        )
        every = {"epoch": loader.steps_per_epoch, "end": loader.num_steps, "never": None}[config.evaluation]
        evaluate = make_evaluation(prepared, state) if every else _no_evaluation
        stop = {"epoch": loader.steps_per_epoch, "batch": 1}.get(config.record_states)
        if stop is not None:
            every, evaluate = stop, _only_every(every, evaluate)
        preparing = time.perf_counter() - begun
        arguments = (state, loader, [tally, *observers])
        options: _LoopOptions = {
            "evaluate": evaluate,
            "evaluate_every": every,
            "timeout": config.batch_submission_timeout,
            "stop_step": stop_step,
        }
        if executor.traceable:
            times = run_loop(make_step(*parts), *arguments, **options)
        else:
            times = run_outside_loop(make_outside_step(*parts), *arguments, **options)
    return tally.result(times.steps, preparing + times.compile)


def _only_every(every: int | None, evaluate: Evaluate) -> Evaluate:
    """An evaluation that is asked more often, so that chunks end there, but evaluates as seldom as before."""

    def evaluation(state: TrainState) -> tuple[SplitEvaluation, ...]:
        return evaluate(state) if every is not None and int(state.step) % every == 0 else ()

    return evaluation


class _LoopOptions(TypedDict):
    evaluate: Evaluate
    evaluate_every: int | None
    timeout: float
    stop_step: int | None


def _no_evaluation(state: TrainState) -> tuple[SplitEvaluation, ...]:
    del state
    return ()


def _resumed(store: RunStore, run: str, prepared: Prepared, initial: TrainState, tally: Tally) -> TrainState:
    """The state to go on from; the tally is brought to what was counted until then."""
    recorded = store.run(run).environment.get("dataset", {}).get("content_hash")
    if recorded != prepared.dataset.content_hash:
        raise StoreError(
            f"Run {run} was trained on other data than `{prepared.dataset.name}` holds now, so going on "
            "would mix the two. Restore the data, or train anew."
        )
    checkpoint = store.resume_run(run)
    if checkpoint is None:
        return initial
    restore_tally(tally, store, run)
    state = state_from_bytes(initial, checkpoint.payload)
    if tally.evaluations and checkpoint.step == prepared.loader().num_steps:
        # The store keeps no R^2. No evaluation is to come any more, and the same state gives the same again.
        tally.evaluations = {
            evaluation.split: evaluation for evaluation in make_evaluation(prepared, state)(state)
        }
    return state
