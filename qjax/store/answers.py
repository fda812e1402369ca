"""What executors outside of this process answered: the table `answers`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qjax.errors import StoreError
from qjax.store.database import FILE_NAME, connect, transaction
from qjax.store.explanations import damaged
from qjax.store.sealed import read_rows, write_rows
from qjax.store.serialization import from_bytes, to_bytes

BUSY_SECONDS = 10.0


class RunAnswers:
    """The answers of one run. Any thread may use it; they take turns.

    Args:
        directory: folder of the run store.
        run_id: full id of the run.

    Raises:
        StoreError: the run store cannot be opened.

    Example:
        >>> import tempfile
        >>> from qjax.store import RunStore
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with RunStore.open(folder) as store:
        ...         run_id = store.create_run({}, {}, "c0ffee", {}, name="iris")
        ...     with RunAnswers(folder, run_id) as answers:
        ...         answers.keep("what was asked", [np.array([0.5])])
        ...         answers.find("what was asked"), answers.find("something else"), len(answers)
        ([array([0.5])], None, 1)
    """

    def __init__(self, directory: str | Path, run_id: str):
        self._path = Path(directory).absolute() / FILE_NAME
        self._run = run_id
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection = connect(
            self._path.parent, create=False, busy_seconds=BUSY_SECONDS, any_thread=True
        )

    def keep(self, question: str, arrays: Sequence[np.ndarray]) -> None:
        """Writes an answer; one to the same question is replaced.

        Args:
            question: hash of what was asked.
            arrays: the answer.

        Raises:
            StoreError: it cannot be written.
        """
        # A lost answer can be asked for again, so it need not outlive a power cut by itself.
        with self._lock, transaction(self._connection, self._path, "write", durable=False) as connection:
            write_rows(connection, "answers", [(self._run, question, to_bytes(arrays))], replace=True)

    def find(self, question: str) -> list[np.ndarray] | None:
        """Reads an answer.

        Args:
            question: hash of what is asked.

        Returns:
            The answer to the bit, None where there is none.

        Raises:
            StoreError: it is damaged, or cannot be read.
        """
        with self._lock, transaction(self._connection, self._path, "read") as connection:
            where = "WHERE run = ? AND question = ?"
            rows = read_rows(connection, self._path, "answers", where, self._run, question)
        if not rows:
            return None
        try:
            return from_bytes(rows[0][2])
        except StoreError as error:
            raise damaged(self._path, error) from None

    def __len__(self) -> int:
        with self._lock, transaction(self._connection, self._path, "read") as connection:
            sql = "SELECT count(*) FROM answers WHERE run = ?"
            return connection.execute(sql, (self._run,)).fetchone()[0]

    def close(self) -> None:
        """Closes it."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> RunAnswers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
