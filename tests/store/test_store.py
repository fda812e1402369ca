"""The store against a plain model of it, with reopening and refused calls in between."""

from __future__ import annotations

import math
import re
import shutil
import struct
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from qjax.errors import ArgumentError, StoreError
from qjax.store import Checkpoint, Evaluation, ModelRecord, RunEnd, RunStore, StepMetrics
from qjax.store.models import read_models

from . import example_run

REAL = st.floats(allow_nan=True, allow_infinity=True)
COUNT = st.integers(0, 2**62)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
MAPPING = st.dictionaries(st.text(), JSON, max_size=3)


def as_kept(value: float | None) -> float | None:
    """One NaN (None here) and one zero; every other bit pattern is kept."""
    return None if value is None or math.isnan(value) else value + 0.0


def bits(values: list[float | None]) -> list[bytes | None]:
    return [None if value is None else struct.pack("<d", value) for value in map(as_kept, values)]


@dataclass
class Model:
    config: dict[str, Any]
    name: str
    status: str = "running"
    summary: dict[str, Any] | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    evaluations: dict[tuple[int, str], Evaluation] = field(default_factory=dict)
    checkpoint: Checkpoint | None = None


class StoreMachine(RuleBasedStateMachine):
    """Every answer of the store equals the answer of a dictionary of `Model`."""

    ids = Bundle("ids")

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.store = RunStore.open(self.folder)
        self.models: dict[str, Model] = {}

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)

    @rule(target=ids, config=MAPPING, name=st.from_regex(r"[a-zé][ -~]{0,9}", fullmatch=True))
    def create(self, config: dict[str, Any], name: str) -> str:
        run_id = self.store.create_run(config, {"gates": [1]}, "c0ffee", {"cores": 2}, name)
        assert run_id not in self.models
        self.models[run_id] = Model(config, name)
        return run_id

    @rule(run_id=ids, count=st.integers(0, 4), payload=st.binary(max_size=20), data=st.data())
    def append(self, run_id: str, count: int, payload: bytes, data: st.DataObject) -> None:
        model = self.models[run_id]
        first = len(model.rows)
        row = st.tuples(COUNT, COUNT, REAL, REAL, REAL, COUNT, COUNT, REAL)
        rows = [(first + i, *data.draw(row)) for i in range(count)]
        evaluation = st.builds(
            Evaluation,
            step=st.integers(first, first + count),
            split=st.sampled_from(["train", "test"]),
            loss=REAL,
            accuracy=st.none() | st.floats(0, 1),
            n_circuits=COUNT,
        )
        evaluations = data.draw(st.lists(evaluation, max_size=3))
        arguments = (run_id, StepMetrics.from_rows(rows), payload, first + count, evaluations)
        if model.status != "running":
            with pytest.raises(StoreError, match="Resume the run first"):
                self.store.append(*arguments)
            return
        self.store.append(*arguments)
        model.rows += rows
        model.evaluations.update({(each.step, each.split): each for each in evaluations})
        model.checkpoint = Checkpoint(first + count, payload)

    @rule(run_id=ids, first=st.integers(0, 12), count=st.integers(0, 4), stop=st.integers(0, 14))
    def append_what_does_not_continue(self, run_id: str, first: int, count: int, stop: int) -> None:
        done = len(self.models[run_id].rows)
        if list(range(first, first + count)) == list(range(done, stop)) and stop >= done:
            return
        with pytest.raises(StoreError, match=r"Pass every step from \d+|Resume the run first"):
            self.store.append(run_id, example_run.steps_between(first, first + count), b"", stop)

    @rule(run_id=ids, distance=st.sampled_from([-3, -2, -1, 1, 2]))
    def append_an_evaluation_outside(self, run_id: str, distance: int) -> None:
        done = len(self.models[run_id].rows)
        evaluation = Evaluation(done + distance, "test", 0.0, None, 0)
        with pytest.raises(StoreError, match=r"Pass evaluations of these steps|Resume the run first"):
            self.store.append(run_id, example_run.steps_between(0, 0), b"", done, [evaluation])

    @rule(run_id=ids, status=st.sampled_from(["finished", "failed", "interrupted"]), summary=MAPPING)
    def finish(self, run_id: str, status: Any, summary: dict[str, Any]) -> None:
        model = self.models[run_id]
        if model.status != "running":
            with pytest.raises(StoreError, match="Resume the run first"):
                self.store.finish_run(run_id, status, summary)
            return
        self.store.finish_run(run_id, status, summary)
        model.status, model.summary = status, summary

    @rule(run_id=ids)
    def resume(self, run_id: str) -> None:
        model = self.models[run_id]
        assert self.store.resume_run(run_id) == model.checkpoint
        model.status = "running"

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = RunStore.open(self.folder, create=bool(len(self.models) % 2))

    @rule(run_id=ids)
    def read_all(self, run_id: str) -> None:
        model = self.models[run_id]
        metrics = self.store.metrics(run_id)
        columns = list(zip(*model.rows, strict=True)) or [()] * 9
        for column, expected in zip(vars(metrics).values(), columns, strict=True):
            if column.dtype == np.int64:
                assert column.tolist() == list(expected)
            else:
                assert bits(column.tolist()) == bits(list(expected))
        evaluations = self.store.evaluations(run_id)
        wanted = [model.evaluations[key] for key in sorted(model.evaluations)]
        assert [(e.step, e.split, e.n_circuits) for e in evaluations] == [
            (e.step, e.split, e.n_circuits) for e in wanted
        ]
        assert bits([e.loss for e in evaluations]) == bits([e.loss for e in wanted])
        assert bits([e.accuracy for e in evaluations]) == bits([e.accuracy for e in wanted])
        assert self.store.latest_checkpoint(run_id) == model.checkpoint

    @precondition(lambda self: self.models)
    @rule(run_id=ids, length=st.integers(1, 20))
    def find(self, run_id: str, length: int) -> None:
        assert self.store.run("latest").id == list(self.models)[-1]
        assert self.store.run(run_id).id == run_id
        fitting = [each for each in self.models if each.startswith(run_id[:length])]
        if len(fitting) == 1:
            assert self.store.run(run_id[:length]).id == run_id
        else:
            with pytest.raises(StoreError, match=f"fits {len(fitting)} runs .*{fitting[-1]}"):
                self.store.run(run_id[:length])

    @invariant()
    def the_list_is_the_model(self) -> None:
        if not hasattr(self, "store"):
            return
        records = self.store.runs()
        assert [record.id for record in records] == list(self.models)[::-1]
        for record in records:
            model = self.models[record.id]
            assert (record.name, record.status, record.config) == (model.name, model.status, model.config)
            assert (record.summary, record.steps) == (model.summary, len(model.rows))
            ended = record.status == "running" or (record.ended_at or record.created_at) >= record.created_at
            assert ended
            assert (record.ended_at is None) == (record.status == "running")
        kept = self.store._connection.execute(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM checkpoints GROUP BY run)"
        )
        assert (kept.fetchone()[0] or 0) <= 2


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(deadline=None, max_examples=25, stateful_step_count=25)


class StoreCampaign(StoreMachine):
    pass


TestStoreCampaign = pytest.mark.long(StoreCampaign.TestCase)
TestStoreCampaign.settings = settings(deadline=None, max_examples=1000, stateful_step_count=50)


def test_ids_are_readable_and_sort_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunStore.open(tmp_path) as store:
        before = datetime.now(UTC).replace(microsecond=0)
        run_id = store.create_run({}, {}, "", {}, "first")
        record = store.run(run_id)
        assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run_id)
        started = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        assert before <= started <= record.created_at < started + timedelta(seconds=1)
        assert record.created_at.utcoffset() == timedelta(0)
        # Two runs of the same second that draw the same digits still get different ids.
        draws = iter(["abcd", "abcd", "abce"])
        now = datetime(2026, 11, 22, 7, 15, tzinfo=UTC)
        monkeypatch.setattr("qjax.store.progress.secrets.token_hex", lambda _: next(draws))
        monkeypatch.setattr("qjax.store.store.datetime", type("Clock", (), {"now": lambda _: now}))
        ids = [store.create_run({}, {}, "", {}, "same second") for _ in range(2)]
        assert ids == ["20261122-071500-abcd", "20261122-071500-abce"]
        # The clock went back: newest is what was created last all the same.
        assert [each.id for each in store.runs()] == [*ids[::-1], run_id]


def test_an_unknown_run_names_those_there_are(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        with pytest.raises(StoreError, match="still empty"):
            store.run("latest")
        ids = [store.create_run({}, {}, "", {}, "some") for _ in range(7)]
        newest = ", ".join(ids[:1:-1])
        for look in (store.run, store.metrics, store.evaluations, store.latest_checkpoint, store.resume_run):
            with pytest.raises(StoreError, match=f"no run `x1` .* newest first: {newest} and 2 more\\."):
                look("x1")
        with pytest.raises(StoreError, match="no run ``"):
            store.run("")
        with pytest.raises(StoreError, match="no run `x1`"):
            store.finish_run("x1", "failed", {})


def test_an_evaluation_at_the_checkpoint_is_replaced(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "again")
        old, new = (Evaluation(3, "test", loss, None, 1) for loss in (0.5, 0.25))
        store.append(run_id, example_run.steps_between(0, 3), b"", 3, [old])
        store.append(run_id, example_run.steps_between(3, 5), b"", 5, [new])
        assert store.evaluations(run_id) == (new,)
        with pytest.raises(StoreError, match="Pass evaluations of these steps only"):
            store.append(run_id, example_run.steps_between(5, 6), b"", 6, [old])


def test_of_equal_evaluations_the_last_counts_and_all_are_counted_once(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "twice")
        first, second, third = (Evaluation(2, "test", loss, None, 1) for loss in (0.5, 0.25, 0.125))
        train = Evaluation(2, "train", 0.75, 1.0, 1)
        store.append(run_id, example_run.steps_between(0, 2), b"", 2, [first, train, second])
        assert store.evaluations(run_id) == (second, train)
        later = Evaluation(3, "test", 0.0625, None, 1)
        store.append(run_id, example_run.steps_between(2, 3), b"", 3, [later, third])
        assert store.evaluations(run_id) == (third, train, later)


def test_an_exception_inside_an_append_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "stopped")
        example_run.write(store, run_id, 0, 10)
        steps = example_run.check(store, run_id)

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("qjax.store.history.write_checkpoint", interrupt)
            with pytest.raises(KeyboardInterrupt):
                example_run.write(store, run_id, steps, steps + 1)
        assert example_run.check(store, run_id) == steps
        example_run.write(store, run_id, steps, steps + 1)


def test_a_run_ends_with_its_last_steps_or_not_at_all(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "last")
        example_run.write(store, run_id, 0, 10)
        steps = example_run.check(store, run_id)
        stop = example_run.next_stop(steps)
        last = example_run.steps_between(steps, stop), example_run.payload_at(stop), stop
        evaluations = example_run.evaluations_at(stop)
        model = ModelRecord({"run": run_id}, b"parameters", datetime.now(UTC))
        with pytest.raises(ArgumentError, match="`summary` must hold JSON data"):
            store.append(run_id, *last, evaluations, end=RunEnd("finished", {"loss": object()}, model))
        assert example_run.check(store, run_id) == steps
        store.append(run_id, *last, evaluations, end=RunEnd("finished", {"loss": 0.5}, model))
        assert example_run.check(store, run_id) == stop
        run = store.run(run_id)
        assert (run.status, run.summary, run.ended_at is None) == ("finished", {"loss": 0.5}, False)
        with store.transaction("read") as connection:
            assert read_models(connection, store.path) == [model]
        with pytest.raises(StoreError, match="its status is finished"):
            store.append(run_id, example_run.steps_between(stop, stop + 1), b"", stop + 1)


def test_a_run_is_found_alone_as_among_all(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        for number in range(4):
            example_run.write(store, store.create_run({"n": number}, {}, "", {}, "one"), 0, 5 * number)
        found = store.runs()
        assert [run.config["n"] for run in found] == [3, 2, 1, 0]
        assert [store.run(run.id) for run in found] == found


@pytest.mark.parametrize(
    ("column", "values"),
    [("loss", [1.0]), ("step", [[0], [1]]), ("epoch", [0.5, 1.0]), ("loss", [1j, 2j]), ("batch", ["a", "b"])],
)
def test_columns_that_do_not_fit_are_refused(column: str, values: list[Any]) -> None:
    columns = vars(example_run.steps_between(0, 2)) | {column: np.array(values)}
    with pytest.raises(ArgumentError, match=f"`{column}` must|must have"):
        StepMetrics(**columns)


def test_columns_of_other_precision_are_widened() -> None:
    columns = {name: column.astype(column.dtype.kind + "4") for name, column in vars(STEPS).items()}
    widened = StepMetrics(**columns)
    for name, column in vars(STEPS).items():
        assert getattr(widened, name).dtype == column.dtype
        np.testing.assert_array_equal(getattr(widened, name), columns[name])


STEPS = example_run.steps_between(0, 5)


def test_arguments_that_cannot_be_stored_are_named(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        for name in ("", " ", "two\nlines", "\udc80"):
            with pytest.raises(ArgumentError, match="`name` must be printable text"):
                store.create_run({}, {}, "", {}, name)
        with pytest.raises(ArgumentError, match="`config` must hold JSON data only"):
            store.create_run({"path": tmp_path}, {}, "", {}, "name")
        run_id = store.create_run({}, {}, "", {}, "name")
        with pytest.raises(ArgumentError, match='`status` must be "finished"'):
            store.finish_run(run_id, "running", {})  # pyright: ignore[reportArgumentType]
        with pytest.raises(ArgumentError, match="`split` must be"):
            Evaluation(0, "validation", 0.0, None, 0)  # pyright: ignore[reportArgumentType]
        assert store.run(run_id).status == "running"
