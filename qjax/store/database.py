"""The SQLite file below the run store: opening it, checking it, and transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from qjax.errors import StoreError
from qjax.store.explanations import damaged, error_code, explained
from qjax.store.schema import APPLICATION_ID, SCHEMA_VERSION, expected_tables, migrate, tables

FILE_NAME = "runs.sqlite"


def connect(
    directory: Path, *, create: bool, busy_seconds: float, any_thread: bool = False
) -> sqlite3.Connection:
    """Opens the database of a folder, checks that it is sound and of a known version.

    A file that is damaged, foreign or newer is left exactly as it is.

    Args:
        directory: folder of the store.
        create: make folder and database where there are none.
        busy_seconds: how long to wait for another process that writes, in seconds.
        any_thread: whether threads may take turns; by default only the one that connects may use it.

    Returns:
        A connection in autocommit mode; use `transaction` for everything.

    Raises:
        StoreError: it cannot be opened; the message names cause and cure.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     connection = connect(Path(folder), create=True, busy_seconds=1.0)
        ...     print(connection.execute("PRAGMA journal_mode").fetchone()[0])
        ...     connection.close()
        wal
    """
    path = directory.absolute() / FILE_NAME
    _check_files(path, create)
    with explained(path):
        uri = f"{path.as_uri()}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=not any_thread
        )
        try:
            _set_up(connection, path, create, busy_seconds)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(
    connection: sqlite3.Connection, path: Path, mode: Literal["read", "write"], *, durable: bool = True
) -> Iterator[sqlite3.Connection]:
    """Runs a block in one transaction: all of it is kept, or on any exception nothing.

    Args:
        connection: connection from `connect`.
        path: the database file, for messages.
        mode: "read" sees one moment of the database; "write" also keeps other writers out from the
            start, so that what the block reads cannot change before it writes.
        durable: whether to wait until the disk has it, so that it outlives a power cut. Otherwise that is
            left to the next transaction that does; a killed process loses nothing in either case.

    Yields:
        The connection.

    Raises:
        StoreError: SQLite refused; the message names cause and cure.

    Example:
        >>> connection = sqlite3.connect(":memory:", isolation_level=None)
        >>> with transaction(connection, Path("runs.sqlite"), "write"):
        ...     _ = connection.execute("CREATE TABLE example (x)")
        >>> with transaction(connection, Path("runs.sqlite"), "read"):
        ...     connection.execute("SELECT count(*) FROM example").fetchone()
        (0,)
    """
    with explained(path):
        if not durable:
            connection.execute("PRAGMA synchronous = NORMAL")
        try:
            connection.execute("BEGIN" if mode == "read" else "BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        finally:
            # SQLite itself ends the transaction after some errors (a full disk is one).
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not durable:
                connection.execute("PRAGMA synchronous = FULL")


def check_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Lets SQLite check every page, which takes about a second per gigabyte.

    Args:
        connection: connection from `connect`.
        path: the database file, for messages.

    Raises:
        StoreError: the database is damaged.

    Example:
        >>> check_sound(sqlite3.connect(":memory:"), Path("runs.sqlite"))
    """
    with explained(path):
        (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if finding != "ok":
        raise damaged(path, finding)


def _check_files(path: Path, create: bool) -> None:
    directory = path.parent
    try:
        if create:
            directory.mkdir(parents=True, exist_ok=True)
        elif directory.is_dir() and not path.exists():
            raise StoreError(f"The folder {directory} holds no runs. Train once, or name another folder.")
        elif not directory.exists():
            raise StoreError(f"There is no folder {directory}. Train once, or name another folder.")
        if not directory.is_dir():
            raise FileExistsError
        # This order: a store that another process creates right now has no log before it has content.
        log = path.with_name(f"{path.name}-wal")
        has_log = log.exists() and log.stat().st_size > 0
        if has_log and not (path.exists() and path.stat().st_size > 0):
            # SQLite would delete the log, and with it the last transactions.
            raise damaged(path, f"it is empty, but its log {log.name} is not")
    except (FileExistsError, NotADirectoryError):
        raise StoreError(
            f"The run store needs a folder, but {directory} is, or lies below, a file. Name another folder."
        ) from None
    except OSError as error:
        raise StoreError(
            f"The folder {directory} of the run store cannot be used ({error.strerror}). Give this user the "
            "right to write there, or name another folder."
        ) from error


def _set_up(connection: sqlite3.Connection, path: Path, create: bool, busy_seconds: float) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    # A killed process loses nothing committed in either mode, for the system holds the written
    # pages. FULL also keeps a commit through a power cut, for one sync per append.
    connection.execute("PRAGMA synchronous = FULL")
    with transaction(connection, path, "read"):  # One moment, as another process may be creating it.
        version = _version(connection, path)
    if version == 0 and not create:
        raise StoreError(f"The run store {path} is empty. Train once, or name another folder.")
    if version < SCHEMA_VERSION:
        _use_log(connection, path, busy_seconds)
        with transaction(connection, path, "write"):
            # Another process may have been faster.
            version = _version(connection, path)
            if 0 < version < SCHEMA_VERSION:
                _keep_copy(path, version)
            migrate(connection, version)
    if tables(connection) != expected_tables():
        raise damaged(path, "its tables are not those of a run store")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if version == application == 0 and not tables(connection):
        return 0
    if application != APPLICATION_ID or version < 1:
        raise damaged(path, "it is not a database of qjax")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"The run store {path} has schema version {version}, but this qjax knows versions up to "
            f"{SCHEMA_VERSION}. Update qjax."
        )
    return version


def _keep_copy(path: Path, version: int) -> None:
    """Copies the database of an older version beside it, as `runs.sqlite.v1.bak` for version 1."""
    kept = path.with_name(f"{path.name}.v{version}.bak")
    unfinished = kept.with_name(f"{kept.name}.part")
    try:
        unfinished.unlink(missing_ok=True)
        # Connections of their own: the caller's transaction keeps writers out, and readers see what was
        # committed last.
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(unfinished)) as copy,
        ):
            source.backup(copy)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(kept)
    except OSError as error:
        raise StoreError(
            f"The run store {path} has schema version {version} and is brought to version {SCHEMA_VERSION} "
            f"after a copy of it was made, but {kept} cannot be written ({error.strerror}). Make room in its "
            "folder."
        ) from error


def _use_log(connection: sqlite3.Connection, path: Path, busy_seconds: float) -> None:
    # SQLite does not wait by itself when two connections change the journal mode of a new file.
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise StoreError(
            f"The file system of {path} cannot hold a database that several processes use. Put the folder on "
            "a local disk."
        )
