"""Reading what a run was trained on and what it made of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import numpy as np

from qjax.errors import StoreError
from qjax.store import history
from qjax.store.batches import Batches, read_indices
from qjax.store.database import transaction
from qjax.store.progress import read_progress
from qjax.store.rundata import RunData, is_recorded, read_run_data
from qjax.store.states import EncodedStates, Snapshot, read_snapshots, read_states, state_rows


class RecordReader:
    """The part of `RunStore` that reads the record of a run: data, batches, parameters, states."""

    def __init__(self, connection: sqlite3.Connection, path: Path):
        self._connection = connection
        self._path = path

    @property
    def directory(self) -> Path:
        """Folder of the store."""
        return self._path.parent

    @property
    def path(self) -> Path:
        """The database file."""
        return self._path

    def transaction(self, mode: Literal["read", "write"]) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction, for the modules that keep tables of their own in this database.

        Args:
            mode: see `qjax.store.database.transaction`.

        Returns:
            A context manager that gives the connection.
        """
        return transaction(self._connection, self._path, mode)

    def data(self, run_id: str) -> RunData:
        """Reads what a run was trained on.

        Args:
            run_id: full run id.

        Returns:
            The data, to the bit.

        Raises:
            StoreError: there is no such run, it keeps no record of its data, or it cannot be read.
        """
        with self.transaction("read") as connection:
            read_progress(connection, self._path, run_id)
            found = read_run_data(connection, self._path, run_id)
        if found is None:
            raise _without_record(run_id)
        return found

    def has_data(self, run_id: str) -> bool:
        """Tells whether a run keeps a record of its data and batches.

        Args:
            run_id: full run id.

        Returns:
            False for runs of schema version 1.

        Raises:
            StoreError: there is no such run, or it cannot be read.
        """
        with self.transaction("read") as connection:
            read_progress(connection, self._path, run_id)
            return is_recorded(connection, self._path, run_id)

    def batches(self, run_id: str, first_step: int = 0, stop_step: int | None = None) -> Batches:
        """Reads which samples a run used when, and the loss of each batch.

        Args:
            run_id: full run id.
            first_step: the first step wanted.
            stop_step: the step after the last one wanted; None for all that are recorded.

        Returns:
            The batches of these steps.

        Raises:
            StoreError: there is no such run, it keeps no record of its batches, or it cannot be read.
        """
        with self.transaction("read") as connection:
            progress = read_progress(connection, self._path, run_id)
            if not is_recorded(connection, self._path, run_id):
                raise _without_record(run_id)
            most = progress.steps or 0
            # Integers of NumPy would reach SQLite as bytes.
            stop = most if stop_step is None else min(int(stop_step), most)
            first = min(int(first_step), stop)
            indices = read_indices(connection, self._path, run_id, first, stop)
            metrics = history.read_metrics(connection, self._path, progress, first, stop)
        return Batches(first, indices, metrics.epoch, metrics.batch, metrics.loss)

    def snapshots(self, run_id: str) -> tuple[Snapshot, ...]:
        """Reads the parameter snapshots of a run.

        Args:
            run_id: full run id.

        Returns:
            Snapshots by step; none for a run that keeps no record.

        Raises:
            StoreError: there is no such run, or it cannot be read.
        """
        with self.transaction("read") as connection:
            read_progress(connection, self._path, run_id)
            return read_snapshots(connection, self._path, run_id)

    def state_steps(self, run_id: str) -> tuple[int, ...]:
        """Lists after which steps states were kept.

        Args:
            run_id: full run id.

        Returns:
            The steps, ascending.

        Raises:
            StoreError: there is no such run, or it cannot be read.
        """
        with self.transaction("read") as connection:
            read_progress(connection, self._path, run_id)
            return tuple(np.unique([row[0] for row in state_rows(connection, self._path, run_id)]).tolist())

    def states(self, run_id: str, step: int | None = None) -> Iterator[EncodedStates]:
        """Reads the states of a run, part by part, so that memory holds one part at a time.

        Args:
            run_id: full run id.
            step: after which step; None for all.

        Yields:
            States in the order of steps, of several megabytes at most each.

        Raises:
            StoreError: there is no such run, or it cannot be read.
        """
        with self.transaction("read") as connection:
            read_progress(connection, self._path, run_id)
            rows = state_rows(connection, self._path, run_id)
        for row_step, part, _ in rows:
            if step is None or row_step == step:
                with self.transaction("read") as connection:
                    (found,) = read_states(connection, self._path, run_id, [(row_step, part)])
                yield found


def _without_record(run_id: str) -> StoreError:
    return StoreError(
        f"Run {run_id} keeps no record of its data and batches, because an older version of qjax wrote it. "
        "Train anew to have one."
    )
