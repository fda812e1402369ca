"""How much of the processor's arithmetic the kernel uses on dense one-qubit layers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.cell import Cell, model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.problem import make_problem
from benchmarks.process import Worker, pinned
from benchmarks.table import number
from qjax.engine.native.description import describe

GOAL = 0.5
_SOURCE = Path(__file__).with_name("peak.cpp")
_CELL = model(12, 32, 16, "spsa")


def flops_of(cell: Cell) -> float:
    """Arithmetic of one call, as the kernel itself counts it.

    One-qubit gates in a row are diagonal * RY * diagonal. RY is real and, up to a factor that goes into
    a diagonal, one multiply-add for each real component: 4 flops for each amplitude and qubit. The diagonals
    are one complex product for each amplitude and pass: 6 flops. CNOTs move no numbers, and the first layer
    acts on a product state: neither counts, nor does what is done once for many amplitudes.

    Args:
        cell: a cell of the model with the task "spsa": two parameter sets.

    Returns:
        Flops of all its circuits.
    """
    problem = make_problem(cell)
    found = describe(
        problem.circuit,
        (problem.observable,),
        len(problem.sets),
        cell.batch,
        double=False,
        gradient=False,
        threads=1,
    )
    return found.flops * len(problem.sets) * cell.batch


def check(bench: Bench) -> list[Finding]:
    """Flops of the dense layers of a 12-qubit model over what the core's multiply-adds reach."""
    what = f"part of the float32 multiply-add peak, one core, {_CELL.num_qubits} qubits, {_CELL.depth} layers"
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return [Finding(what, f"at least {GOAL}", "no C++ compiler to measure the peak with", None)]
    bench.say("peak")
    peaks, times = [], []
    with tempfile.TemporaryDirectory() as folder, Worker(SUBJECT, _CELL, bench.cores[:1]) as worker:
        program = Path(folder) / "peak"
        options = ["-O3", "-march=native", "-ffp-contract=fast", "-std=c++17"]
        subprocess.run([compiler, *options, str(_SOURCE), "-o", str(program)], check=True)
        worker.ask({"do": "prepare"}, bench.limits.timeout)
        for _ in range(bench.limits.rounds):
            peaks.append(_peak(program, bench.cores[0], bench.limits.round_seconds))
            times.append(worker.ask(bench.limits.order, bench.limits.timeout)["seconds"])
    flops = flops_of(_CELL)
    part = median(flops / seconds / 1e9 / peak for peak, seconds in zip(peaks, times, strict=True))
    found = (
        f"{number(part)} (counting 4 flops for each qubit and 6 for each pass, "
        f"{flops / 1e9:.2f} GFLOP in all; peak {max(peaks):.0f} GFLOP/s)"
    )
    return [Finding(what, f"at least {GOAL}", found, part >= GOAL)]


def _peak(program: Path, core: int, seconds: float) -> float:
    text = subprocess.run(
        [program, str(seconds), "0.9999"],
        check=True,
        capture_output=True,
        text=True,
        **pinned((core,)),
    ).stdout
    return float(text.split()[0])
