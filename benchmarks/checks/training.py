"""A thousand training steps in one compiled loop."""

from __future__ import annotations

from benchmarks.cell import model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers.registry import TRAINING_SCAN
from benchmarks.process import Worker
from benchmarks.table import duration

GOAL = 0.020


def check(bench: Bench) -> list[Finding]:
    """The steady time of 1000 SPSA steps of the 8-qubit model inside one `lax.scan`."""
    bench.say("training")
    with Worker(TRAINING_SCAN, model(8, 2, 10), bench.cores) as worker:
        first = worker.ask({"do": "prepare"}, bench.limits.timeout)["seconds"]
        steady = min(bench.take_turns([worker])[0])
    found = f"{duration(steady)} (first call {duration(first)})"
    what = "1000 SPSA steps, 8 qubits, 2 layers, 10 samples"
    return [Finding(what, f"< {duration(GOAL)}", found, steady < GOAL)]
