"""Measures peers at cells, each beside this project, in turn, so that a drift of the machine hits both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from statistics import median

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
            for peer in peers:
                row = self._row(peer, cell, lost.get(peer))
                if is_sweep and row.status in ("timeout", "failed"):
                    lost[peer] = f"gave nothing at {cell.label}"
                rows.append(row)
        return rows

    def _row(self, peer: str, cell: Cell, lost: str | None) -> Row:
        name = row_name(peer, cell.name, len(self.cores))
        if name in self.journal.results:
            row = Row(**self.journal.results[name])
            if self._is_enough(row):
                return row
        if lost is None:
            self.say(f"{cell.label}: {load(peer).title}")
            row = self._measure(peer, cell)
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

    def _measure(self, name: str, cell: Cell) -> Row:
        peer, key = load(name), (name, cell.name, len(self.cores))
        if peer.versions is None:
            return Row(*key, "absent", f"needs {', '.join(peer.packages)}")
        if cell.task not in peer.tasks:
            return Row(*key, "no way", "")
        try:
            reference = self.reference(cell)
        except (WorkerTimeoutError, WorkerFailureError) as problem:
            return Row(*key, "failed", f"no reference to compare with: {problem}")
        try:
            with Worker(name, cell, self.cores) as worker:
                first = worker.ask({"do": "prepare"}, self.limits.timeout)
                off = deviation(first["answer"], reference)
                if off > TOLERANCE:
                    return Row(*key, "wrong", f"off by {off:.1e}", first=first["seconds"], deviation=off)
                steady, subject_steady, ratio = self._rounds(name, worker, cell)
                peak = worker.peak_rss
        except WorkerTimeoutError as problem:
            return Row(*key, "timeout", str(problem))
        except WorkerFailureError as problem:
            return Row(*key, "failed", str(problem))
        return Row(
            *key,
            "measured",
            first=first["seconds"],
            steady=steady,
            subject_steady=subject_steady,
            ratio=ratio,
            deviation=off,
            peak_rss=peak,
        )

    def _rounds(self, name: str, worker: Worker, cell: Cell) -> tuple[float, float, float]:
        if name == SUBJECT:
            shortest = min(self.take_turns([worker])[0])
            return shortest, shortest, 1.0
        with Worker(SUBJECT, cell, self.cores) as subject:
            subject.ask({"do": "prepare"}, self.limits.timeout)
            ours, theirs = self.take_turns([subject, worker])
        ratio = median(b / a for a, b in zip(ours, theirs, strict=True))
        return min(theirs), min(ours), ratio

    def take_turns(self, workers: list[Worker]) -> list[list[float]]:
        """Measures prepared workers in turn.

        Args:
            workers: the workers.

        Returns:
            For each worker its shortest time in each round.
        """
        times: list[list[float]] = [[] for _ in workers]
        spent = 0.0
        for _ in range(self.limits.rounds):
            for worker, own in zip(workers, times, strict=True):
                reply = worker.ask(self.limits.order, self.limits.timeout)
                own.append(reply["seconds"])
                spent += reply["seconds"] * reply["calls"]
            if spent > self.limits.patience:
                break
        return times

    def reference(self, cell: Cell) -> list[float]:
        """The right answer of a cell, computed once."""
        if cell.name not in self._references:
            with Worker(REFERENCE, cell, self.cores) as worker:
                self._references[cell.name] = worker.ask({"do": "prepare"}, REFERENCE_LIMIT)["answer"]
        return self._references[cell.name]
