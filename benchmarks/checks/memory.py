"""Memory does not grow with the batch."""

from __future__ import annotations

from benchmarks.cell import Cell, model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.problem import make_problem
from benchmarks.process import Worker
from benchmarks.table import number

GOAL = 2.0
_SMALL = 64
_CASES = ((12, 4, 65_536), (20, 10, 256))
_FLOAT32, _MEBIBYTE = 4, 1 << 20


def check(bench: Bench) -> list[Finding]:
    """The most memory of a process with a large batch over that with a small one, less inputs and outputs."""
    findings = []
    for num_qubits, depth, batch in _CASES:
        bench.say(f"memory: {num_qubits} qubits, {batch} samples")
        small, large = (_peak(bench, model(num_qubits, depth, size)) for size in (_SMALL, batch))
        ratio = large / small
        found = f"{number(ratio)} ({large / _MEBIBYTE:.0f} over {small / _MEBIBYTE:.0f} MiB)"
        what = f"memory at {batch} samples over {_SMALL}, {num_qubits} qubits, less inputs and outputs"
        findings.append(Finding(what, f"at most {GOAL:g}", found, ratio <= GOAL))
    return findings


def _peak(bench: Bench, cell: Cell) -> float:
    """Bytes that the process held at most, less the problem's arrays: as NumPy's float64 and as float32."""
    problem = make_problem(cell)
    values = len(problem.sets) * cell.batch
    numbers = problem.features.size + problem.targets.size + problem.sets.size
    arrays = numbers * (8 + _FLOAT32) + values * _FLOAT32
    with Worker(SUBJECT, cell, bench.cores) as worker:
        worker.ask({"do": "prepare"}, bench.limits.timeout)
        return worker.peak_rss - arrays
