"""What a suite came to: one row for each dataset, model and method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qjax.suite.run import CellResult
from qjax.suite.statistics import CONFIDENCE, Interval, mean_interval
from qjax.suite.suite import Suite

SIMULATOR_ONLY = ("adjoint",)
"""Gradient methods that need the state itself, so that no hardware can run them."""


@dataclass(frozen=True)
class Row:
    """One row of the table; numbers but scores are means over seeds.

    Args:
        dataset: what the suite calls the dataset.
        model: name of the model.
        method: name of the method or of the baseline.
        score_name: "accuracy" or "r2".
        test: test score; None where all trainings failed.
        train: training score.
        test_scores: test scores by seed.
        circuits: circuits executed for gradients; None for classical baselines.
        jobs: submissions for gradients.
        seconds: time of the training steps on this machine.
        hardware_seconds: the time that circuits and jobs would take on the modelled hardware; None for what
            cannot run there.
        runs: ids of the runs.
        failures: why trainings failed.
    """

    dataset: str
    model: str
    method: str
    score_name: str
    test: Interval | None
    train: Interval | None
    test_scores: tuple[float, ...]
    circuits: float | None
    jobs: float | None
    seconds: float | None
    hardware_seconds: float | None
    runs: tuple[str, ...]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """What a suite came to.

    Args:
        suite: the suite.
        rows: its rows, in the order of the suite.
    """

    suite: Suite
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "suite": self.suite.name,
            "seeds": list(self.suite.seeds),
            "confidence": CONFIDENCE,
            "interval": "Student t over seeds",
            "latency": asdict(self.suite.latency),
            "rows": [asdict(row) for row in self.rows],
        }

    @property
    def caption(self) -> str:
        """How the table's numbers are meant."""
        latency = self.suite.latency
        count = len(self.suite.seeds)
        intervals = f"± {CONFIDENCE:.0%} Student t interval" if count > 1 else "no interval from one seed"
        return (
            f"Means over {count} seed{'s' * (count > 1)}, {intervals}. Circuits and jobs are those of "
            f"gradients; time here is that of training steps, and on hardware "
            f"{latency.seconds_per_job:g} s a job and {latency.seconds_per_circuit:g} s a circuit."
        )


def make_report(suite: Suite, results: Sequence[CellResult]) -> Report:
    """Puts results together.

    Args:
        suite: the suite.
        results: the results of its cells.

    Returns:
        The report.
    """
    groups: dict[tuple[str, str, str], list[CellResult]] = {}
    for result in results:
        groups.setdefault((result.cell.dataset, result.cell.model, result.cell.method), []).append(result)
    return Report(suite, tuple(_row(suite, *key, members) for key, members in groups.items()))


def _row(suite: Suite, dataset: str, model: str, method: str, members: Sequence[CellResult]) -> Row:
    circuits, jobs, seconds = (
        _mean(getattr(member, name) for member in members) for name in ("circuits", "jobs", "seconds")
    )
    hardware_seconds = None
    if members[0].cell.config.gradient_method not in SIMULATOR_ONLY and None not in (circuits, jobs):
        hardware_seconds = suite.latency.seconds(circuits or 0, jobs or 0)
    tests = tuple(member.test_score for member in members if member.test_score is not None)
    trains = [member.train_score for member in members if member.train_score is not None]
    return Row(
        dataset,
        model,
        method,
        members[0].score_name,
        mean_interval(tests) if tests else None,
        mean_interval(trains) if trains else None,
        tests,
        circuits,
        jobs,
        seconds,
        hardware_seconds,
        tuple(member.run for member in members),
        tuple(member.failure for member in members if member.failure is not None),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None
