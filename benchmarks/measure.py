"""Measures peers at cells, each beside this project, in turn, so that a drift of the machine hits both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from benchmarks.answers import TOLERANCE, deviation
from benchmarks.cell import Cell
from benchmarks.journal import Journal
from benchmarks.peers import REFERENCE, SUBJECT, load
from benchmarks.process import Worker, WorkerFailureError, WorkerTimeoutError
from benchmarks.rows import Row, row_name

REFERENCE_LIMIT = 1800.0
"""Seconds for the right answer of a cell."""


@dataclass(frozen=True)
class Limits:
    """How long things may take.

    Args:
        timeout: seconds for a first call, or for one measurement.
        rounds: how often a peer and this project take turns.
        round_seconds: how long each calls in a round; one call at least.
        patience: seconds of turns after which no further round starts.
    """

    timeout: float = 300.0
    rounds: int = 7
    round_seconds: float = 0.3
    patience: float = 60.0

    @property
    def order(self) -> dict[str, object]:
        """The order of one round."""
        return {"do": "measure", "seconds": self.round_seconds, "max_calls": 100_000}


class Bench:
    """Measures what is not in the journal yet.

    Args:
        journal: the results.
        cores: cores to run on.
        limits: the limits.
        say: shows a line of progress.
    """

    def __init__(self, journal: Journal, cores: tuple[int, ...], limits: Limits, say: Callable[[str], None]):
        self.journal, self.cores, self.limits, self.say = journal, cores, limits, say
        self._references: dict[str, list[float]] = {}

    def with_limits(self, limits: Limits) -> Bench:
        """The same with other patience."""
        return Bench(self.journal, self.cores, limits, self.say)

    def run(self, cells: Iterable[Cell], peers: Iterable[str], *, is_sweep: bool = False) -> list[Row]:
        """Measures all peers at all cells.

        Args:
            cells: the cells, small ones first.
            peers: names of peers.
            is_sweep: whether a peer that gave nothing at one cell is not tried at the later ones.

        Returns:
            The rows.
        """
        rows: list[Row] = []
        peers = tuple(peers)
        lost: dict[str, str] = {}
        for cell in cells:
            with _Subject(cell, self) as subject:
                for peer in peers:
                    row = self._row(peer, subject, lost.get(peer))
                    if is_sweep and row.status in ("timeout", "failed"):
                        lost[peer] = f"gave nothing at {cell.label}"
                    rows.append(row)
        return rows

    def _row(self, peer: str, subject: _Subject, lost: str | None) -> Row:
        cell = subject.cell
        name = row_name(peer, cell.name, len(self.cores))
        if name in self.journal.results:
            row = Row(**self.journal.results[name])
            if self._is_enough(row):
                return row
        if lost is None:
            self.say(f"{cell.label}: {load(peer).title}")
            row = self._measure(peer, subject)
        else:
            row = Row(peer, cell.name, len(self.cores), "not tried", lost)
        row = replace(row, timeout=self.limits.timeout, rounds=self.limits.rounds)
        self.journal.add(name, row.to_json())
        return row

    def _is_enough(self, row: Row) -> bool:
        """Whether a row was measured with no less patience than this run has."""
        if row.status in ("timeout", "not tried"):
            return row.timeout >= self.limits.timeout
        return row.status in ("absent", "no way", "wrong") or row.rounds >= self.limits.rounds

    def _measure(self, name: str, subject: _Subject) -> Row:
        peer, cell = load(name), subject.cell
        key = (name, cell.name, len(self.cores))
        if peer.versions is None:
            return Row(*key, "absent", f"needs {', '.join(peer.packages)}")
        if cell.task not in peer.tasks:
            return Row(*key, "no way")
        try:
            reference = self.reference(cell)
        except (WorkerTimeoutError, WorkerFailureError) as problem:
            return Row(*key, "failed", f"no reference to compare with: {problem}")
        try:
            if name == SUBJECT:
                return self._compared(Row(*key, "measured"), subject.worker, reference, None)
            with Worker(name, cell, self.cores) as worker:
                return self._compared(Row(*key, "measured"), worker, reference, subject)
        except WorkerFailureError as problem:
            return Row(*key, "failed", str(problem))

    def _compared(self, row: Row, worker: Worker, reference: list[float], subject: _Subject | None) -> Row:
        """The row of a worker: its first call, its answer, and then its steady time beside the subject's."""
        try:
            first = worker.ask({"do": "prepare"}, self.limits.timeout)
            off = deviation(first["answer"], reference)
            row = replace(row, first=first["seconds"], deviation=off)
            if off > TOLERANCE:
                return replace(row, status="wrong", note=f"off by {off:.1e}")
            if subject is None:
                shortest = min(self.take_turns([worker])[0])
                row = replace(row, steady=shortest, subject_steady=shortest, ratio=1.0)
            else:
                ours, theirs = self.take_turns([subject.prepared(), worker])
                ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
                row = replace(row, steady=min(theirs), subject_steady=min(ours), ratio=ratio)
            return replace(row, peak_rss=worker.peak_rss)
        except WorkerTimeoutError as problem:
            return replace(row, status="timeout", note=str(problem))
        except WorkerFailureError as problem:
            return replace(row, status="failed", note=str(problem))

    def take_turns(
        self, workers: list[Worker], statistic: Literal["seconds", "mean"] = "seconds"
    ) -> list[list[float]]:
        """Measures prepared workers in turn.

        Args:
            workers: the workers.
            statistic: of the calls of a round, the shortest ("seconds") or the mean.

        Returns:
            For each worker its time in each round.
        """
        times: list[list[float]] = [[] for _ in workers]
        spent = 0.0
        for _ in range(self.limits.rounds):
            for worker, own in zip(workers, times, strict=True):
                reply = worker.ask(self.limits.order, self.limits.timeout)
                own.append(reply[statistic])
                spent += reply["mean"] * reply["calls"]
            if spent > self.limits.patience:
                break
        return times

    def reference(self, cell: Cell) -> list[float]:
        """The right answer of a cell, computed once."""
        if cell.name not in self._references:
            with Worker(REFERENCE, cell, self.cores) as worker:
                self._references[cell.name] = worker.ask({"do": "prepare"}, REFERENCE_LIMIT)["answer"]
        return self._references[cell.name]


class _Subject:
    """This project's worker at a cell, beside which all peers are measured; started when it is needed."""

    def __init__(self, cell: Cell, bench: Bench):
        self.cell = cell
        self._bench = bench
        self._worker: Worker | None = None
        self._is_prepared = False

    @property
    def worker(self) -> Worker:
        """The worker, which has run nothing if it was not asked to."""
        if self._worker is None or not self._worker.is_alive:
            self._is_prepared = False
            self._worker = Worker(SUBJECT, self.cell, self._bench.cores)
        return self._worker

    def prepared(self) -> Worker:
        """The worker after its first call."""
        worker = self.worker
        if not self._is_prepared:
            worker.ask({"do": "prepare"}, self._bench.limits.timeout)
            self._is_prepared = True
        return worker

    def __enter__(self) -> _Subject:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.close()
