"""Two cores against one."""

from __future__ import annotations

from statistics import median

from benchmarks.cell import model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.process import Worker
from benchmarks.table import duration, number

GOAL = 1.7
_CELLS = (
    model(12, 4, 64, "spsa"),
    model(12, 4, 64, "grad"),
    model(16, 8, 8, "spsa"),
    model(16, 8, 8, "grad"),
    model(20, 10, 1, "spsa"),
    model(24, 4, 1, "spsa"),
)
_LEAST = 1e-3


def check(bench: Bench) -> list[Finding]:
    """Time on one core over time on two, for work above a millisecond on one."""
    if len(bench.cores) < 2:
        return [Finding("two cores over one", f"{GOAL}x", "run with --cores 2", None)]
    findings = []
    for cell in _CELLS:
        bench.say(f"cores: {cell.label}")
        with Worker(SUBJECT, cell, bench.cores[:1]) as one, Worker(SUBJECT, cell, bench.cores[:2]) as two:
            for worker in (one, two):
                worker.ask({"do": "prepare"}, bench.limits.timeout)
            single, double = bench.take_turns([one, two])
        ratio = median(a / b for a, b in zip(single, double, strict=True))
        found = f"{number(ratio)}x ({duration(min(single))} on one)"
        holds = ratio >= GOAL if min(single) > _LEAST else None
        findings.append(Finding(f"two cores over one: {cell.label}", f"{GOAL}x", found, holds))
    return findings
