"""Sending a job once: written down before it is sent, looked for before it is sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from hw.backoff import poll_delay, retry_delay
from hw.client import Answer, NoAnswerError, NotSentError
from hw.errors import UnknownSubmissionError
from hw.journal import Entry, Journal
from hw.payload import ATTEMPT, FINGERPRINT, Work
from hw.policy import Policy
from hw.service import OK, Record, Service, is_passing, refusal

DONE = ("completed", "failed", "canceled")
"""States of the service that a job does not leave."""

CLOCK_SKEW_SECONDS = 86_400.0
"""How far this machine's clock and the service's may be apart."""

UNREACHABLE_SECONDS = 10.0
"""How long a service that no connection can be made to is tried."""


class Submission(NamedTuple):
    """A job that the service has.

    Attributes:
        job_id: its id.
        again: whether it ended without all its results in an earlier call, so that this one is a new try.
        unsure: whether another job with the same work may show up.
        since: since when such a job may have been sent, in seconds since 1970.
    """

    job_id: str
    again: bool = False
    unsure: bool = False
    since: float = 0.0


def ensure(service: Service, journal: Journal, work: Work, policy: Policy) -> Submission:
    """Makes sure that the service has a piece of work, once.

    Args:
        service: the service.
        journal: what was asked of it.
        work: the work.
        policy: what to do where it is not known whether the service has it.

    Returns:
        The job that does the work: one that was sent before, in this process or another, or a new one.

    Raises:
        UnknownSubmissionError: it cannot be found out whether the service has it.
        ServiceError: the service refuses it or cannot be reached; it was not sent then.
    """
    entry = journal.find(work.fingerprint)
    if entry is not None and entry.job_id is not None:
        ended = entry.state in ("failed", "canceled")
        return Submission(entry.job_id, ended, entry.attempt > 1, entry.intended_at)
    since = time.time() if entry is None else entry.intended_at
    while True:
        found = None if entry is None else _look_up(service, entry, policy)
        if found is not None:
            journal.accept(work.fingerprint, found)
            return Submission(found, unsure=True, since=since)
        if entry is not None and (policy.on_unknown == "stop" or entry.attempt >= policy.max_attempts):
            raise _unknown(work, policy)
        entry = journal.intend(
            work.fingerprint,
            target=work.settings.target,
            circuits=len(work.circuits),
            shots=work.settings.shots,
        )
        job_id = _send(service, journal, work, entry.attempt, policy)
        if job_id is not None:
            journal.accept(work.fingerprint, job_id)
            return Submission(job_id, unsure=entry.attempt > 1, since=since)


def cancel_others(service: Service, fingerprint: str, kept: str, since: float) -> None:
    """Cancels other jobs with the same work, which showed up after it was sent again.

    Args:
        service: the service.
        fingerprint: what identifies the work.
        kept: the job whose results are used.
        since: since when they may have been sent, in seconds since 1970: a list can be long.
    """
    for record in _with_fingerprint(service, fingerprint, since):
        if record["id"] != kept and record.get("status") not in DONE:
            service.cancel(record["id"])


def _send(service: Service, journal: Journal, work: Work, attempt: int, policy: Policy) -> str | None:
    """Sends a job; gives its id, or None where it is not known whether the service has it."""
    clock = service.clock
    body = work.body(attempt)
    began = clock.now()
    repeated = 0
    while True:
        repeated += 1
        answer: Answer | None = None
        try:
            answer = service.submit(body)
        except NotSentError as error:
            problem, patience = error, UNREACHABLE_SECONDS
        except NoAnswerError:
            return None
        else:
            if answer.status in OK:
                job_id = answer.value.get("id") if isinstance(answer.value, dict) else None
                return job_id if isinstance(job_id, str) else None
            if answer.status != 429 and is_passing(answer.status):
                return None
            # Too many requests: the service says that it has not taken this one.
            problem, patience = refusal(answer), policy.timeout if answer.status == 429 else 0.0
        delay = retry_delay(repeated, answer.retry_after if answer else None, clock.jitter())
        if clock.now() + delay > began + patience:
            journal.withdraw(work.fingerprint)
            raise problem
        clock.sleep(delay)


def _look_up(service: Service, entry: Entry, policy: Policy) -> str | None:
    """Looks for work that was meant to be sent until it shows up or the time for that is over."""
    clock = service.clock
    waited = max(0.0, time.time() - entry.intended_at)
    began = clock.now() - waited
    while True:
        looked_at = clock.now()
        found = sorted(_with_fingerprint(service, entry.fingerprint, entry.intended_at), key=_preference)
        usable = [
            each for each in found if each.get("status") != "canceled" or _attempt(each) == entry.attempt
        ]
        if usable:
            cancel_others(service, entry.fingerprint, usable[0]["id"], entry.intended_at)
            return usable[0]["id"]
        # What the list showed holds for the moment when it was asked for.
        if looked_at - began >= policy.lookup_seconds:
            return None
        delay = poll_delay(clock.now() - began, None, shortest=0.05)
        clock.sleep(min(delay, max(0.0, policy.lookup_seconds - (clock.now() - began))))


def _with_fingerprint(service: Service, fingerprint: str, since: float) -> Iterator[Record]:
    """Jobs that carry a fingerprint, among those submitted after a time (seconds since 1970)."""
    first: float | None = None
    last: float | None = None
    descending = True
    for record in service.jobs():
        metadata = record.get("metadata")
        is_whole = not record.get("parent_job_id") and isinstance(record.get("id"), str)
        if is_whole and isinstance(metadata, dict) and metadata.get(FINGERPRINT) == fingerprint:
            yield record
        submitted = read_time(record.get("submitted_at"))
        if submitted is None:
            continue
        descending = descending and (last is None or submitted <= last)
        first, last = submitted if first is None else first, submitted
        # A list that shows the newest first needs no reading to its end.
        if descending and submitted < min(first, since - CLOCK_SKEW_SECONDS):
            return


def read_time(text: object) -> float | None:
    """A time as the service writes it.

    Args:
        text: a date and time in ISO 8601.

    Returns:
        Seconds since 1970; None if it is no such text.

    Example:
        >>> read_time("1970-01-01T00:01:00.500Z")
        60.5
    """
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None


def _preference(record: Record) -> tuple[int, float]:
    status = record.get("status")
    rank = DONE.index(status) * 2 if status in DONE else 1
    return rank, read_time(record.get("submitted_at")) or 0.0


def _attempt(record: Record) -> int:
    try:
        return int(record["metadata"][ATTEMPT])
    except (KeyError, TypeError, ValueError):
        return 0


def _unknown(work: Work, policy: Policy) -> UnknownSubmissionError:
    return UnknownSubmissionError(
        f"A job of {len(work.circuits):,} circuits was about to be sent when the connection or the process "
        f"broke, and the service's list has not shown it for {policy.lookup_seconds:g} s. Look there for a "
        f"job with {FINGERPRINT} {work.fingerprint[:12]}..., then try again; or set `on_unknown` to "
        '"resubmit" (`--resubmit` of the command), at the risk that both run.'
    )
