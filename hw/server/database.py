"""The jobs in SQLite: what was asked, what became of it, what it cost. It outlives the server.

One row of `jobs` is a job or one circuit of a job of several: then `parent_job_id` names the job, and
`position` the circuit among those in the job's `payload`, the body of its request. Times are seconds since
1970. `state` is accepted, completed, failed, canceled or deleted; an accepted job is completed by whichever
process opens the database next, and `planned_state` is what it will become. `charged_cost` is set when a job
ends. Nothing is ever removed but the contents of deleted jobs. `incidents` are the faults of requests.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qjax.errors import StoreError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    parent_job_id TEXT,
    position INTEGER,
    type TEXT NOT NULL,
    backend TEXT NOT NULL,
    name TEXT,
    metadata TEXT,
    session_id TEXT,
    shots INTEGER NOT NULL,
    noise TEXT NOT NULL,
    seed INTEGER NOT NULL,
    settings TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    qubits INTEGER NOT NULL,
    circuits INTEGER NOT NULL,
    gates_1q INTEGER NOT NULL,
    gates_2q INTEGER NOT NULL,
    state TEXT NOT NULL,
    planned_state TEXT NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    submitted_at REAL NOT NULL,
    listed_at REAL NOT NULL,
    started_at REAL NOT NULL,
    ends_at REAL NOT NULL,
    completed_at REAL,
    estimated_cost REAL NOT NULL,
    charged_cost REAL,
    order_seed INTEGER,
    payload BLOB
);
CREATE INDEX IF NOT EXISTS jobs_by_parent ON jobs (parent_job_id, position);
CREATE TABLE IF NOT EXISTS results (
    job_id TEXT PRIMARY KEY,
    probabilities BLOB NOT NULL,
    histogram BLOB
);
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY,
    backend TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at REAL NOT NULL,
    ended_at REAL
);
CREATE TABLE IF NOT EXISTS incidents (
    sequence INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    fault TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL
);
"""

COLUMNS = (
    "sequence", "id", "parent_job_id", "position", "type", "backend", "name", "metadata", "session_id",
    "shots", "noise", "seed", "settings", "dry_run", "qubits", "circuits", "gates_1q", "gates_2q", "state",
    "planned_state", "failure_code", "failure_message", "submitted_at", "listed_at", "started_at", "ends_at",
    "completed_at", "estimated_cost", "charged_cost", "order_seed",
)  # fmt: skip
"""Columns of a job but its payload, which can be large."""


class Database:
    """One connection, which threads take turns to use; every method that writes is one transaction.

    Args:
        path: the file; it and its folder are made where they are not there.

    Raises:
        StoreError: if the file cannot be opened or is no such database.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     database = Database(Path(folder) / "jobs.sqlite")
        ...     print(database.one("SELECT count(*) AS jobs FROM jobs")["jobs"])
        ...     database.close()
        0
    """

    def __init__(self, path: Path):
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
        except (sqlite3.Error, OSError) as error:
            raise _cannot_open(path, error) from None
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            # A process that is killed loses nothing; what a power cut takes is the last moment.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, SCHEMA_VERSION):
                raise StoreError(
                    f"The file {path} is of version {version}, and this server writes {SCHEMA_VERSION}. Name "
                    "another file with `--database`."
                )
            self._connection.executescript(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.Error as error:
            self._connection.close()
            raise _cannot_open(path, error) from None
        except StoreError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def one(self, query: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None.

        Args:
            query: SQL.
            values: its parameters.

        Returns:
            The row.
        """
        with self._lock:
            return self._connection.execute(query, values).fetchone()

    def all(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query.

        Args:
            query: SQL.
            values: its parameters.

        Returns:
            The rows.
        """
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def all_named(self, query: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """All rows of a query whose parameters have names.

        Args:
            query: SQL.
            values: its parameters.

        Returns:
            The rows.
        """
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def note_incident(self, moment: float, fault: str, method: str, path: str) -> None:
        """Writes down that a fault of a request happened.

        Args:
            moment: when, in seconds since 1970.
            fault: its kind.
            method: the request's method.
            path: the request's path.
        """
        with self.transaction() as connection:
            values = (moment, fault, method, path)
            connection.execute(
                "INSERT INTO incidents (time, fault, method, path) VALUES (?, ?, ?, ?)", values
            )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Runs a block in one transaction: all of it is kept, or on any exception nothing.

        Yields:
            The connection.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def insert_jobs(self, rows: Iterable[dict[str, Any]]) -> None:
        """Adds jobs, all or none.

        Args:
            rows: values by column.
        """
        names = (*COLUMNS[1:], "payload")
        marks = ", ".join(f":{name}" for name in names)
        with self.transaction() as connection:
            connection.executemany(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})", rows)

    def insert_results(self, rows: Sequence[tuple[str, bytes, bytes | None]]) -> None:
        """Keeps answers; an answer that is there stays.

        Args:
            rows: id of the job, its probabilities and its histogram as JSON.
        """
        with self.transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO results VALUES (?, ?, ?)", rows)


def _cannot_open(path: Path, error: Exception) -> StoreError:
    return StoreError(f"The database {path} cannot be opened: {error}. Name another file with `--database`.")
