"""The observer that writes a run to the store, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, NamedTuple, cast

import jax
import numpy as np

from qjax.errors import StoreError
from qjax.gradients import Params
from qjax.store import (
    Evaluation,
    RunData,
    RunEnd,
    RunStore,
    Snapshot,
    StepMetrics,
    StepRecord,
    describe_environment,
)
from qjax.store.models import entry_texts
from qjax.store.states import EncodedStates
from qjax.train.artifact import describe_model, params_to_bytes, trained_model
from qjax.train.background import WriterThread
from qjax.train.checkpoint import state_to_bytes
from qjax.train.observers import Chunk, SplitEvaluation
from qjax.train.prepare import Prepared
from qjax.train.result import Tally
from qjax.train.states import make_states
from qjax.train.step import StepInfo, TrainState


class _Done(NamedTuple):
    chunk: Chunk
    params_before: Params


class _End(NamedTuple):
    params: Params
    report: Mapping[str, Any]


class Recorder:
    """Begins the record of a run and writes its chunks.

    Of each chunk that is metrics, evaluations, samples, parameters and a checkpoint. All of it happens in a
    thread, by a connection of its own. The thread begins where the recorder's block does, so who has other
    work to do there does not wait for it. The loop only queues its chunks, see `WriterThread`; the thread
    writes all that wait in one transaction.

    Args:
        store: the open store.
        prepared: what the run was prepared to.
        begin: called in the thread, with its store; begins the record and returns the run's id, which this
            process writes from then on.
    """

    def __init__(self, store: RunStore, prepared: Prepared, begin: Callable[[RunStore], str]):
        self._directory = store.directory
        self._prepared = prepared
        self._begin = begin
        self._run: str | None = None
        self._has_begun = threading.Event()
        self._has_accuracy = prepared.model.task != "regression"
        self._states = None if prepared.config.record_states == "never" else make_states(prepared)

    @property
    def run(self) -> str | None:
        """Id of the run; None until its record has begun."""
        return self._run

    def begun(self, state: TrainState) -> str:
        """Waits until the record has begun.

        Args:
            state: the state that training starts from.

        Returns:
            Id of the run.

        Raises:
            QjaxError: the record cannot begin.
        """
        self._params = state.params
        self._key = state.key
        self._has_begun.wait()
        if self._run is None:
            self._writer.close()
        return cast(str, self._run)

    def on_chunk(self, chunk: Chunk) -> None:
        """Queues a chunk."""
        self._writer.put(_Done(chunk, self._params), seconds=chunk.seconds)
        self._params = chunk.state.params

    def finish(self, params: Params, report: Mapping[str, Any]) -> None:
        """Queues the end of the run, after its last chunk.

        Args:
            params: the parameters of the trained model.
            report: what the run came to, see `qjax.train.result.summary`.
        """
        self._writer.put(_End(params, report), seconds=0.0)

    def __enter__(self) -> Recorder:
        self._writer: WriterThread[_Done | _End] = WriterThread(self._open)
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)  # pyright: ignore[reportArgumentType]

    @cached_property
    def _key_data(self) -> jax.Array:
        # The key is the same in every state of a run, and reading it costs as much as all else in them.
        return jax.random.key_data(self._key)

    @contextmanager
    def _open(self):
        try:
            with RunStore.open(self._directory, create=False) as store:
                run = self._run = self._begin(store)
                self._has_begun.set()
                self._num_steps = self._prepared.loader().num_steps
                self._has_record = store.has_data(run)
                self._model = describe_model(self._prepared, store.run(run))
                self._model_texts = entry_texts(self._model)
                self._rehearse(store, run)
                yield lambda items: self._write(store, run, items)
        finally:
            # Who waits for the beginning learns from the thread what it failed with.
            self._has_begun.set()

    def _write(self, store: RunStore, run: str, items: Sequence[_Done | _End]) -> None:
        done = [item for item in items if isinstance(item, _Done)]
        end = None
        if isinstance(last := items[-1], _End):
            params = params_to_bytes(last.params)
            model = trained_model(self._model, params, last.report, self._model_texts)
            end = RunEnd("finished", last.report, model)
        if done:
            self._write_steps(store, run, done, end)
        elif end is not None:
            store.finish_run(run, end.status, end.summary, end.model)

    def _rehearse(self, store: RunStore, run: str) -> None:
        """Writes the end of a run of one step and takes it back, as long as nobody waits for the record.

        What is slow when it is done for the first time, here and in the database, would otherwise be slow
        when the record is all that is left to wait for.
        """
        zeros: Any = np.zeros(1)
        count: Any = np.zeros(1, np.int64)
        params, state = params_to_bytes(zeros), state_to_bytes(TrainState(zeros, (), (), count, count))
        infos = StepInfo(zeros, zeros, zeros, count, count)
        metrics = self._metrics([Chunk(0, 1, infos, 0.0, zeros, count[None])])
        evaluations = [Evaluation(1, "train", 0.0, None, 0), Evaluation(1, "test", 0.0, None, 0)]
        record = StepRecord(count[None], (Snapshot(1, params),))
        end = RunEnd("finished", {}, trained_model(self._model, params, {}, self._model_texts))
        # A run that is gone on with may have other steps to come. What else fails does so again later on.
        with suppress(StoreError):
            store.append(run, metrics, state, 1, evaluations, record, end=end, rehearsed=True)

    def _write_steps(self, store: RunStore, run: str, done: Sequence[_Done], end: RunEnd | None) -> None:
        chunks = [item.chunk for item in done]
        step = chunks[-1].next_step
        evaluations = [
            Evaluation(
                step=chunk.next_step,
                split=evaluation.split,
                loss=evaluation.loss,
                accuracy=evaluation.score if self._has_accuracy else None,
                n_circuits=evaluation.circuits,
            )
            for chunk in chunks
            for evaluation in chunk.evaluations
        ]
        payload = state_to_bytes(chunks[-1].state._replace(key=self._key_data))
        record = self._record(done) if self._has_record else None
        # Where a run breaks off, its end follows the last steps at once and waits for the disk for both.
        durable = end is not None or not self._writer.closing
        store.append(run, self._metrics(chunks), payload, step, evaluations, record, end=end, durable=durable)

    def _metrics(self, chunks: Sequence[Chunk]) -> StepMetrics:
        steps = np.arange(chunks[0].first_step, chunks[-1].next_step)
        columns: Any = zip(*(chunk.infos for chunk in chunks), strict=True)
        loss, gradient_norm, score, circuits, jobs = map(np.concatenate, columns)
        milliseconds = [np.full(chunk.num_steps, 1e3 * chunk.seconds / chunk.num_steps) for chunk in chunks]
        return StepMetrics(
            step=steps,
            epoch=steps // chunks[0].steps_per_epoch,
            batch=steps % chunks[0].steps_per_epoch,
            loss=loss,
            gradient_norm=gradient_norm,
            accuracy=score if self._has_accuracy else np.full(len(steps), np.nan),
            n_circuits=circuits,
            n_jobs=jobs,
            circuit_time_ms=np.concatenate(milliseconds),
        )

    def _record(self, items: Sequence[_Done]) -> StepRecord:
        snapshots = [
            Snapshot(chunk.next_step, params_to_bytes(chunk.state.params))
            for chunk, _ in items
            if chunk.first_step // chunk.steps_per_epoch < chunk.next_step // chunk.steps_per_epoch
        ]
        return StepRecord(
            indices=np.concatenate([chunk.indices for chunk, _ in items]),
            snapshots=tuple(snapshots),
            states=self._due_states(items),
        )

    def _due_states(self, items: Sequence[_Done]) -> Iterator[EncodedStates]:
        if self._states is None:
            return
        when = self._prepared.config.record_states
        everything = np.arange(len(self._prepared.targets))
        for chunk, params_before in items:
            if when == "batch":
                samples = chunk.indices[0]
                made = self._states(params_before, chunk.first_step, samples[samples >= 0])
            elif chunk.next_step == self._num_steps or (
                when == "epoch" and chunk.next_step % chunk.steps_per_epoch == 0
            ):
                made = self._states(chunk.state.params, chunk.next_step, everything)
            else:
                continue
            for states in made:
                yield states
                self._writer.moved()


def begin_run(store: RunStore, prepared: Prepared, name: str) -> str:
    """Begins the record of a run.

    Args:
        store: the store.
        prepared: what the run was prepared to.
        name: name of the run.

    Returns:
        The run's id.

    Raises:
        QjaxError: the name is none, or it cannot be written.
    """
    data = run_data(prepared)
    dataset = {
        "name": data.name,
        "content_hash": data.version,
        "train_samples": prepared.num_train,
        "test_samples": prepared.test_set.num_samples,
    }
    circuit = prepared.model.circuit
    return store.create_run(
        prepared.config.to_mapping(),
        circuit.to_json(),
        circuit.content_hash,
        {**describe_environment(), "backend": jax.default_backend(), "dataset": dataset},
        name,
        data,
    )


def run_data(prepared: Prepared) -> RunData:
    """The data of a run as the store keeps it.

    Args:
        prepared: what the run was prepared to.

    Returns:
        The dataset and what the circuit takes of it, exactly.
    """
    dataset = prepared.dataset
    return RunData(
        name=dataset.name,
        task=dataset.task,
        class_names=dataset.class_names,
        feature_names=dataset.feature_names,
        features=dataset.features,
        targets=dataset.targets,
        prepared_features=prepared.features,
        prepared_targets=prepared.targets,
        order=prepared.order,
        num_train=prepared.num_train,
    )


def restore_tally(tally: Tally, store: RunStore, run: str) -> None:
    """Brings a tally to where a recorded run stands.

    Args:
        tally: a new tally.
        store: the store.
        run: id of the run.
    """
    metrics = store.metrics(run)
    tally.gradient_circuits = int(metrics.n_circuits.sum())
    tally.jobs = int(metrics.n_jobs.sum())
    if len(metrics):
        tally.last_loss = float(metrics.loss[-1])
    for record in store.evaluations(run):
        tally.evaluation_circuits += record.n_circuits
        score = float("nan") if record.accuracy is None else record.accuracy
        tally.evaluations[record.split] = SplitEvaluation(record.split, record.loss, score, record.n_circuits)
