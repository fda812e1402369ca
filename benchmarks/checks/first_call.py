"""Nothing is compiled per circuit: the first call costs little more than the next, at any depth."""

from __future__ import annotations

from benchmarks.cell import CASES, Cell, main_cells, model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.process import Worker
from benchmarks.table import duration

LIMIT = 0.15
_DEPTHS = (2, 512)
_PROCESSES = 3


def check(bench: Bench) -> list[Finding]:
    """First calls less steady calls, of the main cells and of a deep circuit."""
    cells = main_cells(CASES, ("spsa", "grad"))
    overheads = {cell: overhead(bench, cell) for cell in cells}
    worst = max(overheads, key=lambda cell: overheads[cell])
    shallow, deep = (overhead(bench, model(8, depth, 10)) for depth in _DEPTHS)
    return [
        Finding(
            "first call less a steady one, the most of all cells",
            f"< {duration(LIMIT)}",
            f"{duration(overheads[worst])} ({worst.label})",
            overheads[worst] < LIMIT,
        ),
        Finding(
            f"first call less a steady one, 8 qubits, {_DEPTHS[0]} and {_DEPTHS[1]} layers",
            f"< {duration(LIMIT)}, no growth",
            f"{duration(shallow)} and {duration(deep)}",
            max(shallow, deep) < LIMIT and deep < 1.5 * shallow,
        ),
    ]


def overhead(bench: Bench, cell: Cell) -> float:
    """Seconds of a first call less those of a steady one, the least of a few new processes."""
    least = float("inf")
    for _ in range(_PROCESSES):
        bench.say(f"first call: {cell.label}")
        with Worker(SUBJECT, cell, bench.cores) as worker:
            first = worker.ask({"do": "prepare"}, bench.limits.timeout)["seconds"]
            least = min(least, first - min(bench.take_turns([worker])[0]))
        if least < LIMIT:
            break
    return least
