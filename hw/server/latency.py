"""How long jobs wait and run: the model of the service's queue, and the clock that keeps to it."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from qjax.errors import ArgumentError


@dataclass(frozen=True)
class LatencyModel:
    """How long a job takes, whatever the simulation itself takes.

    Args:
        queue_seconds: how long every job waits before it may start.
        seconds_per_circuit: how long each of its circuits runs, one after another.
        concurrency: how many jobs run at the same time; None for any number.
        virtual: whether times are only written down and nobody waits.

    Raises:
        ArgumentError: if a number has no meaning.

    Example:
        >>> LatencyModel(queue_seconds=2.0, seconds_per_circuit=0.25).seconds(20)
        7.0
    """

    queue_seconds: float = 0.0
    seconds_per_circuit: float = 0.0
    concurrency: int | None = None
    virtual: bool = False

    def __post_init__(self):
        for name in ("queue_seconds", "seconds_per_circuit"):
            seconds = getattr(self, name)
            if not 0 <= seconds < float("inf"):
                raise ArgumentError(name, "be 0 or more", f"it is {seconds}", "Give a number of seconds.")
        if self.concurrency is not None and self.concurrency < 1:
            raise ArgumentError(
                "concurrency",
                "be 1 or more",
                f"it is {self.concurrency}",
                "Leave it out for any number of jobs.",
            )

    def seconds(self, circuits: int) -> float:
        """How long a job takes at least, from its submission to its end.

        Args:
            circuits: how many circuits it has.

        Returns:
            Seconds.
        """
        return self.queue_seconds + self.seconds_per_circuit * circuits


class Times(NamedTuple):
    """When a job starts and ends, in seconds since 1970."""

    started_at: float
    ends_at: float


class Schedule:
    """Gives every job its times when it is accepted: first come, first served.

    Args:
        model: the latency model.
        ends: when jobs that were accepted before end.

    Example:
        >>> schedule = Schedule(LatencyModel(queue_seconds=2, seconds_per_circuit=1, concurrency=1))
        >>> schedule.add(10.0, 3), schedule.add(10.0, 1)
        (Times(started_at=12.0, ends_at=15.0), Times(started_at=15.0, ends_at=16.0))
    """

    def __init__(self, model: LatencyModel, ends: Iterable[float] = ()):
        self.model = model
        self._free = [0.0] * (model.concurrency or 0)
        for end in sorted(ends):
            if self._free:
                heapq.heapreplace(self._free, max(end, self._free[0]))

    def add(self, submitted_at: float, circuits: int) -> Times:
        """The times of a new job.

        Args:
            submitted_at: when it was accepted.
            circuits: how many circuits it has.

        Returns:
            Its times.
        """
        started_at = submitted_at + self.model.queue_seconds
        if self._free:
            started_at = max(started_at, self._free[0])
        ends_at = started_at + self.model.seconds_per_circuit * circuits
        if self._free:
            heapq.heapreplace(self._free, ends_at)
        return Times(started_at, ends_at)

    async def wait_until(self, moment: float) -> None:
        """Waits for a moment, where the clock is real.

        Args:
            moment: seconds since 1970.
        """
        while not self.model.virtual and (left := moment - time.time()) > 0:
            await asyncio.sleep(left)
