"""How long to wait: between attempts of a request, and between looks at a job."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Clock:
    """Time as the program sees it; tests pass a clock of their own.

    Attributes:
        now: seconds that only go forward.
        sleep: waits so many seconds.
        jitter: a random number from 0 to 1, so that many clients do not ask in step.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=random.random)


CLOCK = Clock()
"""This machine's clock."""


def retry_delay(attempt: int, retry_after: str | None, jitter: float, *, longest: float = 30.0) -> float:
    """How long to wait before a request is repeated.

    Args:
        attempt: how often it was sent, from 1.
        retry_after: the header that the service answered with: seconds or a date.
        jitter: a random number from 0 to 1.
        longest: the longest wait that is not the service's own wish, in seconds.

    Returns:
        Seconds: what the service wishes or more, else doubling from a tenth of a second, half of it random.

    Example:
        >>> retry_delay(3, None, 1.0), retry_delay(1, "7", 0.0)
        (0.4, 7.0)
    """
    backoff = min(0.1 * 2 ** min(attempt - 1, 16), longest) * (0.5 + 0.5 * jitter)
    return max(backoff, _wished(retry_after))


def _wished(retry_after: str | None) -> float:
    if not retry_after:
        return 0.0
    try:
        return max(0.0, min(float(retry_after), 3600.0))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(
        0.0, min((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 3600.0)
    )


EARLY = 0.98
"""The part of its expected time after which a job is looked at."""


def poll_delay(elapsed: float, expected: float | None, *, shortest: float, longest: float = 5.0) -> float:
    """How long to wait before the next look at a job.

    A job is looked at shortly before it is expected to end, then often, and ever less often the later it is;
    one of which nothing is known, at times that grow by a tenth.

    Args:
        elapsed: seconds since it was accepted.
        expected: seconds that it is expected to take in all; None if nothing is known.
        shortest: the shortest wait, in seconds.
        longest: the longest wait, in seconds.

    Returns:
        Seconds.

    Example:
        >>> poll_delay(0.0, 4.0, shortest=0.02), poll_delay(4.0, 4.0, shortest=0.02)
        (3.92, 0.02)
    """
    begins = EARLY * expected if expected is not None else 0.0
    if elapsed < begins:
        return max(min(begins - elapsed, longest), shortest)
    return min(max(0.1 * (elapsed - begins), shortest), longest)
