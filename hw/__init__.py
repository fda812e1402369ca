"""The same circuits on IonQ: translated once, sent in as few jobs as the service allows, each paid once."""

from hw.errors import (
    AuthenticationError,
    JobFailedError,
    JobTimeoutError,
    RefusedError,
    ResultError,
    ServiceError,
    UnknownSubmissionError,
)
from hw.ionq import Handle, IonQ
from hw.journal import Journal, MemoryJournal

__all__ = [
    "AuthenticationError",
    "Handle",
    "IonQ",
    "JobFailedError",
    "JobTimeoutError",
    "Journal",
    "MemoryJournal",
    "RefusedError",
    "ResultError",
    "ServiceError",
    "UnknownSubmissionError",
]
