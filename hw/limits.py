"""Splitting a batch of circuits into as few jobs as the service's limits allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qjax.errors import ArgumentError


class Load(NamedTuple):
    """What a circuit takes of the limits of a job.

    Attributes:
        gates: its gates.
        body: bytes of the request that it takes.
        metadata: characters of the longest metadata value that it takes.
    """

    gates: int
    body: int
    metadata: int


@dataclass(frozen=True)
class Limits:
    """What one multi-circuit job may hold.

    Args:
        circuits: the most circuits.
        gates: the most gates of all circuits together.
        body: the most bytes of the request.
        metadata: the most characters of one metadata value.
        overhead: bytes of the request beside the circuits.
    """

    circuits: int = 5_000
    gates: int = 150_000
    body: int = 10_000_000
    metadata: int = 40_000
    overhead: int = 8_192


LIMITS = Limits()
"""What IonQ takes."""

MAX_SHOTS = 1_000_000
"""The most shots of a job."""

SIMULATOR_QUBITS = 29
"""The most qubits of the service's simulator."""


def split(loads: Sequence[Load], limits: Limits = LIMITS) -> tuple[range, ...]:
    """Splits circuits into jobs: in their order, none left out, and no job past any limit.

    Filling every job as far as it goes gives the fewest jobs that keep the order.

    Args:
        loads: what each circuit takes.
        limits: what a job may hold.

    Returns:
        The indices of the circuits of each job.

    Raises:
        ArgumentError: if a circuit is too large for a job of its own.

    Example:
        >>> split([Load(2, 10, 1)] * 5, Limits(gates=4))
        (range(0, 2), range(2, 4), range(4, 5))
    """
    parts: list[range] = []
    start, used = 0, Load(0, limits.overhead, 0)
    for index, load in enumerate(loads):
        _check_alone(load, limits)
        after = Load(*(a + b for a, b in zip(used, load, strict=True)))
        if index - start >= limits.circuits or not _fits(after, limits):
            parts.append(range(start, index))
            start, after = index, load._replace(body=limits.overhead + load.body)
        used = after
    return (*parts, range(start, len(loads))) if loads else ()


def _fits(used: Load, limits: Limits) -> bool:
    return used.gates <= limits.gates and used.body <= limits.body and used.metadata <= limits.metadata


def _check_alone(load: Load, limits: Limits) -> None:
    if load.gates > limits.gates:
        raise ArgumentError(
            "circuit",
            f"have {limits.gates:,} gates or fewer for this service",
            f"in the service's gates it has {load.gates:,}",
            "Use fewer layers.",
        )
    if not _fits(load._replace(body=limits.overhead + load.body), limits):
        raise ArgumentError(
            "circuit",
            f"take {limits.body:,} bytes or fewer in the service's form",
            f"it takes {load.body:,}",
            "Use fewer layers.",
        )
