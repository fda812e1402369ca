"""The same circuits on IonQ: translated once, sent in as few jobs as the service allows, each paid once."""

from typing import TYPE_CHECKING, Any

from hw.errors import (
    AuthenticationError,
    JobFailedError,
    JobLostError,
    JobTimeoutError,
    RefusedError,
    ResultError,
    ServiceError,
    UnknownSubmissionError,
)
from hw.ionq import Handle, IonQ
from hw.journal import Journal, MemoryJournal
from hw.sessions import session

if TYPE_CHECKING:
    from hw.cirq_simulator import CirqSimulator

__all__ = [
    "AuthenticationError",
    "CirqSimulator",
    "Handle",
    "IonQ",
    "JobFailedError",
    "JobLostError",
    "JobTimeoutError",
    "Journal",
    "MemoryJournal",
    "RefusedError",
    "ResultError",
    "ServiceError",
    "UnknownSubmissionError",
    "session",
]


def __getattr__(name: str) -> Any:
    """Cirq takes seconds to import, and only its simulator needs it."""
    if name == "CirqSimulator":
        from hw.cirq_simulator import CirqSimulator

        return CirqSimulator
    raise AttributeError(f"module 'hw' has no attribute {name!r}")
