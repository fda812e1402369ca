"""What was asked of a service, written before it is asked: the journal that outlives the process.

It lies beside the runs in a file of its own, so that a job that is about to be sent never waits for a chunk of
steps that is being written.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

from qjax.errors import StoreError

JOURNAL_FILE = "jobs.sqlite"
BUSY_SECONDS = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS work (
  scope TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intended', 'accepted', 'completed', 'canceled', 'failed')),
  job_id TEXT,
  attempt INTEGER NOT NULL,
  intended_at REAL NOT NULL,
  target TEXT NOT NULL,
  circuits INTEGER NOT NULL,
  shots INTEGER,
  PRIMARY KEY (scope, fingerprint)
) WITHOUT ROWID
"""
_VERSION = 1


class Work(NamedTuple):
    """A piece of work that a service was asked for.

    Attributes:
        fingerprint: what identifies it; the job carries it.
        state: "intended" before an answer is known, "accepted" once the service has it, then how it ended.
        job_id: the job that does it, once known.
        attempt: how often it was meant to be sent, from 1.
        intended_at: when the last of these was written, in seconds since 1970.
        target: where it is to run.
        circuits: how many circuits it has.
        shots: how many shots each is measured with; None for exact results.
    """

    fingerprint: str
    state: str
    job_id: str | None
    attempt: int
    intended_at: float
    target: str
    circuits: int
    shots: int | None


class JobJournal:
    """The journal of one run, in the folder of the run store. Methods may be called from any thread.

    What a method has written survives a killed process and a power cut.

    Args:
        directory: folder of the store.
        scope: whose work it keeps: the id of the run.

    Raises:
        StoreError: if the file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, JobJournal(folder, "run") as journal:
        ...     attempt = journal.intend("c0ffee", target="simulator", circuits=2, shots=None).attempt
        ...     journal.accept("c0ffee", "job-1")
        ...     attempt, journal.find("c0ffee").job_id
        (1, 'job-1')
    """

    def __init__(self, directory: str | Path, scope: str):
        self._path = Path(directory).absolute() / JOURNAL_FILE
        self._scope = scope
        self._lock = threading.Lock()
        with self._explained():
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise StoreError(f"{self._path} was written by a newer version of this program. Update it.")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")

    @property
    def scope(self) -> str:
        """Whose work it keeps."""
        return self._scope

    def find(self, fingerprint: str) -> Work | None:
        """Looks a piece of work up.

        Args:
            fingerprint: what identifies it.

        Returns:
            Its entry, or None if it was never meant to be sent.
        """
        return next(iter(self._read("AND fingerprint = ?", fingerprint)), None)

    def all(self) -> list[Work]:
        """All work of this run, in the order in which it was last meant to be sent."""
        return self._read("ORDER BY intended_at")

    def intend(self, fingerprint: str, *, target: str, circuits: int, shots: int | None) -> Work:
        """Writes that work is about to be sent; a further attempt where it was written before.

        Args:
            fingerprint: what identifies it.
            target: where it is to run.
            circuits: how many circuits it has.
            shots: how many shots each is measured with; None for exact results.

        Returns:
            The entry.
        """
        self._write(
            """INSERT INTO work VALUES (?, ?, 'intended', NULL, 1, ?, ?, ?, ?)
            ON CONFLICT DO UPDATE SET state = 'intended', job_id = NULL, attempt = attempt + 1,
            intended_at = excluded.intended_at""",
            (self._scope, fingerprint, time.time(), target, circuits, shots),
        )
        found = self.find(fingerprint)
        assert found is not None  # it was just written
        return found

    def accept(self, fingerprint: str, job_id: str) -> None:
        """Writes that the service has work that was intended.

        Args:
            fingerprint: what identifies it.
            job_id: the service's name for it.
        """
        self._change("state = 'accepted', job_id = ?", fingerprint, job_id)

    def withdraw(self, fingerprint: str) -> None:
        """Takes the last attempt back: the service refused it, or it was not sent.

        What happened to an attempt before it stays open.

        Args:
            fingerprint: what identifies it.
        """
        self._change("state = 'intended', job_id = NULL, attempt = attempt - 1", fingerprint)
        self._write(
            "DELETE FROM work WHERE scope = ? AND fingerprint = ? AND attempt = 0", (self._scope, fingerprint)
        )

    def finish(self, fingerprint: str, state: Literal["completed", "canceled", "failed"]) -> None:
        """Writes how work ended.

        Args:
            fingerprint: what identifies it.
            state: how it ended.
        """
        self._change("state = ?", fingerprint, state)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> JobJournal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self, condition: str, *values: str) -> list[Work]:
        columns = ", ".join(Work._fields)
        with self._lock, self._explained():
            rows = self._connection.execute(
                f"SELECT {columns} FROM work WHERE scope = ? {condition}", (self._scope, *values)
            )
            return [Work(*row) for row in rows]

    def _change(self, assignments: str, fingerprint: str, *values: str) -> None:
        self._write(
            f"UPDATE work SET {assignments} WHERE scope = ? AND fingerprint = ?",
            (*values, self._scope, fingerprint),
        )

    def _write(self, statement: str, values: tuple) -> None:
        # Each statement is a transaction of its own, on the disk when `execute` returns.
        with self._lock, self._explained():
            self._connection.execute(statement, values)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"The journal of jobs {self._path} cannot be used ({error}). Check the folder and its disk."
            ) from None
