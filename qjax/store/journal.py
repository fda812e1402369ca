"""What a run asked of a paid service, kept in the run store: written before it is asked."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from qjax.errors import StoreError
from qjax.store.database import FILE_NAME, connect, transaction
from qjax.store.sealed import read_rows, write_rows

BUSY_SECONDS = 10.0


class JournalEntry(NamedTuple):
    """One piece of work: a job that was, or was about to be, sent.

    Attributes:
        run: whose work it is.
        fingerprint: what identifies the work; the job carries it.
        state: "intended" before an answer is known, "accepted" once the service has it, then how it ended:
            "completed", "canceled" or "failed".
        job_id: the service's name for the job, once known.
        attempt: how often it was meant to be sent, from 1.
        target: where it runs.
        circuits: how many circuits it has.
        shots: how many shots each is measured with; None for exact results.
        intended_at: when it was last meant to be sent, in seconds since 1970.
    """

    run: str
    fingerprint: str
    state: str
    job_id: str | None
    attempt: int
    target: str
    circuits: int
    shots: int | None
    intended_at: float


class RunJournal:
    """The journal of one run. Every method is one transaction, kept through a killed process or power cut.

    Any thread may use it; they take turns.

    Args:
        directory: folder of the run store.
        run_id: the run; work of different runs is different work.

    Raises:
        StoreError: the run store cannot be opened.

    Example:
        >>> import tempfile
        >>> from qjax.store import RunStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with RunStore.open(folder) as store:
        ...         run_id = store.create_run({}, {}, "c0ffee", {}, name="iris")
        ...     with RunJournal(folder, run_id) as journal:
        ...         _ = journal.intend("abc", target="simulator", circuits=20, shots=1000)
        ...         journal.accept("abc", "job-1")
        ...         entry = journal.find("abc")
        >>> entry.state, entry.job_id, entry.attempt
        ('accepted', 'job-1', 1)
    """

    def __init__(self, directory: str | Path, run_id: str):
        self._path = Path(directory).absolute() / FILE_NAME
        self._run = run_id
        self._lock = threading.Lock()
        self._connection = connect(
            self._path.parent, create=False, busy_seconds=BUSY_SECONDS, any_thread=True
        )

    @property
    def scope(self) -> str:
        """Whose work it keeps: the run's id."""
        return self._run

    def find(self, fingerprint: str) -> JournalEntry | None:
        """Looks a piece of work up.

        Args:
            fingerprint: what identifies it.

        Returns:
            Its entry, or None if it was never meant to be sent.

        Raises:
            StoreError: the journal cannot be read, or the entry is damaged.
        """
        with self._transaction("read") as connection:
            return self._read(connection, fingerprint)

    def entries(self) -> tuple[JournalEntry, ...]:
        """All work of the run, in the order in which it was last meant to be sent.

        Returns:
            The entries.

        Raises:
            StoreError: the journal cannot be read, or an entry is damaged.
        """
        with self._transaction("read") as connection:
            rows = read_rows(
                connection, self._path, "journal", "WHERE run = ? ORDER BY intended_at, rowid", self._run
            )
        return tuple(JournalEntry(*row) for row in rows)

    def intend(self, fingerprint: str, *, target: str, circuits: int, shots: int | None) -> JournalEntry:
        """Writes that work is about to be sent; a further attempt where it was written before.

        Args:
            fingerprint: what identifies it.
            target: where it is to run.
            circuits: how many circuits it has.
            shots: how many shots each is measured with; None for exact results.

        Returns:
            The entry.

        Raises:
            StoreError: it cannot be written; then it must not be sent.
        """
        with self._transaction("write") as connection:
            before = self._read(connection, fingerprint)
            attempt = 1 if before is None else before.attempt + 1
            entry = JournalEntry(
                *(self._run, fingerprint, "intended", None, attempt, target, circuits, shots, time.time())
            )
            write_rows(connection, "journal", [entry], replace=True)
        return entry

    def accept(self, fingerprint: str, job_id: str) -> None:
        """Writes that the service has work that was intended.

        Args:
            fingerprint: what identifies it.
            job_id: the service's name for it.

        Raises:
            StoreError: it cannot be written.
        """
        self._change(fingerprint, state="accepted", job_id=job_id)

    def withdraw(self, fingerprint: str) -> None:
        """Takes the last attempt back: the service refused it, or it was not sent.

        Args:
            fingerprint: what identifies it.

        Raises:
            StoreError: it cannot be written.
        """
        with self._transaction("write") as connection:
            entry = self._own(connection, fingerprint)
            if entry.attempt > 1:
                # What became of the attempt before stays open.
                before = entry._replace(attempt=entry.attempt - 1, state="intended", job_id=None)
                write_rows(connection, "journal", [before], replace=True)
            else:
                connection.execute(
                    "DELETE FROM journal WHERE run = ? AND fingerprint = ?", (self._run, fingerprint)
                )

    def finish(self, fingerprint: str, state: Literal["completed", "canceled", "failed"]) -> None:
        """Writes how work ended.

        Args:
            fingerprint: what identifies it.
            state: how it ended.

        Raises:
            StoreError: it cannot be written.
        """
        self._change(fingerprint, state=state)

    def close(self) -> None:
        """Closes the journal."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> RunJournal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self, mode: Literal["read", "write"]) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._connection, self._path, mode) as connection:
            yield connection

    def _read(self, connection: sqlite3.Connection, fingerprint: str) -> JournalEntry | None:
        where = "WHERE run = ? AND fingerprint = ?"
        rows = read_rows(connection, self._path, "journal", where, self._run, fingerprint)
        return JournalEntry(*rows[0]) if rows else None

    def _own(self, connection: sqlite3.Connection, fingerprint: str) -> JournalEntry:
        entry = self._read(connection, fingerprint)
        if entry is None:
            raise StoreError(
                f"The journal of run {self._run} has no entry {fingerprint[:12]}... Restore {self._path}."
            )
        return entry

    def _change(self, fingerprint: str, **changes: str) -> None:
        with self._transaction("write") as connection:
            changed = self._own(connection, fingerprint)._replace(**changes)
            write_rows(connection, "journal", [changed], replace=True)
