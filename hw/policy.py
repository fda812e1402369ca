"""What is done where the service leaves things open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PASSING_FAILURES = frozenset(
    {
        "DebiasingError",
        "InternalError",
        "OptimizationError",
        "PreflightError",
        "QuantumComputerError",
        "SimulationError",
        "SimulationTimeout",
        "SystemCancel",
    }
)
"""Failure codes of which the service is the cause: the same circuit may succeed when it is sent again."""


@dataclass(frozen=True)
class Policy:
    """What is done where the service leaves things open.

    Args:
        on_unknown: what to do with a job of which it is not known whether the service has it, once it has not
            shown up for `lookup_seconds`, or that it had and does not know any more: "stop", or "resubmit" at
            the risk that both run.
        on_canceled: what to do with circuits that somebody cancelled at the service: "stop" or "resubmit".
        lookup_seconds: how long such a job is looked for in the service's list.
        max_attempts: how often a circuit is sent in all.
        timeout: how long results are waited for, in seconds.
    """

    on_unknown: Literal["stop", "resubmit"] = "stop"
    on_canceled: Literal["stop", "resubmit"] = "stop"
    lookup_seconds: float = 60.0
    max_attempts: int = 3
    timeout: float = 7200.0
