"""Which samples a run used when: the table `batches`, one row for each chunk of steps."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qjax.store.explanations import damaged
from qjax.store.sealed import read_rows, write_rows


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of consecutive steps.

    Args:
        first_step: the first step.
        indices: int32 `[steps, B]`, the place of each sample in the prepared data; -1 is padding.
        epoch: int64 `[steps]`, from 0.
        batch: int64 `[steps]`, batch within the epoch, from 0.
        loss: float64 `[steps]`, loss of the batch.

    Example:
        >>> one = np.zeros(1, np.int64)
        >>> Batches(0, np.array([[2, 0, -1]], np.int32), one, one, np.array([0.5])).weights
        array([[1., 1., 0.]], dtype=float32)
    """

    first_step: int
    indices: np.ndarray
    epoch: np.ndarray
    batch: np.ndarray
    loss: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """float32 `[steps, B]`: 1 for a sample and 0 for padding."""
        return (self.indices >= 0).astype(np.float32)


def packed(indices: np.ndarray) -> bytes:
    """Packs sample indices into the fewest whole bytes each; 0 stands for padding.

    Args:
        indices: integers `[steps, B]`, at least -1.

    Returns:
        One byte that says how many bytes an index takes, and the indices plus one.

    Example:
        >>> len(packed(np.array([[0, 454, -1]])))
        7
    """
    shifted = np.asarray(indices, np.int64) + 1
    width = next(width for width in (1, 2, 4, 8) if shifted.max(initial=0) < 1 << 8 * width)
    return bytes([width]) + shifted.astype(f"<u{width}").tobytes()


def unpacked(blob: bytes, num_steps: int) -> np.ndarray:
    """Reads what `packed` wrote.

    Args:
        blob: the bytes.
        num_steps: number of steps.

    Returns:
        int32 `[num_steps, B]`.

    Example:
        >>> unpacked(packed(np.array([[0, 454, -1]])), 1)
        array([[  0, 454,  -1]], dtype=int32)
    """
    shifted = np.frombuffer(blob, f"<u{blob[0]}", offset=1)
    return shifted.astype(np.int32).reshape(num_steps, -1) - np.int32(1)


def write_batches(connection: sqlite3.Connection, run_id: str, first_step: int, indices: np.ndarray) -> None:
    """Writes the batches of a chunk.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        first_step: the first step of the chunk.
        indices: `[steps, B]`.
    """
    num_samples = int((indices >= 0).sum())
    row = (run_id, first_step, len(indices), num_samples, indices.shape[1], packed(indices))
    write_rows(connection, "batches", [row])


def read_indices(
    connection: sqlite3.Connection, path: Path, run_id: str, first_step: int, stop_step: int
) -> np.ndarray:
    """Reads the sample indices of steps.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.
        first_step: the first step.
        stop_step: the step after the last; the run has at least so many.

    Returns:
        int32 `[steps, B]`.

    Raises:
        StoreError: a row is damaged or missing.
    """
    rest = "WHERE run = ? AND first_step < ? AND first_step + num_steps > ? ORDER BY first_step"
    rows = read_rows(connection, path, "batches", rest, run_id, stop_step, first_step)
    step = rows[0][1] if rows else 0
    begin = step
    for row in rows:
        if row[:2] != (run_id, step):
            raise damaged(path, f"batches of run {run_id} are missing")
        step += row[2]
    if rows and begin <= first_step and step >= stop_step:
        indices = np.concatenate([unpacked(row[5], row[2]) for row in rows])
        return indices[first_step - begin : stop_step - begin]
    if first_step < stop_step:
        raise damaged(path, f"batches of run {run_id} are missing")
    return np.empty((0, 0), np.int32)


def remove_batches_after(connection: sqlite3.Connection, run_id: str, step: int) -> None:
    """Removes the batches after a checkpoint; chunks end at checkpoints, so these are whole rows.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        step: step of the checkpoint.
    """
    connection.execute("DELETE FROM batches WHERE run = ? AND first_step >= ?", (run_id, step))
