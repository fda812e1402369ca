"""Quantum states and parameter snapshots: the tables `states`, `state_values` and `snapshots`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qjax.errors import StoreError
from qjax.store.explanations import damaged
from qjax.store.sealed import read_rows, write_rows
from qjax.store.serialization import from_bytes, to_bytes

PART_BYTES = 2**23
"""States of more bytes are kept in several rows, so that no value nears SQLite's bound of 1 GB."""


@dataclass(frozen=True, eq=False)
class EncodedStates:
    """What the circuit made of samples, at the parameters after `step` steps.

    Args:
        step: steps done; 0 is the untrained model.
        samples: int32 `[n]`, the place of each sample in the prepared data.
        values: `[n, D]`, complex64 or complex128 amplitudes, kept to the bit.

    Example:
        >>> EncodedStates(0, np.array([3], np.int32), np.ones((1, 2), np.complex64)).values.shape
        (1, 2)
    """

    step: int
    samples: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Snapshot:
    """The parameters of the model after `step` steps.

    Args:
        step: steps done; 0 is the untrained model.
        payload: the parameters' arrays as `qjax.store.to_bytes` wrote them.

    Example:
        >>> Snapshot(0, to_bytes([np.zeros(3)])).step
        0
    """

    step: int
    payload: bytes


def write_states(
    connection: sqlite3.Connection, run_id: str, checkpoint: int, states: Iterable[EncodedStates]
) -> int:
    """Writes states, in parts of at most `PART_BYTES`.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        checkpoint: step of the checkpoint they come with.
        states: what to write, by ascending step.

    Returns:
        How many rows the table gained.
    """
    gained = 0
    for each in states:
        sql = "SELECT coalesce(max(part) + 1, 0) FROM states WHERE run = ? AND step = ?"
        (part,) = connection.execute(sql, (run_id, each.step)).fetchone()
        per_part = max(1, PART_BYTES // max(1, each.values[:1].nbytes))
        for first in range(0, len(each.values), per_part):
            stop = min(first + per_part, len(each.values))
            write_rows(connection, "states", [(run_id, each.step, part, checkpoint, stop - first)])
            payload = to_bytes(
                [
                    _key(run_id, each.step, part),
                    each.samples[first:stop].astype(np.int32),
                    each.values[first:stop],
                ]
            )
            values = (run_id, each.step, part, payload)
            connection.execute("INSERT INTO state_values VALUES (?, ?, ?, ?)", values)
            part, gained = part + 1, gained + 1
    return gained


def read_states(
    connection: sqlite3.Connection, path: Path, run_id: str, keys: Sequence[tuple[int, int]]
) -> list[EncodedStates]:
    """Reads rows of states.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.
        keys: step and part of each row, see `state_rows`.

    Returns:
        The states of each row.

    Raises:
        StoreError: a row is damaged.
    """
    found = []
    for step, part in keys:
        sql = "SELECT payload FROM state_values WHERE run = ? AND step = ? AND part = ?"
        row = connection.execute(sql, (run_id, step, part)).fetchone()
        arrays = _arrays(path, row[0]) if row else []
        if len(arrays) != 3 or not np.array_equal(arrays[0], _key(run_id, step, part)):
            raise damaged(path, f"states of run {run_id} are missing")
        found.append(EncodedStates(step, arrays[1], arrays[2]))
    return found


def state_rows(connection: sqlite3.Connection, path: Path, run_id: str) -> list[tuple[int, int, int]]:
    """Lists the rows of states of a run, and checks that none is missing.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        Step, part and number of samples of each row, in order.

    Raises:
        StoreError: a row is missing.
    """
    rows = read_rows(connection, path, "states", "WHERE run = ? ORDER BY step, part", run_id)
    if len({row[:3] for row in rows if row[0] == run_id}) != read_counts(connection, path, run_id)[1]:
        raise damaged(path, f"states of run {run_id} are missing")
    return [(step, part, num_samples) for _, step, part, _, num_samples in rows]


def write_snapshots(
    connection: sqlite3.Connection, run_id: str, checkpoint: int, snapshots: Sequence[Snapshot]
) -> int:
    """Writes parameter snapshots.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        checkpoint: step of the checkpoint they come with.
        snapshots: what to write; one of the same step is replaced.

    Returns:
        How many rows the table gained.
    """
    gained = 0
    for each in snapshots:
        sql = "DELETE FROM snapshots WHERE run = ? AND step = ?"
        gained += 1 - connection.execute(sql, (run_id, each.step)).rowcount
        write_rows(connection, "snapshots", [(run_id, each.step, checkpoint, each.payload)])
    return gained


def read_snapshots(connection: sqlite3.Connection, path: Path, run_id: str) -> tuple[Snapshot, ...]:
    """Reads the parameter snapshots of a run, and checks that none is missing.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        The snapshots by step.

    Raises:
        StoreError: a row is damaged or missing.
    """
    rows = read_rows(connection, path, "snapshots", "WHERE run = ? ORDER BY step", run_id)
    if len({row[:2] for row in rows if row[0] == run_id}) != read_counts(connection, path, run_id)[0]:
        raise damaged(path, f"snapshots of run {run_id} are missing")
    return tuple(Snapshot(step, payload) for _, step, _, payload in rows)


def read_counts(connection: sqlite3.Connection, path: Path, run_id: str) -> tuple[int, int]:
    """Reads how many snapshots and rows of states a run has.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        Both numbers, zero for a run that keeps no record.
    """
    rows = read_rows(connection, path, "record_counts", "WHERE run = ?", run_id)
    return rows[0][1:] if rows else (0, 0)


def add_counts(connection: sqlite3.Connection, path: Path, run_id: str, snapshots: int, states: int) -> None:
    """Adds to the numbers that `read_counts` gives.

    Args:
        connection: connection inside a write transaction.
        path: the database file, for messages.
        run_id: full run id.
        snapshots: snapshots gained.
        states: rows of states gained.
    """
    before = read_counts(connection, path, run_id)
    after = (run_id, before[0] + snapshots, before[1] + states)
    write_rows(connection, "record_counts", [after], replace=True)


def remove_states_after(connection: sqlite3.Connection, path: Path, run_id: str, step: int) -> None:
    """Removes the states and snapshots that came with later checkpoints.

    Args:
        connection: connection inside a write transaction.
        path: the database file, for messages.
        run_id: full run id.
        step: step of the checkpoint.
    """
    connection.execute(
        "DELETE FROM state_values WHERE run = ?1 AND (step, part) IN "
        "(SELECT step, part FROM states WHERE run = ?1 AND checkpoint > ?2)",
        (run_id, step),
    )
    sql = "DELETE FROM {} WHERE run = ? AND checkpoint > ?"
    snapshots, states = (
        connection.execute(sql.format(table), (run_id, step)).rowcount for table in ("snapshots", "states")
    )
    if snapshots or states:
        add_counts(connection, path, run_id, -snapshots, -states)


def _key(run_id: str, step: int, part: int) -> np.ndarray:
    """What a payload begins with, so that it is noticed in the place of another."""
    return np.frombuffer(f"{run_id} {step} {part}".encode(), np.uint8)


def _arrays(path: Path, payload: object) -> list[np.ndarray]:
    try:
        return from_bytes(payload) if isinstance(payload, bytes) else []
    except StoreError as error:
        raise damaged(path, error) from None
