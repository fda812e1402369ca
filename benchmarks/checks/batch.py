"""A large batch costs no more per circuit than a small one."""

from __future__ import annotations

from statistics import median

from benchmarks.cell import model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.process import Worker
from benchmarks.table import number

_SMALL, _LARGE = 64, 4096
_TOLERANCE = 1.05


def check(bench: Bench) -> list[Finding]:
    """Cost per circuit at 4096 samples over that at 64, of all calls in rounds of the same length."""
    findings = []
    for num_qubits, depth in ((8, 2), (12, 4)):
        bench.say(f"batch: {num_qubits} qubits")
        small, large = (model(num_qubits, depth, batch) for batch in (_SMALL, _LARGE))
        with Worker(SUBJECT, small, bench.cores) as one, Worker(SUBJECT, large, bench.cores) as other:
            for worker in (one, other):
                worker.ask({"do": "prepare"}, bench.limits.timeout)
            # The shortest of many short calls falls into a burst of the clock, of a few long ones none may.
            times = bench.take_turns([one, other], "mean")
        ratio = median(b / a for a, b in zip(*times, strict=True)) * _SMALL / _LARGE
        findings.append(
            Finding(
                f"cost per circuit at {_LARGE} samples over that at {_SMALL}, {num_qubits} qubits",
                "at most 1",
                number(ratio),
                ratio <= _TOLERANCE,
            )
        )
    return findings
