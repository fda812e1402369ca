"""Waiting: never longer than asked, never more often than allowed, several jobs at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.backoff import Clock, poll_delay, retry_delay
from hw.errors import JobTimeoutError, ServiceError
from hw.polling import Durations, Poller
from hw.submission import cancel_others

SECONDS = st.floats(0.0, 1_000.0)


@dataclass
class FakeService:
    """A service whose jobs are done at given times, on a clock that only sleeping moves."""

    done_at: dict[str, float]
    known: bool = True
    time: float = 0.0
    looks: list[tuple[str, float]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self._sleep, jitter=lambda: 1.0)

    def _sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time += seconds + 1e-6

    def job(self, job_id: str) -> dict[str, Any] | None:
        self.looks.append((job_id, self.time))
        if not self.known:
            return None
        times = {"submitted_at": _written(0.0), "completed_at": _written(self.done_at[job_id])}
        return {
            **times,
            "id": job_id,
            "status": "completed" if self.time >= self.done_at[job_id] else "ready",
            **self.told,
        }


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(1.8e9 + seconds, UTC).isoformat()


def wait(service: FakeService, durations: Durations, deadline: float = 1e6) -> list[str]:
    poller = Poller(service, durations, 0.01)  # pyright: ignore[reportArgumentType]
    for job_id in service.done_at:
        poller.watch(job_id, 20, 0.0)
    found: list[str] = []
    while len(found) < len(service.done_at):
        found += [job_id for job_id, _ in poller.finished(deadline)]
    return found


@given(st.floats(0.05, 500.0))
def test_a_job_is_seen_soon_after_it_is_done_and_not_looked_at_too_often(duration: float) -> None:
    durations = Durations()
    service = FakeService({"a": duration})
    wait(service, durations)
    assert service.time - duration <= max(0.1 * duration, 0.011) + 1e-3
    assert len(service.looks) <= 3 + math.log(max(duration, 0.1) / 0.1) / math.log(1.1) + 12 + duration / 5
    # The next job of as many circuits is expected: a handful of looks, and hardly any delay.
    again = FakeService({"a": duration})
    wait(again, durations)
    late = again.time - duration
    assert late <= max(0.02 * duration, 0.03) + 0.02
    assert len(again.looks) <= len(service.looks) + 2


@settings(deadline=None)  # it starts threads, which a busy machine lets wait
@given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=8))
def test_jobs_are_given_as_they_end(durations: list[float]) -> None:
    service = FakeService({f"job-{index}": each for index, each in enumerate(durations)})
    found = wait(service, Durations())
    assert sorted(found) == sorted(service.done_at)
    assert service.time <= 1.1 * max(durations) + 0.1


def test_what_the_service_predicts_is_waited_for() -> None:
    service = FakeService({"a": 10.0})
    service.told = {"predicted_wait_time_ms": 4_000, "predicted_execution_duration_ms": 6_000}
    wait(service, Durations())
    assert [round(time) for _, time in service.looks[:4]] == [0, 5, 10, 10]
    assert service.time < 10.1


@given(st.floats(0.1, 100.0))
def test_the_deadline_is_kept(deadline: float) -> None:
    service = FakeService({"a": 1e9})
    with pytest.raises(JobTimeoutError, match="go on at the service"):
        wait(service, Durations(), deadline)
    assert deadline <= service.time <= deadline + 0.01


def test_a_job_that_the_service_forgets_is_an_error_after_a_while() -> None:
    service = FakeService({"a": 1.0}, known=False)
    with pytest.raises(ServiceError, match="does not know job a any more"):
        wait(service, Durations())
    assert 60 < service.time < 80


@given(st.integers(1, 50), st.floats(0.0, 1.0))
def test_repeats_come_ever_later_within_bounds(attempt: int, jitter: float) -> None:
    delay = retry_delay(attempt, None, jitter)
    assert 0.05 <= delay <= 30.0
    assert retry_delay(attempt + 1, None, jitter) >= delay


@given(st.integers(1, 50), st.floats(0.0, 3_600.0))
def test_the_service_is_given_the_time_it_asks_for(attempt: int, seconds: float) -> None:
    assert retry_delay(attempt, f"{seconds}", 0.0) >= seconds
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
    assert retry_delay(attempt, date, 0.0) >= seconds - 2


@pytest.mark.parametrize("header", ["", "soon", "-5", "nan", "1e999", "Wed, 99 Nov 2026"])
def test_what_cannot_be_read_is_no_wish(header: str) -> None:
    assert 0.05 <= retry_delay(1, header, 0.0) <= 3_600.0


@given(SECONDS, st.none() | SECONDS)
def test_looks_are_never_too_close_or_too_far_apart(elapsed: float, expected: float | None) -> None:
    assert 0.02 <= poll_delay(elapsed, expected, shortest=0.02) <= 5.0


@pytest.mark.parametrize("newest_first", [True, False])
def test_lists_are_read_as_far_as_their_order_asks_for(newest_first: bool) -> None:
    from hw.submission import _with_fingerprint

    read: list[int] = []

    class Lists:
        def jobs(self):
            days = range(30, 0, -1) if newest_first else range(1, 31)
            for day in days:
                read.append(day)
                metadata = {"qjax_fingerprint": "abc"} if day == 29 else None
                yield {
                    "id": f"job-{day}",
                    "submitted_at": f"2026-06-{day:02d}T00:00:00Z",
                    "metadata": metadata,
                }

        def cancel(self, job_id: str) -> None:
            raise AssertionError(job_id)

    since = datetime(2026, 6, 28, tzinfo=UTC).timestamp()
    found = list(_with_fingerprint(Lists(), "abc", since))  # pyright: ignore[reportArgumentType]
    assert [record["id"] for record in found] == ["job-29"]
    assert len(read) == (5 if newest_first else 30)
    read.clear()
    cancel_others(Lists(), "abc", "job-29", since)  # pyright: ignore[reportArgumentType]
    assert len(read) == (5 if newest_first else 30)
