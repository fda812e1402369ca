"""Measures peers at cells, each beside this project, in turn, so that a drift of the machine hits both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from benchmarks.answers import TOLERANCE, deviation
from benchmarks.cell import Cell
from benchmarks.peers import REFERENCE, SUBJECT, load
from benchmarks.process import Worker, WorkerFailure, WorkerTimeout
from benchmarks.rows import Row, RowFile


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
    """Measures what is not in the file yet.

    Args:
        rows: the file.
        cores: cores to run on.
        limits: the limits.
        say: shows a line of progress.
    """

    def __init__(self, rows: RowFile, cores: tuple[int, ...], limits: Limits, say: Callable[[str], None]):
        self.rows, self.cores, self.limits, self._say = rows, cores, limits, say
        self._references: dict[str, list[float]] = {}

    def run(self, cells: Iterable[Cell], peers: Iterable[str], *, is_sweep: bool = False) -> None:
        """Measures all peers at all cells.

        Args:
            cells: the cells, small ones first.
            peers: names of peers.
            is_sweep: whether a peer that gave nothing at one cell is not tried at the later ones.
        """
        peers, lost = tuple(peers), {}
        for cell in cells:
            for peer in peers:
                row = self.rows.rows.get((peer, cell.name, len(self.cores)))
                if row is None:
                    self._say(f"{cell.label}: {load(peer).title}")
                    row = lost[peer] if peer in lost else self._measure(peer, cell)
                    row = Row(**{**row.__dict__, "cell": cell.name})
                    self.rows.add(row)
                if is_sweep and row.status in ("timeout", "failed"):
                    note = f"gave nothing at {cell.label}"
                    lost[peer] = Row(peer, cell.name, len(self.cores), "not tried", note)

    def _measure(self, name: str, cell: Cell) -> Row:
        peer, key = load(name), (name, cell.name, len(self.cores))
        if peer.versions is None:
            return Row(*key, "absent", f"needs {', '.join(peer.packages)}")
        if cell.task not in peer.tasks:
            return Row(*key, "no way", "")
        try:
            reference = self.reference(cell)
        except (WorkerTimeout, WorkerFailure) as problem:
            return Row(*key, "failed", f"no reference to compare with: {problem}")
        try:
            with Worker(name, cell, self.cores) as worker:
                first = worker.ask({"do": "prepare"}, self.limits.timeout)
                off = deviation(first["answer"], reference)
                if off > TOLERANCE:
                    return Row(*key, "wrong", f"off by {off:.1e}", first=first["seconds"], deviation=off)
                steady, subject_steady, ratio = self._rounds(name, worker, cell)
                peak = worker.peak_rss
        except WorkerTimeout as problem:
            return Row(*key, "timeout", str(problem))
        except WorkerFailure as problem:
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
                self._references[cell.name] = worker.ask({"do": "prepare"}, 10 * self.limits.timeout)["answer"]
        return self._references[cell.name]
