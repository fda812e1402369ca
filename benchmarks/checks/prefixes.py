"""All shifted sets take less than as many unrelated ones: what comes before a shift is simulated once."""

from __future__ import annotations

from statistics import median

from benchmarks.cell import model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.peers.registry import UNRELATED_SETS
from benchmarks.process import Worker
from benchmarks.table import duration, number

GOAL = 0.8
_CELLS = (model(8, 8, 10, "pshift"), model(12, 8, 16, "pshift"))


def check(bench: Bench) -> list[Finding]:
    """Time of the shifted sets over that of unrelated ones, at eight layers."""
    findings = []
    for cell in _CELLS:
        bench.say(f"prefixes: {cell.label}")
        with (
            Worker(SUBJECT, cell, bench.cores) as shifted,
            Worker(UNRELATED_SETS, cell, bench.cores) as unrelated,
        ):
            for worker in (shifted, unrelated):
                worker.ask({"do": "prepare"}, bench.limits.timeout)
            times = bench.take_turns([shifted, unrelated])
        ratio = median(a / b for a, b in zip(*times, strict=True))
        found = f"{number(ratio)} ({duration(min(times[0]))})"
        findings.append(
            Finding(f"shifted sets over unrelated ones: {cell.label}", f"< {GOAL}", found, ratio < GOAL)
        )
    return findings
