"""Goes through the parts of a profile."""

from __future__ import annotations

from benchmarks.cell import SWEEPS
from benchmarks.checks import CHECKS
from benchmarks.measure import Bench
from benchmarks.profile import Profile


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
            sweeping = Bench(bench.journal, bench.cores, profile.sweep_limits, bench.say)
            sweeping.run(SWEEPS[part](), peers, is_sweep=True)
        elif part == "checks":
            for name, check in CHECKS.items():
                if f"check {name}" not in bench.journal.results:
                    findings = [finding.to_json() for finding in check(bench)]
                    bench.journal.add(f"check {name}", findings)
