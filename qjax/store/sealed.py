"""Rows with a checksum: sealed on writing, verified on reading.

SQLite notices a broken page, but not a flipped bit inside a value.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qjax.store.explanations import damaged


def write_rows(
    connection: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]], *, replace: bool = False
) -> None:
    """Writes rows with their seal.

    Args:
        connection: connection inside a write transaction.
        table: a table whose last column is `seal`.
        rows: values of all other columns, in the order of the table.
        replace: whether a row takes the place of one with the same primary key; otherwise that is an
            error of SQLite.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> _ = connection.execute("CREATE TABLE example (x, seal)")
        >>> write_rows(connection, "example", [(1,), (None,)])
        >>> read_rows(connection, Path("runs.sqlite"), "example", "ORDER BY x")
        [(None,), (1,)]
    """
    sealed = [(*row, _seal(table, row)) for row in rows]
    if sealed:
        marks = ", ".join("?" * len(sealed[0]))
        connection.executemany(f"{'REPLACE' if replace else 'INSERT'} INTO {table} VALUES ({marks})", sealed)


def read_rows(
    connection: sqlite3.Connection, path: Path, table: str, rest: str, *values: object
) -> list[tuple[Any, ...]]:
    """Reads rows and verifies the seal of each.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        table: a table whose last column is `seal`.
        rest: the query after the table, such as "WHERE run = ?".
        values: values for the marks in `rest`.

    Returns:
        The rows without their seals.

    Raises:
        StoreError: a row is not what was written.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> _ = connection.execute("CREATE TABLE example (x, seal)")
        >>> write_rows(connection, "example", [(1,)])
        >>> _ = connection.execute("UPDATE example SET x = 2")
        >>> read_rows(connection, Path("runs.sqlite"), "example", "")
        Traceback (most recent call last):
        ...
        qjax.errors.DamagedError: The run store runs.sqlite is damaged (a row of example ...
    """
    rows = connection.execute(f"SELECT * FROM {table} {rest}", values).fetchall()
    for *row, seal in rows:
        if _seal(table, row) != seal:
            raise damaged(path, f"a row of {table} is not what was written")
    return [row[:-1] for row in rows]


def _seal(table: str, row: Sequence[Any]) -> int:
    if bytes not in map(type, row):
        return zlib.crc32(repr((table, *row)).encode(errors="surrogatepass"))
    # Bytes as they are: their repr would take four times as long as writing them.
    texts = [len(value) if isinstance(value, bytes) else value for value in row]
    seal = zlib.crc32(repr((table, *texts)).encode(errors="surrogatepass"))
    for value in row:
        if isinstance(value, bytes):
            seal = zlib.crc32(value, seal)
    return seal
