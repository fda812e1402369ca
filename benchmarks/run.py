"""Goes through the parts of a profile."""

from __future__ import annotations

from benchmarks.cell import SWEEPS
from benchmarks.checks import CHECKS
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.process import WorkerFailureError, WorkerTimeoutError
from benchmarks.profile import Profile
from benchmarks.strategies import run_pinned


def run_profile(bench: Bench, profile: Profile, peers: tuple[str, ...]) -> None:
    """Measures everything that the profile asks for and the journal does not hold.

    Args:
        bench: measures.
        profile: what.
        peers: whom, this project first.
    """
    for part in profile.parts:
        if part == "cells":
            bench.run(profile.cells, peers)
        elif part == "random":
            bench.run(profile.random, peers)
        elif part in SWEEPS:
            bench.with_limits(profile.sweep_limits).run(SWEEPS[part](), peers, is_sweep=True)
        elif part == "checks":
            for name in CHECKS:
                _check(bench.with_limits(profile.check_limits), name)
        elif "strategies" not in bench.journal.results:
            bench.say("strategies")
            bench.journal.add("strategies", run_pinned(bench.cores, profile.check_limits))


def _check(bench: Bench, name: str) -> None:
    if f"check {name}" in bench.journal.results:
        return
    try:
        findings = CHECKS[name](bench)
    except (WorkerTimeoutError, WorkerFailureError) as problem:
        findings = [Finding(name, "an answer", str(problem), None)]
    bench.journal.add(f"check {name}", [finding.to_json() for finding in findings])
