"""What must hold of this project, one file for each statement: measured here, printed beside its goal."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.checks import (
    batch,
    command,
    cores,
    first_call,
    memory,
    peak,
    prefixes,
    sweeps,
    training,
)
from benchmarks.findings import Finding
from benchmarks.measure import Bench

CHECKS: dict[str, Callable[[Bench], list[Finding]]] = {
    "first call": first_call.check,
    "batch": batch.check,
    "cores": cores.check,
    "peak": peak.check,
    "sweeps": sweeps.check,
    "prefixes": prefixes.check,
    "training": training.check,
    "command": command.check,
    "memory": memory.check,
}
"""All checks by name."""

__all__ = ["CHECKS"]
