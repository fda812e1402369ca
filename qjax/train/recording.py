"""The observer that writes a run to the store, from a thread of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import jax
import numpy as np

from qjax.gradients import Params
from qjax.store import (
    Evaluation,
    RunData,
    RunStore,
    Snapshot,
    StepMetrics,
    StepRecord,
    describe_environment,
    to_bytes,
)
from qjax.store.states import EncodedStates
from qjax.train.background import WriterThread
from qjax.train.checkpoint import state_to_bytes
from qjax.train.observers import Chunk, SplitEvaluation
from qjax.train.prepare import Prepared
from qjax.train.result import Tally
from qjax.train.states import make_states
from qjax.train.step import TrainState


class _Done(NamedTuple):
    chunk: Chunk
    params_before: Params


class Recorder:
    """Writes metrics, evaluations, samples, parameters and a checkpoint of each chunk.

    The loop only queues its chunks, see `WriterThread`; the thread writes all that wait in one transaction,
    by a connection of its own.

    Args:
        store: the open store.
        run: id of the run, which this process writes.
        prepared: what the run was prepared to.
        state: the state that training starts from.
    """

    def __init__(self, store: RunStore, run: str, prepared: Prepared, state: TrainState):
        self._directory = store.directory
        self._run = run
        self._prepared = prepared
        self._params = state.params
        self._has_accuracy = prepared.model.task != "regression"
        self._has_record = store.has_data(run)
        # Of its own, as a loader is for one thread.
        self._loader = prepared.loader()
        self._states = None if prepared.config.record_states == "never" else make_states(prepared)
        self._writer: WriterThread[_Done] = WriterThread(self._open)

    def on_chunk(self, chunk: Chunk) -> None:
        """Queues a chunk."""
        self._writer.put(_Done(chunk, self._params), seconds=chunk.seconds)
        self._params = chunk.state.params

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)  # pyright: ignore[reportArgumentType]

    @contextmanager
    def _open(self):
        with RunStore.open(self._directory, create=False) as store:
            yield lambda items: self._write(store, items)

    def _write(self, store: RunStore, items: Sequence[_Done]) -> None:
        first, last = items[0].chunk, items[-1].chunk
        chunks = [item.chunk for item in items]
        steps = np.arange(first.first_step, last.next_step)
        infos = jax.tree.map(lambda *arrays: np.concatenate(arrays), *(chunk.infos for chunk in chunks))
        milliseconds = [np.full(chunk.num_steps, 1e3 * chunk.seconds / chunk.num_steps) for chunk in chunks]
        metrics = StepMetrics(
            step=steps,
            epoch=steps // first.steps_per_epoch,
            batch=steps % first.steps_per_epoch,
            loss=infos.loss,
            gradient_norm=infos.gradient_norm,
            accuracy=infos.score if self._has_accuracy else np.full(len(steps), np.nan),
            n_circuits=infos.circuits,
            n_jobs=infos.jobs,
            circuit_time_ms=np.concatenate(milliseconds),
        )
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
        payload = state_to_bytes(last.state)
        record = self._record(items) if self._has_record else None
        # The end of the run follows the last steps at once, and waits for the disk for both.
        durable = not self._writer.closing
        store.append(self._run, metrics, payload, last.next_step, evaluations, record, durable=durable)

    def _record(self, items: Sequence[_Done]) -> StepRecord:
        first, last = items[0].chunk, items[-1].chunk
        snapshots = [
            Snapshot(chunk.next_step, _params_to_bytes(chunk.state.params))
            for chunk, _ in items
            if chunk.first_step // chunk.steps_per_epoch < chunk.next_step // chunk.steps_per_epoch
        ]
        return StepRecord(
            indices=self._loader.indices(first.first_step, last.next_step - first.first_step),
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
                samples = self._loader.indices(chunk.first_step, 1)[0]
                made = self._states(params_before, chunk.first_step, samples[samples >= 0])
            elif chunk.next_step == self._loader.num_steps or (
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
    data = {
        "name": prepared.dataset.name,
        "content_hash": prepared.dataset.content_hash,
        "train_samples": prepared.num_train,
        "test_samples": prepared.test_set.num_samples,
    }
    circuit = prepared.model.circuit
    return store.create_run(
        prepared.config.to_mapping(),
        circuit.to_json(),
        circuit.content_hash,
        {**describe_environment(), "backend": jax.default_backend(), "dataset": data},
        name,
        run_data(prepared),
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


def _params_to_bytes(params: Params) -> bytes:
    return to_bytes([np.asarray(leaf) for leaf in jax.tree.leaves(params)])


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
