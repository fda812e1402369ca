"""The record of a run: what was used and what came of it, whatever the run went through."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from qjax.data import Dataset
from qjax.errors import ArgumentError, QjaxError, StoreError
from qjax.simulator import Simulator
from qjax.store import RunStore, database, from_bytes
from qjax.store.models import read_models
from qjax.train import TrainingConfig, loop, train
from qjax.train.prepare import prepare
from qjax.train.recording import Recorder
from qjax.train.run import initial_state

from .problems import Watcher, tiny

# 22 training samples: two batches of 8 and one of 6 in each of two epochs.
CONFIG = {"epochs": 2, "evaluate": "epoch", "record_states": "batch"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.open(tmp_path / "runs") as opened:
        yield opened


def record(store: RunStore, run: str) -> dict[str, Any]:
    """All that the store keeps of a run beside its metrics, to the bit."""
    batches = store.batches(run)
    return {
        "indices": batches.indices.tolist(),
        "loss": batches.loss.tobytes(),
        "snapshots": store.snapshots(run),
        "states": [
            (states.step, states.samples.tolist(), states.values.tobytes()) for states in store.states(run)
        ],
    }


def params_by_step(config: TrainingConfig, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Parameters before each step and after the last one, of a run that records nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(loop, "CHUNK_SECONDS", 0.0)
        watcher = Watcher()
        train(config, observers=[watcher])
    assert watcher.lengths == [1] * len(watcher.chunks)
    return [initial_state(prepare(config)).params, *(chunk.state.params for chunk in watcher.chunks)]


@pytest.mark.parametrize("when", ["never", "batch", "epoch", "end"])
def test_samples_parameters_and_states_are_those_of_the_run(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    config = tiny(**CONFIG | {"record_states": when})
    prepared = prepare(config)
    params = params_by_step(tiny(**CONFIG | {"record_states": "never"}), monkeypatch)
    run = train(config, store=store).run
    batches, data = store.batches(run), store.data(run)
    chunk = prepared.loader().chunk(0, 6)
    assert np.array_equal(batches.indices, chunk.indices)
    assert np.array_equal(batches.weights, chunk.weights)
    assert np.array_equal(batches.loss, store.metrics(run).loss)
    # The features of a batch follow from the record alone.
    assert np.array_equal(data.prepared_features[np.maximum(batches.indices, 0)], chunk.features)
    assert np.array_equal(data.features[data.order[: data.num_train]], prepared.train_set.features)
    assert np.array_equal(data.features[data.order[data.num_train :]], prepared.test_set.features)
    assert data.version == prepared.dataset.content_hash
    assert [snapshot.step for snapshot in store.snapshots(run)] == [3, 6]
    for snapshot in store.snapshots(run):
        expected = [np.asarray(leaf) for leaf in jax.tree.leaves(params[snapshot.step])]
        assert [a.tobytes() for a in from_bytes(snapshot.payload)] == [a.tobytes() for a in expected]
    steps = {"never": [], "batch": [0, 1, 2, 3, 4, 5], "epoch": [3, 6], "end": [6]}[when]
    assert list(store.state_steps(run)) == steps
    for step, states in zip(steps, store.states(run), strict=True):
        row = batches.indices[step] if when == "batch" else np.arange(28)
        assert np.array_equal(states.samples, row[row >= 0])
        assert states.values.dtype == np.complex64
        features = data.prepared_features[states.samples]
        expected = Simulator().statevector(prepared.model.circuit, params[step].circuit[None], features)
        np.testing.assert_allclose(states.values, expected[0], atol=1e-6)


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_resumed_run_has_the_record_of_an_unbroken_one(store: RunStore, stop_at: int) -> None:
    config = tiny(**CONFIG)
    unbroken = record(store, train(config, store=store).run)
    with pytest.raises(KeyboardInterrupt):
        train(config, store=store, observers=[Watcher(stop_at=stop_at)])
    run = store.runs()[0].id
    assert store.run(run).status == "interrupted"
    assert len(store.batches(run).indices) == stop_at
    train(config, store=store, resume=run)
    assert record(store, run) == unbroken


def test_a_run_is_trained_again_from_its_record_alone(store: RunStore, tmp_path: Path) -> None:
    lines = [
        f"{x},{y},{'up' if x * y > 0 else 'down'}" for x, y in np.random.default_rng(1).normal(size=(40, 2))
    ]
    table = tmp_path / "table.csv"
    table.write_text("a,b,label\n" + "\n".join(lines) + "\n")
    run = train(tiny(dataset=str(table), num_samples=None), store=store).run
    table.unlink()
    data = store.data(run)
    kept = Dataset(data.name, data.features, data.targets, data.task, data.class_names, data.feature_names)  # pyright: ignore
    config = TrainingConfig.from_mapping(store.run(run).config)
    watcher = Watcher()
    train(config, prepared=prepare(config, dataset=kept), observers=[watcher])
    assert np.array_equal(watcher.infos.loss.astype(float), store.batches(run).loss)


def test_a_disk_that_fills_up_ends_the_run_with_a_sentence_and_loses_nothing_before(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(**CONFIG, learning_rate=0.05)
    unbroken = record(store, train(config, store=store).run)

    def connect(*arguments: Any, **options: Any) -> Any:
        connection = database.connect(*arguments, **options)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 1}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr("qjax.store.store.connect", connect)
        patch.setattr(loop, "CHUNK_SECONDS", 0.0)
        with pytest.raises(StoreError, match=r"The disk with the run store .* is full.*resume the run\.$"):
            train(config, store=store)
    run = store.runs()[0]
    assert run.status == "failed"
    assert len(store.batches(run.id).indices) == run.steps < 6
    train(config, store=store, resume=run.id)
    assert record(store, run.id) == unbroken


def test_who_interrupts_the_very_end_finds_the_run_finished(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Recorder.finish

    def interrupted(self: Recorder, *arguments: Any) -> None:
        finish(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(**CONFIG), store=store)
    run = store.runs()[0]
    assert (run.status, run.steps) == ("finished", 6)
    assert train(tiny(**CONFIG), store=store, resume=run.id).loss == (run.summary or {})["loss"]


def test_a_run_is_in_the_store_before_its_executor_is_made_and_its_first_step_is_done(
    store: RunStore,
) -> None:
    seen: list[str] = []

    def look(run: str) -> None:
        with RunStore.open(store.directory, create=False) as other:
            (found,) = other.runs()
            assert (found.id, found.status, found.steps) == (run, "running", 0)
            assert other.data(run).num_train == 22
        assert not watcher.chunks
        seen.append(run)

    def executor_for(run: str) -> Simulator:
        look(run)
        return Simulator()

    watcher = Watcher()
    run = train(tiny(**CONFIG), store=store, observers=[watcher], started=look, executor_for=executor_for).run
    assert seen == [run, run]


@pytest.mark.parametrize("cause", ["locked", "full", "name"])
def test_a_record_that_cannot_begin_is_told_before_the_first_step(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    def connect(*arguments: Any, **options: Any) -> Any:
        connection = database.connect(*arguments, **options | {"busy_seconds": 0.05})
        if cause == "full":
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    def started(run: str) -> None:
        pytest.fail(f"run {run} started")

    sentence = {
        "locked": "is locked by another process",
        "full": r"^The disk with the run store .* is full",
        "name": "^Argument `name` must be printable text",
    }
    watcher = Watcher()
    with monkeypatch.context() as patch, closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        patch.setattr("qjax.store.store.connect", connect)
        if cause == "locked":
            other.execute("BEGIN IMMEDIATE")
        name = "\n" if cause == "name" else "train"
        # So many samples that they need new pages.
        config = tiny(**CONFIG, num_samples=400)
        with pytest.raises(QjaxError, match=sentence[cause]):
            train(config, store=store, name=name, observers=[watcher], started=started)
    assert not watcher.chunks
    assert store.runs() == []


def test_who_interrupts_compilation_finds_the_run_interrupted_and_can_go_on_with_it(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(prepared: Any, meanwhile: Any) -> None:
        meanwhile()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("qjax.train.run.initial_state", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(**CONFIG), store=store)
    (run,) = store.runs()
    assert (run.status, run.steps) == ("interrupted", 0)
    assert train(tiny(**CONFIG), store=store, resume=run.id).run == run.id
    assert record(store, run.id) == record(store, train(tiny(**CONFIG), store=store).run)


@pytest.mark.parametrize("late", [False, True])
def test_a_run_ends_with_its_model_whether_or_not_its_last_steps_were_written_before(
    store: RunStore, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    finish = Recorder.finish

    def slow(self: Recorder, *arguments: Any) -> None:
        while store.runs()[0].steps < 6:
            time.sleep(0.01)
        finish(self, *arguments)

    if late:
        monkeypatch.setattr(Recorder, "finish", slow)
    result = train(tiny(**CONFIG), store=store)
    run = store.run(result.run)
    assert (run.status, run.steps, (run.summary or {})["loss"]) == ("finished", 6, result.loss)
    with store.transaction("read") as connection:
        (model,) = read_models(connection, store.path)
    assert model.run == run.id
    assert model.payload == store.snapshots(run.id)[-1].payload


def test_a_store_that_another_process_locks_ends_the_run_with_a_sentence(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Locking(Watcher):
        def on_chunk(self, chunk: Any) -> None:
            super().on_chunk(chunk)
            if len(self.chunks) == 2:
                other.execute("BEGIN IMMEDIATE")

    def connect(*arguments: Any, **options: Any) -> Any:
        return database.connect(*arguments, **options | {"busy_seconds": 0.05})

    monkeypatch.setattr("qjax.store.store.connect", connect)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    with (
        closing(sqlite3.connect(store.path, isolation_level=None)) as other,
        RunStore.open(store.directory) as own,
        pytest.raises(StoreError, match="is locked by another process"),
    ):
        train(tiny(epochs=30), store=own, observers=[Locking()])
    run = store.runs()[0].id
    train(tiny(epochs=30), store=store, resume=run)
    assert len(store.batches(run).indices) == 90


def test_states_too_large_to_be_kept_are_refused_before_training() -> None:
    with pytest.raises(ArgumentError, match="record_states") as caught:
        TrainingConfig(num_qubits=21, record_states="end")
    assert caught.value.argument == "record_states"
