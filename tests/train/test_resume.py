"""Runs that were broken off: what is kept, and that going on gives the numbers of an unbroken run."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from qjax.errors import StoreError
from qjax.store import RunStore, StepMetrics
from qjax.train import TrainingConfig, loop, train
from qjax.train.checkpoint import state_from_bytes, state_to_bytes
from qjax.train.loop import DivergedError, StepTimeoutError
from qjax.train.prepare import prepare
from qjax.train.run import initial_state

from .problems import METHODS, Watcher, tiny

WHEN = ("seconds_training", "seconds_to_first_step", "run")


def trained(
    store: RunStore, config: TrainingConfig, run: str | None = None, stop_at: int | None = None
) -> str:
    """Trains, or goes on with a run, until a step; returns the run's id."""
    observers = [Watcher(stop_at=stop_at)]
    if stop_at is None:
        return train(config, store=store, resume=run, observers=observers).run
    with pytest.raises(KeyboardInterrupt):
        train(config, store=store, resume=run, observers=observers)
    return store.runs()[0].id


def numbers(store: RunStore, run: str) -> dict[str, Any]:
    """All that a run has recorded, but for what depends on the clock."""
    record, metrics, checkpoint = store.run(run), store.metrics(run), store.latest_checkpoint(run)
    assert checkpoint is not None
    assert record.summary is not None
    assert metrics.step.tolist() == list(range(record.steps))
    columns = {name: column.tobytes() for name, column in vars(metrics).items() if name != "circuit_time_ms"}
    return {
        "status": record.status,
        "summary": {key: value for key, value in record.summary.items() if key not in WHEN},
        "metrics": columns,
        "evaluations": [asdict(evaluation) for evaluation in store.evaluations(run)],
        "checkpoint": (checkpoint.step, checkpoint.payload),
    }


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with RunStore.open(tmp_path / "runs") as opened:
        yield opened


@pytest.mark.parametrize(
    ("method", "stops"),
    [
        ("adjoint", [2]),
        ("spsa_subsampled-shots", [3]),
        *[
            pytest.param(method, [1, 2, 3, 4], marks=pytest.mark.long)
            for method in METHODS
            if method != "adjoint"
        ],
    ],
)
def test_a_resumed_run_is_an_unbroken_one_to_the_bit(store: RunStore, method: str, stops: list[int]) -> None:
    # Two steps an epoch, the second with fewer samples.
    usual = {"epochs": 2, "batch_size": 12, "evaluate": "epoch", "optimizer": "adam", "schedule": "cosine"}
    config = tiny(**usual, **METHODS[method])
    unbroken = numbers(store, trained(store, config))
    assert unbroken["status"] == "finished"
    for stop in stops:
        run = trained(store, config, stop_at=stop)
        record = store.run(run)
        assert (record.status, record.steps) == ("interrupted", stop)
        assert trained(store, config, run) == run
        assert numbers(store, run) == unbroken
    # Broken off again and again, once at every step.
    run = trained(store, config, stop_at=1)
    for stop in range(2, 5):
        assert trained(store, config, run, stop) == run
    trained(store, config, run)
    assert numbers(store, run) == unbroken
    assert len(store.runs()) == len(stops) + 2


def test_a_regression_that_had_but_to_be_closed_keeps_its_scores(store: RunStore) -> None:
    config = tiny(dataset="diabetes", num_samples=40, batch_size=32, evaluate="end")
    unbroken = numbers(store, trained(store, config))
    run = trained(store, config, stop_at=1)
    trained(store, config, run)
    assert numbers(store, run) == unbroken
    assert all(np.isfinite(unbroken["summary"][name]) for name in ("train_r2", "test_r2"))


def test_a_run_that_was_stopped_before_its_first_step_begins_anew(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("qjax.train.run.run_loop", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(tiny(), store=store)
    (record,) = store.runs()
    assert (record.status, record.steps) == ("interrupted", 0)
    trained(store, tiny(), record.id)
    assert numbers(store, record.id) == numbers(store, trained(store, tiny()))


def test_a_finished_run_stays_as_it_is_and_tells_its_result_again(tmp_path: Path) -> None:
    config = tiny(evaluate="end")
    with RunStore.open(tmp_path) as store:
        result = train(config, store=store)
    before = (tmp_path / "runs.sqlite").read_bytes()
    with RunStore.open(tmp_path) as store:
        watcher = Watcher()
        assert train(config, store=store, resume=result.run, observers=[watcher]) == result
        assert watcher.chunks == []
    assert (tmp_path / "runs.sqlite").read_bytes() == before


def test_a_run_whose_data_changed_is_not_gone_on_with(store: RunStore, tmp_path: Path) -> None:
    def write(shift: float) -> None:
        random = np.random.default_rng(0)
        rows = [
            f"{a + shift:.3f},{b:.3f},{'yes' if a * b > 0 else 'no'}" for a, b in random.normal(size=(28, 2))
        ]
        (tmp_path / "table.csv").write_text("a,b,label\n" + "\n".join(rows) + "\n")

    write(0.0)
    config = tiny(dataset=str(tmp_path / "table.csv"))
    run = trained(store, config, stop_at=1)
    before = numbers(store, run)
    write(0.5)
    with pytest.raises(StoreError, match="was trained on other data than"):
        train(config, store=store, resume=run)
    assert numbers(store, run) == before
    assert len(store.runs()) == 1
    write(0.0)
    trained(store, config, run)
    assert store.run(run).status == "finished"


def test_a_run_whose_step_took_too_long_is_checkpointed_and_goes_on(store: RunStore) -> None:
    impatient = tiny(batch_submission_timeout=1e-9)
    with pytest.raises(StepTimeoutError):
        train(impatient, store=store)
    (record,) = store.runs()
    assert (record.status, record.steps) == ("interrupted", 1)
    trained(store, replace(impatient, batch_submission_timeout=300.0), record.id)
    assert numbers(store, record.id) == numbers(store, trained(store, tiny()))


@pytest.mark.parametrize("learning_rate", [1e30, 3e38])
def test_a_run_that_diverged_says_so_in_the_store(store: RunStore, learning_rate: float) -> None:
    # So few steps that the last one may be the first whose result is no number.
    config = tiny(
        learning_rate=learning_rate, loss="squared_error", evaluate="end", num_samples=12, batch_size=8
    )
    with pytest.raises(DivergedError) as caught:
        train(config, store=store)
    (record,) = store.runs()
    assert record.status == "failed"
    assert record.summary == {"error": str(caught.value)}
    assert np.isfinite(store.metrics(record.id).loss).all()
    with pytest.raises(DivergedError, match="Lower `learning_rate`"):
        train(config, store=store, resume=record.id)


def test_a_store_that_fails_in_the_middle_loses_nothing_before(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RunStore.append

    def full_disk(self: RunStore, run_id: str, steps: StepMetrics, *args: Any, **options: Any) -> None:
        # Steps that wait for the writer together are written together.
        if steps.step[-1] >= 2:
            raise StoreError("The disk is full. Free some space.")
        append(self, run_id, steps, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(RunStore, "append", full_disk)
        with pytest.raises(StoreError, match="disk is full"):
            train(tiny(), store=store)
    (record,) = store.runs()
    assert record.status == "failed"
    assert record.steps <= 2
    assert len(store.batches(record.id).indices) == record.steps
    trained(store, tiny(), record.id)
    assert numbers(store, record.id) == numbers(store, trained(store, tiny()))


def test_a_state_survives_bytes_and_fits_only_its_own_configuration() -> None:
    state = initial_state(prepare(tiny(optimizer="adam")))
    again = state_from_bytes(state, state_to_bytes(state))
    assert state_to_bytes(again) == state_to_bytes(state)
    assert jax.random.bits(again.key) == jax.random.bits(state.key)
    assert jax.tree.structure(again) == jax.tree.structure(state)
    for other in (tiny(optimizer="sgd"), tiny(optimizer="adam", num_layers=2)):
        with pytest.raises(StoreError, match="does not fit the run's configuration"):
            state_from_bytes(initial_state(prepare(other)), state_to_bytes(state))
