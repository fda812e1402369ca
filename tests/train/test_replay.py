"""Runs replayed from their record alone, to the bit, and what a replay notices."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qjax.errors import StoreError
from qjax.store import RunStore
from qjax.store.sealed import read_rows, write_rows
from qjax.train import loop, train
from qjax.train.loop import DivergedError
from qjax.train.prepare import Prepared, make_executor, prepare
from qjax.train.replay import replay

from .problems import METHODS, Outside, Watcher, tiny


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)


@pytest.mark.parametrize("method", ["adjoint", "parameter_shift-shots", "spsa_subsampled-shots"])
def test_a_replay_agrees_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    with RunStore.open(tmp_path) as store:
        train(tiny(**METHODS[method], evaluate="epoch", optimizer="adam"), store=store)
        # Chunks of another length: numbers do not depend on them.
        monkeypatch.setattr(loop, "CHUNK_SECONDS", 1.0)
        found = replay(store, "latest")
    assert (found.agrees, found.steps, found.evaluations) == (True, 3, 2)


def test_a_replay_needs_nothing_but_the_store(tmp_path: Path) -> None:
    table = tmp_path / "data.csv"
    points = np.random.default_rng(0).normal(size=(24, 2))
    rows = [f"{x},{y},{'yes' if x > y else 'no'}" for x, y in points]
    table.write_text("\n".join(["x,y,label", *rows]))
    with RunStore.open(tmp_path / "runs") as store:
        train(tiny(dataset=str(table), num_samples=None), store=store)
        table.unlink()
        assert replay(store, "latest").agrees


def test_a_run_that_broke_off_is_replayed_as_far_as_it_got(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunStore.open(tmp_path) as store:
        with pytest.raises(KeyboardInterrupt):
            train(tiny(), store=store, observers=[Watcher(stop_at=2)])
        found = replay(store, "latest")
        assert (found.agrees, found.steps) == (True, store.run("latest").steps)
        fast = tiny(learning_rate=1e38, optimizer="sgd", loss="squared_error", head="linear", epochs=4)
        with pytest.raises(DivergedError):
            train(fast, store=store)
        steps = store.run("latest").steps
        monkeypatch.setattr(loop, "CHUNK_SECONDS", 1.0)
        if steps:
            assert replay(store, "latest").steps == steps
        else:
            with pytest.raises(StoreError, match="no step yet"):
                replay(store, "latest")


@pytest.mark.parametrize(
    ("method", "depth", "batching"), [("spsa-shots", 0, False), ("parameter_shift-shots", 2, True)]
)
def test_a_run_elsewhere_is_replayed_from_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, depth: int, batching: bool
) -> None:
    config = tiny(
        **METHODS[method],
        pipeline_depth=depth,
        enable_circuit_batching=batching,
        evaluate="end",
        batch_size=11,
    )
    simulator = make_executor(config)
    executor = Outside(simulator)
    with RunStore.open(tmp_path) as store:
        prepared = prepare(config, executor)
        with pytest.raises(KeyboardInterrupt):
            train(config, store=store, prepared=prepared, observers=[Watcher(stop_at=1)])
        train(config, store=store, prepared=prepared, resume="latest")
        # Whoever asks the executor again fails.
        monkeypatch.setattr(Outside, "expectations", None)
        monkeypatch.setattr(type(simulator), "expectations", None)
        found = replay(store, "latest")
        assert (found.agrees, found.steps, found.evaluations) == (True, 2, 2)
        change(store, "metrics", 4, 1, 1.0)
        assert str(replay(store, "latest").difference).startswith("the loss of step 1 was")
        with store.transaction("write") as connection:
            connection.execute("UPDATE answers SET payload = x'00'")
        with pytest.raises(StoreError, match="damaged"):
            replay(store, "latest")
        with store.transaction("write") as connection:
            # All but the evaluation at the end: which step was answered first, the threads decide.
            connection.execute("DELETE FROM answers WHERE rowid < (SELECT max(rowid) FROM answers)")
        difference = replay(store, "latest").difference
        assert difference is not None
        assert difference.what == "choice of circuits"


@pytest.fixture
def recorded(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        train(tiny(evaluate="end", epochs=2), store=store)
        yield store


def change(store: RunStore, table: str, column: int, row: int, step: float) -> None:
    """Writes another number into the record, seal and all."""
    with store.transaction("write") as connection:
        rows = read_rows(connection, store.path, table, "")
        values = list(rows[row])
        values[column] = math.nextafter(values[column], values[column] + step)
        write_rows(connection, table, [tuple(values)], replace=True)


@pytest.mark.parametrize(
    ("table", "column", "row", "what", "step"),
    [
        ("metrics", 4, 3, "loss", 3),
        ("metrics", 5, 1, "gradient norm", 1),
        ("evaluations", 3, 0, "test loss", 5),
    ],
)
def test_one_bit_in_the_record_is_noticed(
    recorded: RunStore, table: str, column: int, row: int, what: str, step: int
) -> None:
    change(recorded, table, column, row, 1.0)
    found = replay(recorded, "latest")
    assert not found.agrees
    assert found.difference is not None
    assert found.difference.what.startswith(what)
    assert found.difference.step == step
    assert found.difference.recorded != found.difference.replayed
    assert found.steps == (step if table == "metrics" else 6)
    assert str(step) in str(found.difference)


def test_another_circuit_and_other_data_are_noticed(
    recorded: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qjax.train import replay as module

    prepare_recorded = module.prepare_recorded

    def changed(**parts):
        def prepared(store, record, executor=None) -> Prepared:
            found = prepare_recorded(store, record, executor)
            return replace(found, **{name: make(found) for name, make in parts.items()})

        return prepared

    other = prepare_recorded(recorded, recorded.run("latest")).model
    for parts, what in (
        ({"model": lambda found: replace(other, circuit=other.circuit.inverse())}, "hash of the circuit"),
        ({"features": lambda found: np.nextafter(found.features, 9)}, "prepared features"),
        ({"order": lambda found: found.order[::-1]}, "split of the samples"),
        ({"config": lambda found: replace(found.config, seed=9)}, "choice of samples"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, "prepare_recorded", changed(**parts))
            difference = replay(recorded, "latest").difference
        assert difference is not None
        assert difference.what == what


def test_what_cannot_be_replayed_is_named(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        with pytest.raises(StoreError):
            replay(store, "latest")
        store.create_run(tiny().to_mapping(), {}, "", {}, "new")
        with pytest.raises(StoreError, match="no step yet"):
            replay(store, "latest")
        store.create_run(
            tiny(gradient_method="parameter_shift", executor="ionq").to_mapping(), {}, "", {}, "x"
        )
