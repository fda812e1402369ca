"""What a run is and how far it got: the tables `runs` and `progress`, and the record of both."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from qjax.errors import ArgumentError, StoreError
from qjax.store.explanations import damaged
from qjax.store.process import Writer
from qjax.store.records import RunRecord, RunStatus
from qjax.store.sealed import read_rows


class Progress(NamedTuple):
    """How far a run got: its row in the table `progress`, without the seal.

    Args:
        run: run id.
        status: status as last written.
        ended_at: end in UTC as ISO text, or None.
        process_id: process that wrote last.
        process_start: start of that process, see `Writer`.
        steps: steps recorded, None before the first append.
        evaluations: evaluations recorded.
        summary: summary as JSON text, or None.

    Example:
        >>> Progress("r", "running", None, 1, "boot:1", None, 0, None).writer
        Writer(process_id=1, process_start='boot:1')
    """

    run: str
    status: RunStatus
    ended_at: str | None
    process_id: int
    process_start: str
    steps: int | None
    evaluations: int
    summary: str | None

    @property
    def writer(self) -> Writer:
        """The process that wrote last."""
        return Writer(self.process_id, self.process_start)

    @property
    def is_being_written(self) -> bool:
        """True while the run is marked running and its writer lives."""
        return self.status == "running" and self.writer.is_alive()


def read_progress(connection: sqlite3.Connection, path: Path, run_id: str) -> Progress:
    """Reads how far one run got.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        Its row.

    Raises:
        StoreError: there is no such run; the message names runs that there are.
    """
    rows = read_rows(connection, path, "progress", "WHERE run = ?", run_id)
    if not rows:
        ids = [row[0] for row in connection.execute("SELECT id FROM runs ORDER BY number DESC")]
        raise unknown_run(path, run_id, ids)
    progress = Progress(*rows[0])
    if len(rows) != 1 or progress.run != run_id:
        raise damaged(path, "the row of another run was found")
    return progress


def unknown_run(path: Path, wanted: str, ids: list[str]) -> StoreError:
    """Says that a run does not exist, and what does.

    Args:
        path: the database file.
        wanted: what was asked for.
        ids: run ids, newest first.

    Returns:
        The error to raise.

    Example:
        >>> print(unknown_run(Path("runs.sqlite"), "x", []))
        There is no run `x` in runs.sqlite, which is still empty. Train once.
    """
    if not ids:
        return StoreError(f"There is no run `{wanted}` in {path}, which is still empty. Train once.")
    return StoreError(f"There is no run `{wanted}` in {path}. Use one of these, newest first: {_shown(ids)}.")


def _shown(ids: list[str]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def read_runs(connection: sqlite3.Connection, path: Path) -> dict[str, tuple[tuple[Any, ...], Progress]]:
    """Reads all runs, as they stand in the tables.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.

    Returns:
        Run id to its row in `runs` and its progress, newest first.

    Raises:
        StoreError: a row is damaged or missing.
    """
    progress = {row[0]: Progress(*row) for row in read_rows(connection, path, "progress", "")}
    runs = {row[1]: row for row in read_rows(connection, path, "runs", "ORDER BY number DESC")}
    if [row[0] for row in runs.values()] != list(range(len(runs), 0, -1)) or set(runs) != set(progress):
        raise damaged(path, "a run is missing")
    return {run_id: (row, progress[run_id]) for run_id, row in runs.items()}


def read_run(
    connection: sqlite3.Connection, path: Path, run_id: str
) -> tuple[tuple[Any, ...], Progress] | None:
    """Reads one run, however many there are.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        Its row in `runs` and its progress, as `read_runs` gives them; None where that should look, because
        nothing or not all is found.

    Raises:
        StoreError: a row is damaged.
    """
    runs = read_rows(connection, path, "runs", "WHERE id = ?", run_id)
    progress = read_rows(connection, path, "progress", "WHERE run = ?", run_id)
    if [row[1] for row in runs] != [run_id] or [row[0] for row in progress] != [run_id]:
        return None
    return runs[0], Progress(*progress[0])


def as_record(row: tuple[Any, ...], progress: Progress) -> RunRecord:
    """Turns what `read_runs` gives for one run into its record, with the status a reader should see.

    Args:
        row: the run's row in `runs`.
        progress: the run's progress.

    Returns:
        The record.
    """
    _, run_id, name, created_at, config, circuit, circuit_hash, environment = row
    gone = progress.status == "running" and not progress.is_being_written
    return RunRecord(
        id=run_id,
        name=name,
        status="interrupted" if gone else progress.status,
        created_at=datetime.fromisoformat(created_at),
        ended_at=None if progress.ended_at is None else datetime.fromisoformat(progress.ended_at),
        process_id=progress.process_id,
        steps=progress.steps or 0,
        config=json.loads(config),
        circuit=json.loads(circuit),
        circuit_hash=circuit_hash,
        environment=json.loads(environment),
        summary=None if progress.summary is None else json.loads(progress.summary),
    )


def choose_run(path: Path, ids: Collection[str], wanted: str) -> str:
    """Finds one run by its id, the beginning of its id, or "latest".

    Args:
        path: the database file, for messages.
        ids: ids of all runs, newest first.
        wanted: what to look for.

    Returns:
        The full run id.

    Raises:
        StoreError: no run or several runs fit.

    Example:
        >>> ids = ["20261123-090000-0a1b", "20261122-071500-abcd"]
        >>> choose_run(Path("runs.sqlite"), ids, "20261122")
        '20261122-071500-abcd'
        >>> choose_run(Path("runs.sqlite"), [], "latest")
        Traceback (most recent call last):
        ...
        qjax.errors.StoreError: There is no run `latest` in runs.sqlite, which is still empty. Train once.
    """
    found = [each for each in ids if each.startswith(wanted)] if wanted != "latest" else [*ids][:1]
    if not found or not wanted:
        raise unknown_run(path, wanted, [*ids])
    if len(found) > 1:
        raise StoreError(
            f"The beginning `{wanted}` fits {len(found)} runs in {path}. Write more of the id of one of "
            f"these, newest first: {_shown(found)}."
        )
    return found[0]


def free_id(now: datetime, ids: Collection[str]) -> str:
    """Makes an id for a run that starts now.

    Args:
        now: the time in UTC.
        ids: ids that are taken.

    Returns:
        `YYYYMMDD-HHMMSS-xxxx`, with four random hexadecimal digits.

    Example:
        >>> free_id(datetime(2026, 11, 22, 7, 15), [])
        '20261122-071500-...'
    """
    while True:
        run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        if run_id not in ids:
            return run_id


def as_json(argument: str, value: Mapping[str, Any]) -> str:
    """Turns a mapping into JSON text.

    Args:
        argument: name of the argument, for the message.
        value: the mapping.

    Returns:
        Its JSON text, keys in their order.

    Raises:
        ArgumentError: something in it has no JSON form.

    Example:
        >>> as_json("config", {"seed": 1})
        '{"seed": 1}'
    """
    try:
        return json.dumps(dict(value))
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            argument,
            "hold JSON data only (text, numbers, booleans, None, lists and dictionaries)",
            f"it does not ({error})",
            "Convert the value before storing it.",
        ) from None
