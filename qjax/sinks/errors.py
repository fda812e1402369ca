"""What can go wrong with a service, sorted by what to do about it."""

from __future__ import annotations

from qjax.errors import QjaxError


class SinkError(QjaxError, RuntimeError):
    """A service cannot be used until a person changes something; one sentence with its cause and cure."""


class NoIndexError(SinkError):
    """There is no index of that name."""


class TooWideError(SinkError):
    """The vectors of a run do not fit into the index; those of another run may."""


class TransientError(Exception):
    """A service does not answer now and may do so later.

    Args:
        reason: what it, or the network, said.
        retry_after: seconds that it asks to wait, None where it does not say.

    Example:
        >>> TransientError("Too many requests", 2.0).retry_after
        2.0
    """

    def __init__(self, reason: str, retry_after: float | None = None):
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(Exception):
    """A service will never take this request as it is."""


class TooLargeError(RefusedError):
    """A service will never take a request of this size."""
