"""A run trained again from its record alone, and compared with it to the bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qjax.data import Dataset
from qjax.errors import StoreError
from qjax.executor import Executor
from qjax.store import RunRecord, RunStore
from qjax.store.answers import RunAnswers
from qjax.train.answers import NotAnsweredError, RecordedExecutor
from qjax.train.checkpoint import state_to_bytes
from qjax.train.config import TrainingConfig
from qjax.train.observers import Chunk
from qjax.train.prepare import Prepared, prepare
from qjax.train.run import retrain

_NO_TIMEOUT = 1e9


@dataclass(frozen=True)
class Difference:
    """The first place where a replay and its record part.

    Args:
        what: what differs, such as "loss of the batch".
        step: the step, or None for what comes before the first.
        recorded: its recorded value, as text.
        replayed: its value now, as text.

    Example:
        >>> print(Difference("loss of the batch", 3, "0.5", "0.25"))
        the loss of the batch of step 3 was 0.5 and is 0.25 now
    """

    what: str
    step: int | None
    recorded: str
    replayed: str

    def __str__(self) -> str:
        place = "" if self.step is None else f" of step {self.step}"
        return f"the {self.what}{place} was {self.recorded} and is {self.replayed} now"


@dataclass(frozen=True)
class Replay:
    """What a replay came to.

    Args:
        run: full id of the run.
        steps: steps that agree, from the first one on.
        evaluations: evaluations that agree.
        difference: the first difference, None where everything agrees.
    """

    run: str
    steps: int
    evaluations: int
    difference: Difference | None

    @property
    def agrees(self) -> bool:
        """Whether everything agrees to the bit."""
        return self.difference is None

    def to_json(self) -> dict[str, Any]:
        """The replay as a JSON object."""
        difference = None if self.difference is None else vars(self.difference)
        return {**vars(self), "agrees": self.agrees, "difference": difference}


def recorded_dataset(store: RunStore, run_id: str) -> Dataset:
    """The dataset of a run, from the store and not from where it came from.

    Args:
        store: the store.
        run_id: full run id.

    Returns:
        The dataset.

    Raises:
        StoreError: the run keeps no record of its data, or it cannot be read.
    """
    data = store.data(run_id)
    task = "regression" if data.task == "regression" else "classification"
    return Dataset(data.name, data.features, data.targets, task, data.class_names, data.feature_names)


def prepare_recorded(store: RunStore, record: RunRecord, executor: Executor | None = None) -> Prepared:
    """Prepares a run from its record alone.

    Args:
        store: the store.
        record: the run.
        executor: runs the circuits; None for the simulator.

    Returns:
        What training needs, as it was.

    Raises:
        QjaxError: the run keeps no record of its data, or this version cannot read its configuration.
    """
    config = TrainingConfig.from_mapping(record.config)
    return prepare(config, executor, dataset=recorded_dataset(store, record.id))


def replay(store: RunStore, wanted: str) -> Replay:
    """Trains a run again from its record alone and compares everything that was recorded, to the bit.

    These are the circuit, the prepared data, the samples of every batch, the loss and the gradient norm of
    every step, every evaluation, and the state of the newest checkpoint. A run that was broken off is
    replayed as far as it got. Where circuits ran elsewhere, the recorded results answer instead.

    Args:
        store: the store, which is only read.
        wanted: id, beginning of an id, or "latest".

    Returns:
        The number of steps that agree and the first difference.

    Raises:
        StoreError: there is no such run, it keeps no record of its data or results, or it has no step.

    Example:
        >>> import tempfile
        >>> from qjax.train import train
        >>> config = TrainingConfig(dataset="rings", num_samples=50, num_features=2, num_qubits=2, epochs=1)
        >>> with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:
        ...     run = train(config, store=store).run
        ...     result = replay(store, run)
        >>> result.agrees, result.steps
        (True, 4)
    """
    record = store.run(wanted)
    if not record.steps:
        raise StoreError(f"Run {record.id} has no step yet, so there is nothing to replay. Train it first.")
    with RunAnswers(store.directory, record.id) as answers:
        executor = _recorded_executor(record, answers)
        prepared = prepare_recorded(store, record, executor)
        comparison = _Comparison(store, record, prepared)
        if comparison.difference is None:
            # What took longer than it may is no difference.
            patient = replace(prepared.config, batch_submission_timeout=_NO_TIMEOUT)
            try:
                retrain(replace(prepared, config=patient), [comparison], record.steps)
            except _Parted:
                pass
            except NotAnsweredError:
                asked = Difference("choice of circuits", comparison.agreeing_steps, "another", "different")
                comparison.difference = asked
    return Replay(
        record.id, comparison.agreeing_steps, comparison.agreeing_evaluations, comparison.difference
    )


def _recorded_executor(record: RunRecord, answers: RunAnswers) -> RecordedExecutor | None:
    """What answers a run that ran elsewhere; None for one that can be simulated again."""
    config = TrainingConfig.from_mapping(record.config)
    if len(answers):
        return RecordedExecutor(answers, exact=config.shots_per_circuit is None)
    if config.executor != "simulator":
        raise StoreError(
            f"Run {record.id} ran on `{config.executor}` and keeps no record of its results, as an older "
            "version of qjax wrote it. Train anew to have one."
        )
    return None


class _Parted(Exception):  # noqa: N818 -- no error
    """Replay and record have parted, so there is nothing more to compare."""


class _Comparison:
    """An observer that holds each chunk against the record."""

    def __init__(self, store: RunStore, record: RunRecord, prepared: Prepared):
        self._metrics = store.metrics(record.id)
        self._evaluations = store.evaluations(record.id)
        self._checkpoint = store.latest_checkpoint(record.id)
        self.agreeing_steps = 0
        self.agreeing_evaluations = 0
        self.difference = self._before_training(store, record, prepared)

    def on_chunk(self, chunk: Chunk) -> None:
        """Compares what the record has of a chunk."""
        stop = chunk.next_step
        for what, now in (("loss", chunk.infos.loss), ("gradient norm", chunk.infos.gradient_norm)):
            recorded = getattr(self._metrics, what.replace(" ", "_"))[chunk.first_step : stop]
            bad = np.flatnonzero(recorded != np.asarray(now, np.float64))
            if bad.size:
                step = chunk.first_step + int(bad[0])
                self.agreeing_steps = step
                values = _text(float(recorded[bad[0]])), _text(float(now[bad[0]]))
                self._part(Difference(what, step, *values))
        self.agreeing_steps = stop
        self._compare_evaluations(chunk)
        kept = self._checkpoint
        if kept is not None and kept.step == stop and state_to_bytes(chunk.state) != kept.payload:
            self._part(Difference("state after the end", stop - 1, "another", "different"))

    def _compare_evaluations(self, chunk: Chunk) -> None:
        recorded = {each.split: each for each in self._evaluations if each.step == chunk.next_step}
        for evaluation in chunk.evaluations:
            before = recorded.get(evaluation.split)
            if before is None or before.loss != evaluation.loss:
                was = "not there" if before is None else _text(before.loss)
                what = f"{evaluation.split} loss after the end"
                self._part(Difference(what, chunk.next_step - 1, was, _text(evaluation.loss)))
            self.agreeing_evaluations += 1

    def _part(self, difference: Difference) -> None:
        self.difference = difference
        raise _Parted

    def _before_training(self, store: RunStore, record: RunRecord, prepared: Prepared) -> Difference | None:
        circuit = prepared.model.circuit.content_hash
        if circuit != record.circuit_hash:
            return Difference("hash of the circuit", None, record.circuit_hash[:12], circuit[:12])
        data = store.data(record.id)
        for what, recorded, now in (
            ("prepared features", data.prepared_features, prepared.features),
            ("prepared targets", data.prepared_targets, prepared.targets),
            ("split of the samples", data.order, prepared.order),
        ):
            if not np.array_equal(recorded, now):
                return Difference(what, None, "another", "different")
        with prepared.loader() as loader:
            indices = store.batches(record.id).indices
            bad = np.flatnonzero((indices != loader.indices(0, record.steps)).any(axis=1))
        if bad.size:
            return Difference("choice of samples", int(bad[0]), "another", "different")
        return None


def _text(value: float) -> str:
    return repr(value)
