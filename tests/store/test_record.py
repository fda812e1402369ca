"""The record of a run: exact, whole, kept once, and brought over from the older schema."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from qjax.errors import StoreError
from qjax.store import (
    EncodedStates,
    Evaluation,
    ModelRecord,
    RunData,
    RunEnd,
    RunStore,
    Snapshot,
    StepRecord,
    to_bytes,
)
from qjax.store import states as states_module
from qjax.store.batches import packed, unpacked
from qjax.store.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from qjax.store.vectors import VectorReader

from ..sinks import example
from . import example_run

FILE = "runs.sqlite"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def same(one: RunData, other: RunData) -> bool:
    def bits(value: object) -> object:
        return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value

    return all(bits(getattr(one, f.name)) == bits(getattr(other, f.name)) for f in fields(RunData))


def check_record(store: RunStore, run: str) -> None:
    """What the store gives is what `example` wrote."""
    steps = store.run(run).steps
    batches = store.batches(run)
    assert np.array_equal(batches.indices, example.indices(0, steps))
    assert np.array_equal(batches.weights, example.indices(0, steps) >= 0)
    for name in ("epoch", "batch", "loss"):
        assert np.array_equal(getattr(batches, name), getattr(example.metrics(0, steps), name))
    ends = [step for step in range(1, steps + 1) if step % example.STEPS_PER_EPOCH == 0]
    assert [(s.step, s.payload) for s in store.snapshots(run)] == [
        (e, to_bytes([np.arange(e)])) for e in ends
    ]
    assert store.state_steps(run) == tuple(ends)
    for end, found in zip(ends, store.states(run), strict=True):
        expected = example.states(end)
        assert found.step == end
        assert found.samples.tobytes() == expected.samples.tobytes()
        assert (found.values.dtype, found.values.tobytes()) == (np.complex64, expected.values.tobytes())
    assert same(store.data(run), example.data())


@given(
    st_numpy.arrays(
        np.int32, st.tuples(st.integers(1, 5), st.integers(1, 9)), elements=st.integers(-1, 2**31 - 2)
    )
)
def test_indices_are_packed_without_loss(indices: np.ndarray) -> None:
    found = unpacked(packed(indices), len(indices))
    assert (found.dtype, found.tolist()) == (np.int32, indices.tolist())
    width = 1 if indices.max() < 255 else 2 if indices.max() < 65535 else 4
    assert len(packed(indices)) == 1 + width * indices.size


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_the_record_does_not_depend_on_how_steps_fall_into_chunks(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], chance: st.DataObject
) -> None:
    with RunStore.open(tmp_path_factory.mktemp("runs")) as store:
        run, step = example.begin(store), 0
        for length in lengths:
            example.write(store, run, step, step + length)
            step += length
        check_record(store, run)
        first = chance.draw(st.integers(0, step))
        stop = chance.draw(st.integers(first, step + 3))
        part = store.batches(run, first, stop)
        if first < min(stop, step):
            assert np.array_equal(part.indices, example.indices(first, min(stop, step)))
        assert part.loss.tolist() == np.cos(np.arange(first, min(stop, step))).tolist()
        # Vectors come in one order, wherever reading begins.
        reader = VectorReader(store, run)
        for kind in ("samples", "states"):
            total = reader.total(kind)
            everything = reader.read(kind, 0, total + 5)
            assert len(everything) == total
            position = chance.draw(st.integers(0, total))
            count = chance.draw(st.integers(1, 40))
            part = reader.read(kind, position, count)
            assert [v.id for v in part] == [v.id for v in everything[position : position + count]]


@pytest.mark.parametrize("steps", [0, 4])
def test_a_rehearsal_leaves_nothing_behind(folder: Path, steps: int) -> None:
    def everything() -> list[str]:
        with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
            return [*connection.iterdump()]

    with RunStore.open(folder) as store:
        run = example.begin(store)
        if steps:
            example.write(store, run, 0, steps)
        before, stop = everything(), steps + example.STEPS_PER_EPOCH
        model = ModelRecord({"run": run}, b"params", datetime.now(UTC))
        store.append(
            run,
            example.metrics(steps, stop),
            b"state",
            stop,
            [Evaluation(stop, "test", 0.5, None, 1)],
            StepRecord(example.indices(steps, stop), (Snapshot(stop, b"params"),), (example.states(stop),)),
            end=RunEnd("finished", {"loss": 0.5}, model),
            rehearsed=True,
        )
        assert everything() == before
        example.write(store, run, steps, stop)
        check_record(store, run)
        assert store.run(run).status == "running"


@settings(max_examples=30, deadline=None)
@given(
    st_numpy.arrays(
        st.sampled_from([np.complex64, np.complex128]),
        st.tuples(st.integers(1, 9), st.sampled_from([2, 8])),
        elements={"allow_nan": True, "allow_infinity": True},
    )
)
def test_states_are_kept_to_the_bit(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    before = states_module.PART_BYTES
    states_module.PART_BYTES = 100  # so that there are several parts
    try:
        with RunStore.open(tmp_path_factory.mktemp("runs")) as store:
            run = example.begin(store)
            states = EncodedStates(1, np.arange(len(values)), values)
            record = StepRecord(example.indices(0, 1), states=(states,))
            store.append(run, example.metrics(0, 1), b"", 1, record=record)
            found = list(store.states(run, 1))
            assert b"".join(each.values.tobytes() for each in found) == values.tobytes()
            assert all(each.values.dtype == values.dtype for each in found)
            assert list(store.states(run, 2)) == []
    finally:
        states_module.PART_BYTES = before


def test_equal_data_are_kept_once(folder: Path) -> None:
    with RunStore.open(folder) as store:
        runs = [example.begin(store) for _ in range(3)]
        other = replace(example.data(), name="renamed", targets=1 - example.data().targets)
        runs.append(store.create_run({}, {}, "", {}, "other", other))
        with store.transaction("read") as connection:
            assert connection.execute("SELECT count(*) FROM datasets").fetchone() == (3,)
        assert store.data(runs[0]).version == store.data(runs[2]).version != store.data(runs[3]).version
        assert same(store.data(runs[3]), other)


def test_a_resumed_run_has_the_record_of_an_unbroken_one(folder: Path) -> None:
    with RunStore.open(folder) as store:
        run = example.begin(store)
        example.write_all(store, run, 0, 17)
        newest = store.latest_checkpoint(run)
        assert newest is not None
        with store.transaction("write") as connection:
            connection.execute("UPDATE checkpoints SET payload = x'00' WHERE step = ?", (newest.step,))
        checkpoint = store.resume_run(run)
        assert checkpoint is not None
        assert 0 < checkpoint.step < newest.step
        check_record(store, run)
        example.write_all(store, run, checkpoint.step, 23)
        check_record(store, run)


def test_the_samples_of_every_step_are_asked_for(folder: Path) -> None:
    with RunStore.open(folder) as store:
        run, bare = example.begin(store), store.create_run({}, {}, "", {}, "bare")
        for wrong, record in (
            (run, None),
            (run, StepRecord(example.indices(0, 2))),
            (bare, StepRecord(example.indices(0, 3))),
        ):
            with pytest.raises(StoreError, match="record of its batches"):
                store.append(wrong, example.metrics(0, 3), b"", 3, record=record)
            assert store.run(wrong).steps == 0
        for read in (store.data, store.batches):
            with pytest.raises(StoreError, match="keeps no record"):
                read(bare)
        assert store.snapshots(bare) == ()
        assert not store.has_data(bare)


DAMAGES = {
    "dataset": "UPDATE datasets SET payload = substr(payload, 1, length(payload) - 1) || x'77'",
    "dataset gone": "DELETE FROM datasets",
    "dataset of another": "UPDATE datasets SET payload = (SELECT payload FROM datasets LIMIT 1)",
    "recording": "UPDATE recordings SET description = replace(description, 'up', 'us')",
    "recording gone": "DELETE FROM recordings",
    "indices": "UPDATE batches SET indices = substr(indices, 1, length(indices) - 1) || x'0a'",
    "batches gone": "DELETE FROM batches WHERE first_step = 0",
    "last batches gone": "DELETE FROM batches WHERE first_step = (SELECT max(first_step) FROM batches)",
    "batches moved": "UPDATE batches SET first_step = first_step + 1000",
    "snapshot": "UPDATE snapshots SET payload = payload || x'00'",
    "snapshot gone": "DELETE FROM snapshots WHERE step = 5",
    "state": "UPDATE state_values SET payload = substr(payload, 1, length(payload) - 1) || x'77'",
    "state of another step": "UPDATE states SET step = step + 1",
    "values of another step": "UPDATE state_values SET payload = (SELECT payload FROM state_values LIMIT 1)",
    "state gone": "DELETE FROM states WHERE step = 10",
    "values gone": "DELETE FROM state_values WHERE step = 10",
    "counts": "UPDATE record_counts SET states = 1",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed(folder: Path, name: str) -> None:
    with RunStore.open(folder) as store:
        run = example.begin(store)
        example.write_all(store, run, 0, 17)
        check_record(store, run)
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        assert connection.execute(DAMAGES[name]).rowcount > 0
    with RunStore.open(folder) as store, pytest.raises(StoreError, match="is damaged") as caught:
        check_record(store, run)
    assert "\n" not in str(caught.value)


def older_store(folder: Path) -> str:
    """A store of schema version 1 with one interrupted run, as that version wrote it."""
    with RunStore.open(folder) as store:
        run = store.create_run({"seed": 1}, {"gates": []}, "c0ffee", {}, "old")
        example_run.write(store, run, 0, 30)
        store.finish_run(run, "interrupted", {})
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        kept = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        first = sqlite3.connect(":memory:")
        for statement in MIGRATIONS[0]:
            first.execute(statement)
        old = {name for (name,) in first.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for table in kept - old:
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = DELETE")
    return run


def test_an_older_store_is_brought_over_and_a_copy_is_kept(folder: Path) -> None:
    run = older_store(folder)
    before = (folder / FILE).read_bytes()
    with RunStore.open(folder, create=False) as store:
        assert example_run.check(store, run) >= 30
        assert not store.has_data(run)
        # It goes on as it began, without a record; new runs have one.
        checkpoint = store.resume_run(run)
        assert checkpoint is not None
        example_run.write(store, run, checkpoint.step, checkpoint.step + 20)
        example_run.check(store, run)
        new = example.begin(store)
        example.write_all(store, new, 0, 12)
        check_record(store, new)
    copy = folder / f"{FILE}.v1.bak"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with closing(sqlite3.connect(":memory:")) as original:
            original.deserialize(before)
            assert list(connection.iterdump()) == list(original.iterdump())
    # The copy is made once, and never of what is new already.
    kept = copy.read_bytes()
    with RunStore.open(folder):
        pass
    assert copy.read_bytes() == kept
    # Put back, it is a store again.
    shutil.copy(copy, folder.parent / FILE)
    with RunStore.open(folder.parent, create=False) as store:
        assert example_run.check(store, run) >= 30
    with closing(sqlite3.connect(folder / FILE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_store_that_cannot_be_copied_is_left_as_it_is(folder: Path) -> None:
    older_store(folder)
    before = (folder / FILE).read_bytes()
    (folder / f"{FILE}.v1.bak" / "in the way").mkdir(parents=True)
    with pytest.raises(StoreError, match="schema version 1") as caught:
        RunStore.open(folder)
    assert "\n" not in str(caught.value)
    with (
        closing(sqlite3.connect(folder / FILE)) as connection,
        closing(sqlite3.connect(":memory:")) as original,
    ):
        original.deserialize(before)
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert list(connection.iterdump()) == list(original.iterdump())
