"""How far the record of each run has been sent to a sink: the tables `replicas` and `refusals`.

The record is the outbox. It only grows, so a position in it is all that sending needs to remember.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from qjax.store.sealed import read_rows, write_rows

Kind = Literal["samples", "states"]
KINDS: tuple[Kind, ...] = ("samples", "states")


class Refusal(NamedTuple):
    """A vector that a sink does not take.

    Args:
        id: the vector's id.
        reason: why, in a sentence.

    Example:
        >>> Refusal("r#train_e0_b0_s0", "It is all zeros.").id
        'r#train_e0_b0_s0'
    """

    id: str
    reason: str


class ReplicaStatus(NamedTuple):
    """How far a run has been sent to a sink.

    Args:
        sink: the sink, such as "pinecone:qjax".
        run: run id.
        kind: "samples" or "states".
        sent: vectors that the sink has, or has refused.
        waiting: vectors still to be sent.
        refused: vectors that it refused.

    Example:
        >>> ReplicaStatus("pinecone:qjax", "r", "samples", 10, 2, 0).waiting
        2
    """

    sink: str
    run: str
    kind: Kind
    sent: int
    waiting: int
    refused: int


def total(connection: sqlite3.Connection, run_id: str, kind: Kind) -> int:
    """Counts the vectors that the record of a run comes to.

    Args:
        connection: connection inside a transaction.
        run_id: full run id.
        kind: which ones.

    Returns:
        Their number.
    """
    table = "batches" if kind == "samples" else "states"
    sql = f"SELECT coalesce(sum(num_samples), 0) FROM {table} WHERE run = ?"
    return connection.execute(sql, (run_id,)).fetchone()[0]


def read_position(connection: sqlite3.Connection, path: Path, sink: str, run_id: str, kind: Kind) -> int:
    """Reads how many vectors have been sent.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        sink: the sink.
        run_id: full run id.
        kind: which ones.

    Returns:
        The position in the record to go on from.
    """
    rest = "WHERE sink = ? AND run = ? AND kind = ?"
    rows = read_rows(connection, path, "replicas", rest, sink, run_id, kind)
    return rows[0][3] if rows else 0


def write_position(connection: sqlite3.Connection, sink: str, run_id: str, kind: Kind, position: int) -> None:
    """Writes how many vectors have been sent.

    Args:
        connection: connection inside a write transaction.
        sink: the sink.
        run_id: full run id.
        kind: which ones.
        position: their number.
    """
    write_rows(connection, "replicas", [(sink, run_id, kind, position)], replace=True)


def write_refusals(
    connection: sqlite3.Connection, sink: str, run_id: str, kind: Kind, refusals: Sequence[Refusal]
) -> None:
    """Sets vectors aside that the sink refused.

    Args:
        connection: connection inside a write transaction.
        sink: the sink.
        run_id: full run id.
        kind: which ones.
        refusals: the vectors and why.
    """
    rows = [(sink, run_id, kind, *refusal) for refusal in refusals]
    write_rows(connection, "refusals", rows, replace=True)


def read_refusals(
    connection: sqlite3.Connection, path: Path, sink: str, run_id: str, kind: Kind
) -> list[Refusal]:
    """Reads which vectors a sink refused.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        sink: the sink.
        run_id: full run id.
        kind: which ones.

    Returns:
        The vectors by id.
    """
    rest = "WHERE sink = ? AND run = ? AND kind = ? ORDER BY id"
    rows = read_rows(connection, path, "refusals", rest, sink, run_id, kind)
    return [Refusal(*row[3:]) for row in rows]


def read_status(connection: sqlite3.Connection, path: Path) -> list[ReplicaStatus]:
    """Reads how far each run has been sent to each sink that it was ever sent to.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.

    Returns:
        The newest run first.
    """
    found = []
    for sink, run_id, kind, position in read_rows(
        connection, path, "replicas", "ORDER BY run DESC, sink, kind"
    ):
        refused = len(read_refusals(connection, path, sink, run_id, kind))
        waiting = max(0, total(connection, run_id, kind) - position)
        found.append(ReplicaStatus(sink, run_id, kind, position, waiting, refused))
    return found


def rewind(connection: sqlite3.Connection, path: Path, run_id: str) -> None:
    """Takes positions back to the end of the record, where a resumed run removed what lay after it.

    Args:
        connection: connection inside a write transaction.
        path: the database file, for messages.
        run_id: full run id.
    """
    for sink, _, kind, position in read_rows(connection, path, "replicas", "WHERE run = ?", run_id):
        available = total(connection, run_id, kind)
        if position > available:
            write_position(connection, sink, run_id, kind, available)


def forget(connection: sqlite3.Connection, sink: str, run_id: str) -> None:
    """Begins anew: everything of a run is to be sent to a sink again, refused vectors as well.

    Args:
        connection: connection inside a write transaction.
        sink: the sink.
        run_id: full run id.
    """
    for table in ("replicas", "refusals"):
        connection.execute(f"DELETE FROM {table} WHERE sink = ? AND run = ?", (sink, run_id))
