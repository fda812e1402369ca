"""What is kept of a chunk of steps beside its metrics."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qjax.errors import StoreError
from qjax.store.batches import write_batches
from qjax.store.records import StepMetrics
from qjax.store.rundata import is_recorded
from qjax.store.states import EncodedStates, Snapshot, add_counts, write_snapshots, write_states


@dataclass(frozen=True, eq=False)
class StepRecord:
    """Samples, parameters and states of a chunk of steps.

    Args:
        indices: `[steps, B]`, the place of each sample in the prepared data; -1 is padding.
        snapshots: parameters after some of the steps.
        states: states of some samples, by ascending step; taken one by one.

    Example:
        >>> StepRecord(np.array([[0, 1], [2, -1]])).snapshots
        ()
    """

    indices: np.ndarray
    snapshots: tuple[Snapshot, ...] = ()
    states: Iterable[EncodedStates] = ()


def write_step_record(
    connection: sqlite3.Connection,
    path: Path,
    run_id: str,
    steps: StepMetrics,
    checkpoint: int,
    record: StepRecord | None,
) -> None:
    """Writes the record of a chunk, which only a run that was created with its data keeps.

    Args:
        connection: connection inside a write transaction.
        path: the database file, for messages.
        run_id: full run id.
        steps: metrics of the chunk.
        checkpoint: step of the checkpoint after it.
        record: the record.

    Raises:
        StoreError: a record is given for a run that keeps none, or does not fit the steps.
    """
    expected = len(steps) if is_recorded(connection, path, run_id) else None
    given = None if record is None else len(record.indices)
    if given != expected:
        keeps = "keeps no" if expected is None else "keeps a"
        raise StoreError(
            f"Run {run_id} {keeps} record of its batches, and {len(steps)} steps came with the samples of "
            f"{given or 0}. Pass the samples of every step exactly where the run was created with its data."
        )
    if record is None:
        return
    if len(steps):
        write_batches(connection, run_id, int(steps.step[0]), record.indices)
    snapshots = write_snapshots(connection, run_id, checkpoint, record.snapshots)
    states = write_states(connection, run_id, checkpoint, record.states)
    if snapshots or states:
        add_counts(connection, path, run_id, snapshots, states)
