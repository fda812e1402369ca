"""What was asked of the service, written before it is asked: the protocol, and a journal in memory."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple, Protocol

State = Literal["intended", "accepted", "completed", "canceled", "failed"]


class Entry(Protocol):
    """One piece of work in the journal.

    Attributes:
        fingerprint: what identifies the work; the job carries it.
        state: "intended" before an answer is known, "accepted" once the service has it, then how it ended.
        job_id: the job that does it, once known.
        attempt: how often it was meant to be sent, from 1.
        intended_at: when the last of these was written, in seconds since 1970.
    """

    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def state(self) -> str: ...  # noqa: D102
    @property
    def job_id(self) -> str | None: ...  # noqa: D102
    @property
    def attempt(self) -> int: ...  # noqa: D102
    @property
    def intended_at(self) -> float: ...  # noqa: D102


class Journal(Protocol):
    """Keeps what was asked of a service, so that a process that was killed can be followed by another.

    What a method has written survives the process, if the journal is one that lasts.

    Attributes:
        scope: whose work it keeps, such as the id of a run. Equal work of different scopes is different work.
    """

    @property
    def scope(self) -> str:
        """Whose work it keeps."""
        ...

    def find(self, fingerprint: str) -> Entry | None:
        """Looks a piece of work up.

        Args:
            fingerprint: what identifies it.

        Returns:
            Its entry, or None if it was never meant to be sent.
        """
        ...

    def intend(self, fingerprint: str, *, target: str, circuits: int, shots: int | None) -> Entry:
        """Writes that work is about to be sent; a further attempt where it was written before.

        Args:
            fingerprint: what identifies it.
            target: where it is to run.
            circuits: how many circuits it has.
            shots: how many shots each is measured with; None for exact results.

        Returns:
            The entry.
        """
        ...

    def accept(self, fingerprint: str, job_id: str) -> None:
        """Writes that the service has work that was intended.

        Args:
            fingerprint: what identifies it.
            job_id: the service's name for it.
        """
        ...

    def withdraw(self, fingerprint: str) -> None:
        """Takes the last attempt back: the service refused it, or it was not sent.

        What happened to an attempt before it stays open.

        Args:
            fingerprint: what identifies it.
        """
        ...

    def finish(self, fingerprint: str, state: Literal["completed", "canceled", "failed"]) -> None:
        """Writes how work ended.

        Args:
            fingerprint: what identifies it.
            state: how it ended.
        """
        ...


class MemoryEntry(NamedTuple):
    """An entry of `MemoryJournal`."""

    fingerprint: str
    state: State
    job_id: str | None
    attempt: int
    intended_at: float


class MemoryJournal:
    """A journal that ends with the process.

    Args:
        scope: whose work it keeps.

    Example:
        >>> journal = MemoryJournal()
        >>> journal.intend("c0ffee", target="simulator", circuits=2, shots=None).attempt
        1
        >>> journal.accept("c0ffee", "job-1")
        >>> journal.find("c0ffee").job_id
        'job-1'
    """

    def __init__(self, scope: str = ""):
        self._scope = scope
        self._entries: dict[str, MemoryEntry] = {}

    @property
    def scope(self) -> str:
        """Whose work it keeps."""
        return self._scope

    def find(self, fingerprint: str) -> MemoryEntry | None:
        """Looks a piece of work up."""
        return self._entries.get(fingerprint)

    def intend(self, fingerprint: str, *, target: str, circuits: int, shots: int | None) -> MemoryEntry:
        """Writes that work is about to be sent."""
        del target, circuits, shots
        before = self._entries.get(fingerprint)
        attempt = 1 if before is None else before.attempt + 1
        entry = MemoryEntry(fingerprint, "intended", None, attempt, time.time())
        self._entries[fingerprint] = entry
        return entry

    def accept(self, fingerprint: str, job_id: str) -> None:
        """Writes that the service has work that was intended."""
        entry = self._entries[fingerprint]
        self._entries[fingerprint] = entry._replace(state="accepted", job_id=job_id)

    def withdraw(self, fingerprint: str) -> None:
        """Takes the last attempt back."""
        entry = self._entries.pop(fingerprint)
        if entry.attempt > 1:
            before = entry._replace(state="intended", job_id=None, attempt=entry.attempt - 1)
            self._entries[fingerprint] = before

    def finish(self, fingerprint: str, state: Literal["completed", "canceled", "failed"]) -> None:
        """Writes how work ended."""
        self._entries[fingerprint] = self._entries[fingerprint]._replace(state=state)
