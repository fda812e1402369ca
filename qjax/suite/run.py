"""Runs a suite cell by cell; what the run store holds already is not done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qjax import data
from qjax.errors import QjaxError
from qjax.store import RunRecord, RunStore, describe_environment
from qjax.suite.suite import FROZEN, Cell, Suite, SuiteError
from qjax.train.baselines import Baseline, linear_model, support_vector_machine
from qjax.train.config import TrainingConfig
from qjax.train.loop import DivergedError
from qjax.train.observers import Observer
from qjax.train.prepare import Prepared, prepare
from qjax.train.run import train

CLASSICAL = {"linear model": linear_model, "support vector machine": support_vector_machine}
"""Classical baselines by the name under which a run is recorded; each takes what a training takes."""


@dataclass(frozen=True)
class CellResult:
    """What a cell came to.

    Args:
        cell: the cell; a classical baseline is one too, with its name for the method.
        run: id of its run in the store.
        train_score: accuracy, or R^2 in regression, on the training part; None where training diverged.
        test_score: the same on the test part.
        score_name: "accuracy" or "r2".
        circuits: circuits executed for gradients; None for classical baselines.
        jobs: submissions for gradients.
        seconds: time of the training steps on this machine, without compilation.
        failure: why training diverged, or None.
    """

    cell: Cell
    run: str
    train_score: float | None
    test_score: float | None
    score_name: str
    circuits: int | None = None
    jobs: int | None = None
    seconds: float | None = None
    failure: str | None = None


class Progress:
    """What watches a suite; this one sees nothing."""

    def on_start(self, cell: Cell, num_steps: int) -> Sequence[Observer]:
        """Called before a cell is trained; gives the observers of its training."""
        del cell, num_steps
        return ()

    def on_result(self, result: CellResult) -> None:
        """Called with the result of every cell, done now or found in the store."""


def run_suite(suite: Suite, store: RunStore, progress: Progress | None = None) -> list[CellResult]:
    """Runs what is left of a suite, and gives the results of all of it.

    A cell is found in the store by its configuration, whatever suite it belonged to: a finished run is taken
    as it is, and one that was broken off goes on from its last checkpoint. Where the data is a file, it must
    be the same data still. A training that diverges is recorded as failed, and tried again the next time.

    Args:
        suite: the suite.
        store: where its runs are recorded.
        progress: watches.

    Returns:
        The results, cell by cell, each dataset's and model's classical baselines after its frozen twin.

    Raises:
        QjaxError: if a cell cannot work, or the store cannot be written. What was done is kept.
    """
    progress = progress or Progress()
    known = _KnownRuns(store)
    prepared = _check(suite, known)
    results: list[CellResult] = []
    for cell in suite.cells:
        results.append(_run_cell(suite, cell, store, known, prepared.pop(cell.config, None), progress))
        progress.on_result(results[-1])
        if cell.method == FROZEN:
            for method, fit in CLASSICAL.items():
                results.append(_run_classical(suite, replace(cell, method=method), store, known, fit))
                progress.on_result(results[-1])
    return results


class _KnownRuns:
    """The store's runs by configuration, read once."""

    def __init__(self, store: RunStore):
        self._store = store
        self._by_config: dict[tuple[str | None, TrainingConfig], list[RunRecord]] = {}
        self._hashes: dict[TrainingConfig, str | None] = {}
        for record in store.runs():
            values = dict(record.config)
            method = values.pop("baseline", None)
            try:
                key = (method, TrainingConfig.from_mapping(values))
            except QjaxError:  # of another version
                continue
            self._by_config.setdefault(key, []).append(record)

    def find(self, config: TrainingConfig, baseline: str | None = None) -> RunRecord | None:
        """The finished run of a configuration, or else the newest that can go on; None without any."""
        records = [
            record
            for record in self._by_config.get((baseline, config), ())
            if record.status != "failed" and self._has_same_data(record, config)
        ]
        return next((r for r in records if r.status == "finished"), next(iter(records), None))

    def newest(self, config: TrainingConfig) -> str:
        """Id of the run of a configuration that was created last."""
        return self._by_config[None, config][0].id

    def _has_same_data(self, record: RunRecord, config: TrainingConfig) -> bool:
        if Path(config.dataset).suffix.lower() not in (".csv", ".npz"):
            return True
        if config not in self._hashes:
            self._hashes[config] = _load(config).content_hash
        return record.environment.get("dataset", {}).get("content_hash") == self._hashes[config]


def _load(config: TrainingConfig) -> data.Dataset:
    return data.load(
        config.dataset,
        target=config.target,
        task=config.task,
        num_samples=config.num_samples,
        seed=config.seed,
    )


def _check(suite: Suite, known: _KnownRuns) -> dict[TrainingConfig, Prepared]:
    """Prepares one cell of every kind that is left, so that what cannot work is said before any work."""
    prepared: dict[TrainingConfig, Prepared] = {}
    seen: set[tuple[str, str, str]] = set()
    for cell in suite.cells:
        kind = (cell.dataset, cell.model, cell.method)
        record = known.find(cell.config)
        if kind in seen or (record is not None and record.status == "finished"):
            continue
        seen.add(kind)
        prepared[cell.config] = _prepare(cell)
    return prepared


def _prepare(cell: Cell) -> Prepared:
    try:
        return prepare(cell.config)
    except QjaxError as error:
        raise SuiteError(f"{cell}: {error}") from None


def _run_cell(
    suite: Suite,
    cell: Cell,
    store: RunStore,
    known: _KnownRuns,
    prepared: Prepared | None,
    progress: Progress,
) -> CellResult:
    record = known.find(cell.config)
    if record is None or record.status != "finished":
        prepared = prepared or _prepare(cell)
        observers = progress.on_start(cell, prepared.loader().num_steps)
        resume = None if record is None else record.id
        try:
            result = train(
                cell.config,
                store=store,
                resume=resume,
                name=suite.name,
                observers=observers,
                prepared=prepared,
            )
        except DivergedError as error:
            return CellResult(
                cell, store.run("latest").id, None, None, _score_name(prepared), failure=str(error)
            )
        record = store.run(result.run)
    summary = record.summary or {}
    score_name = "r2" if "test_r2" in summary else "accuracy"
    return CellResult(
        cell,
        record.id,
        summary.get(f"train_{score_name}"),
        summary.get(f"test_{score_name}"),
        score_name,
        circuits=summary.get("gradient_circuits"),
        jobs=summary.get("jobs"),
        seconds=float(store.metrics(record.id).circuit_time_ms.sum()) / 1000,
    )


def _run_classical(
    suite: Suite,
    cell: Cell,
    store: RunStore,
    known: _KnownRuns,
    fit: Callable[[Prepared], Baseline],
) -> CellResult:
    # Only data, split, number of features and seed matter to it, but a record of its own keeps this simple.
    record = known.find(cell.config, cell.method)
    if record is None or record.status != "finished":
        prepared = _prepare(cell)
        baseline = fit(prepared)
        score_name = _score_name(prepared)
        run = store.create_run(
            {"baseline": cell.method, **cell.config.to_mapping()},
            prepared.model.circuit.to_json(),
            prepared.model.circuit.content_hash,
            {**describe_environment(), "dataset": {"content_hash": prepared.dataset.content_hash}},
            f"{suite.name}: {baseline.name}",
        )
        summary: dict[str, Any] = {
            "name": baseline.name,
            f"train_{score_name}": baseline.train_score,
            f"test_{score_name}": baseline.test_score,
        }
        store.finish_run(run, "finished", summary)
        record = store.run(run)
    summary = dict(record.summary or {})
    score_name = "r2" if "test_r2" in summary else "accuracy"
    return CellResult(
        replace(cell, method=summary["name"]),
        record.id,
        summary[f"train_{score_name}"],
        summary[f"test_{score_name}"],
        score_name,
    )


def _score_name(prepared: Prepared) -> str:
    return "r2" if prepared.model.task == "regression" else "accuracy"
