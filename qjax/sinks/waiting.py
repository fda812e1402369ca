"""How long to wait before a service is asked again, by a clock that tests can replace."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from qjax.sinks.errors import SinkError, TransientError

Answer = TypeVar("Answer")

FIRST_SECONDS = 0.5
MOST_SECONDS = 60.0
MOST_ASKED_SECONDS = 3600.0
"""The most that is waited because a service asks for it."""


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    def wait(self, seconds: float) -> None:
        """Waits so long, or until somebody wakes it."""
        ...


class WallClock:
    """The clock of this machine; `wake` ends a wait early.

    Example:
        >>> clock = WallClock()
        >>> clock.wake()
        >>> clock.wait(1000.0)
    """

    def __init__(self) -> None:
        self._woken = threading.Event()

    def now(self) -> float:
        """See `Clock.now`."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """See `Clock.wait`."""
        self._woken.wait(seconds)

    def wake(self) -> None:
        """Ends the wait that goes on, and all later ones at once."""
        self._woken.set()


class Backoff:
    r"""Exponential backoff with full jitter.

    After the k-th failure in a row the wait is drawn from :math:`[0, \min(60, 2^{k-1} / 2)]` seconds, so that
    many clients do not come back together. What a service asks for with Retry-After is waited as well, with a
    tenth of it as jitter on top.

    Args:
        generator: where the jitter comes from.

    Example:
        >>> backoff = Backoff(random.Random(0))
        >>> backoff.after_failure(retry_after=10.0) >= 10.0
        True
    """

    def __init__(self, generator: random.Random):
        self._generator = generator
        self._failures = 0

    def after_failure(self, retry_after: float | None = None) -> float:
        """Counts a failure and says how long to wait.

        Args:
            retry_after: seconds that the service asks for, if it does.

        Returns:
            Seconds.
        """
        drawn = self._generator.uniform(0.0, min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(self._failures, 20)))
        self._failures += 1
        if retry_after is None:
            return drawn
        return max(drawn, min(retry_after, MOST_ASKED_SECONDS) * self._generator.uniform(1.0, 1.1))

    def after_success(self) -> None:
        """Begins anew."""
        self._failures = 0


def patiently(
    ask: Callable[[], Answer], clock: Clock, patience: float, generator: random.Random | None = None
) -> Answer:
    """Asks a service, again and again where it does not answer.

    Args:
        ask: asks once.
        clock: tells the time.
        patience: seconds without an answer after which to give up.
        generator: where jitter comes from.

    Returns:
        The answer.

    Raises:
        SinkError: there was none for so long, or the service asks to wait longer.

    Example:
        >>> patiently(lambda: 768, WallClock(), patience=60.0)
        768
    """
    backoff, begun = Backoff(generator or random.Random()), clock.now()
    while True:
        try:
            return ask()
        except TransientError as error:
            waited, asked = clock.now() - begun, error.retry_after or 0.0
            if waited >= patience or waited + asked > patience:
                what = f"has not answered for {patience:.0f} s"
                if waited < patience:
                    what = f"asks to wait {asked:.0f} s, longer than the {patience:.0f} s it is given"
                raise SinkError(
                    f"The service {what} ({error}). Nothing is lost: what is not sent waits in the store, "
                    "and `qjax sync` sends it when the service answers again."
                ) from None
            clock.wait(backoff.after_failure(error.retry_after))
