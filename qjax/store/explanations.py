"""What SQLite and its file can refuse, in plain words: each error names its cause and its cure."""

from __future__ import annotations

import os
import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qjax.errors import DamagedError, StoreError


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns every error of SQLite inside the block into a `StoreError` with cause and cure.

    Args:
        path: the database file.

    Yields:
        Nothing.

    Raises:
        StoreError: SQLite raised an error.

    Example:
        >>> with explained(Path("runs.sqlite")):
        ...     raise sqlite3.DatabaseError("file is not a database")
        Traceback (most recent call last):
        ...
        qjax.errors.DamagedError: The run store runs.sqlite is damaged (file is not a database)...
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # A defect of the caller (another thread, a closed store), not of the file.
    except sqlite3.Error as error:
        raise _explain(error, path) from error
    except UnicodeDecodeError as error:  # The sqlite3 module fails on damaged text before SQLite does.
        raise damaged(path, error) from error


def damaged(path: Path, finding: object) -> DamagedError:
    """Says that the database holds something this project did not write.

    Args:
        path: the database file.
        finding: what was noticed, continuing a bracket.

    Returns:
        The error to raise.

    Example:
        >>> print(damaged(Path("runs.sqlite"), "a row is missing"))
        The run store runs.sqlite is damaged (a row is missing). Nothing was changed; move ...
    """
    # SQLite quotes damaged text at full length.
    quoted = textwrap.shorten(str(finding), 120)
    return DamagedError(
        f"The run store {path} is damaged ({quoted}). Nothing was changed; move its folder away to start a "
        f"new store, or save what can be read with `sqlite3 {path.name} .recover`."
    )


def error_code(error: sqlite3.Error) -> int | None:
    """Gives the primary result code of SQLite.

    Args:
        error: an error of the sqlite3 module.

    Returns:
        A constant such as `sqlite3.SQLITE_BUSY`, None for an error that SQLite itself did not raise.

    Example:
        >>> error_code(sqlite3.OperationalError("Could not decode to UTF-8")) is None
        True
    """
    extended = getattr(error, "sqlite_errorcode", None)
    return None if extended is None else extended & 0xFF


def _explain(error: sqlite3.Error, path: Path) -> StoreError:
    match error_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"The run store {path} is locked by another process. Wait until that process is done, or end "
                "it, and try again."
            )
        case sqlite3.SQLITE_FULL:
            return StoreError(
                f"The disk with the run store {path} is full, and the last write was undone. Make room on "
                "the disk and resume the run."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            effective = os.access in os.supports_effective_ids
            folder = os.access(path.parent, os.W_OK, effective_ids=effective)
            return StoreError(
                f"The run store {path} cannot be opened for writing, because its "
                f"{'file' if folder else 'folder'} is read-only or not accessible ({error}). Give this user "
                "the right to write there, or name another folder."
            )
        case sqlite3.SQLITE_IOERR:
            return StoreError(
                f"The disk with the run store {path} failed ({error}). Check the disk and its free space, "
                "and resume the run."
            )
        case sqlite3.SQLITE_TOOBIG:
            return StoreError(
                f"A value is too large for the run store {path}, which holds at most 1 GB in one checkpoint. "
                "Save a smaller state."
            )
        case _:
            return damaged(path, error)
