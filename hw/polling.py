"""Waiting for jobs: several at once, shortly before each is expected to be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from hw.backoff import EARLY, poll_delay
from hw.errors import JobLostError, JobTimeoutError
from hw.service import Record, Service
from hw.submission import DONE, read_time

Item = TypeVar("Item")
Result = TypeVar("Result")

PARALLEL_REQUESTS = 8
MISSING_SECONDS = 60.0
"""How long a service that does not know a job that it accepted is asked again."""


class Durations:
    """How long jobs took, from acceptance to the end, by their number of circuits.

    Example:
        >>> durations = Durations()
        >>> durations.learn(20, 7.0)
        >>> durations.expected(20), durations.expected(21)
        (7.0, None)
    """

    def __init__(self):
        self._seconds: dict[int, float] = {}

    def learn(self, circuits: int, seconds: float) -> None:
        """Keeps how long a job took.

        Args:
            circuits: how many circuits it had.
            seconds: how long it took.
        """
        self._seconds[circuits] = seconds

    def expected(self, circuits: int) -> float | None:
        """How long a job of so many circuits will take, in seconds; None if nothing is known.

        Args:
            circuits: how many it has.
        """
        return self._seconds.get(circuits)


@dataclass
class _Watched:
    began: float
    circuits: int
    expected: float | None
    next_look: float
    last_seen: float
    beside: Callable[[], None] | None


class Poller:
    """Watches jobs until each is done.

    Args:
        service: the service.
        durations: what is known of earlier jobs; it learns from these.
        shortest: the shortest time between two looks at a job, in seconds.
    """

    def __init__(self, service: Service, durations: Durations, shortest: float):
        self._service = service
        self._durations = durations
        self._shortest = shortest
        self._watched: dict[str, _Watched] = {}

    def watch(
        self, job_id: str, circuits: int, began: float, beside: Callable[[], None] | None = None
    ) -> None:
        """Begins to watch a job.

        Args:
            job_id: the job.
            circuits: how many circuits it has.
            began: when it was accepted, by the service's clock.
            beside: what is done at every look as well.
        """
        now = self._service.clock.now()
        expected = self._durations.expected(circuits)
        first_look = now if expected is None else began + EARLY * expected
        self._watched[job_id] = _Watched(began, circuits, expected, first_look, now, beside)

    def finished(self, deadline: float) -> list[tuple[str, Record]]:
        """Waits until one watched job or more is done.

        Args:
            deadline: until when, by the service's clock.

        Returns:
            The ids and records of those that are done; they are watched no longer.

        Raises:
            JobTimeoutError: none is done in time.
            JobLostError: the service does not know a job that it accepted; it is watched no longer.
            ServiceError: the service cannot be asked.
        """
        clock = self._service.clock
        while True:
            now = clock.now()
            due = [job_id for job_id, job in self._watched.items() if job.next_look <= now]
            done = [
                (job_id, record)
                for job_id, record in zip(due, together(self._service.job, due), strict=True)
                if self._look(job_id, record) and record is not None
            ]
            if done:
                return done
            now = clock.now()
            self._check_known(due, now)
            if now >= deadline:
                raise JobTimeoutError(
                    f"{len(self._watched)} job(s) were not done in time. They go on at the service: run "
                    "again to fetch their results without paying twice, or raise the timeout."
                )
            next_look = min(job.next_look for job in self._watched.values())
            clock.sleep(max(0.0, min(next_look, deadline) - now))

    def _look(self, job_id: str, record: Record | None) -> bool:
        """Whether a job is done; if not, says when to look again."""
        job = self._watched[job_id]
        if job.beside is not None:
            job.beside()
        now = self._service.clock.now()
        if record is not None:
            job.last_seen = now
            if record.get("status") in DONE:
                del self._watched[job_id]
                if record["status"] == "completed":
                    self._durations.learn(job.circuits, _duration(record, now - job.began))
                return True
            if job.expected is None:
                job.expected = _predicted(record)
        delay = poll_delay(now - job.began, job.expected, shortest=self._shortest)
        job.next_look = now + delay * (0.9 + 0.1 * self._service.clock.jitter())
        return False

    def _check_known(self, looked_at: Sequence[str], now: float) -> None:
        for job_id in looked_at:
            if now - self._watched[job_id].last_seen > MISSING_SECONDS:
                # Who catches it can go on with the other jobs.
                del self._watched[job_id]
                raise JobLostError(
                    f"The service does not know job {job_id} any more, which it had accepted. If it was "
                    'deleted there its results are lost: set `on_unknown` to "resubmit" (`--resubmit` of the '
                    "command) to send it again.",
                    job_id,
                )


def together(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Applies a function to many items, several at once.

    Args:
        function: the function, which may be called from several threads.
        items: the items.

    Returns:
        Its results, in order.
    """
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(PARALLEL_REQUESTS, len(items))) as pool:
        return list(pool.map(function, items))


def _duration(record: Record, measured: float) -> float:
    """How long a job took by the service's own clock, or else by this machine's."""
    submitted, completed = read_time(record.get("submitted_at")), read_time(record.get("completed_at"))
    if submitted is None or completed is None or not 0 <= completed - submitted <= measured:
        return measured
    return completed - submitted


def _predicted(record: Record) -> float | None:
    parts = [record.get("predicted_wait_time_ms"), record.get("predicted_execution_duration_ms")]
    known = [part for part in parts if isinstance(part, int | float) and part > 0]
    return sum(known) / 1000 if known else None
