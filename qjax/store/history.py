"""What happened in a run: the tables `metrics`, `evaluations` and `checkpoints`."""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qjax.errors import StoreError
from qjax.store.explanations import damaged
from qjax.store.progress import Progress
from qjax.store.records import STEP_COLUMNS, Checkpoint, Evaluation, StepMetrics
from qjax.store.sealed import read_rows, write_rows

KEPT_CHECKPOINTS = 2


def check_continues(
    progress: Progress, steps: StepMetrics, step: int, evaluations: Sequence[Evaluation]
) -> None:
    """Checks that new steps and evaluations follow on from the newest checkpoint.

    Args:
        progress: the run's progress.
        steps: new steps.
        step: step of the new checkpoint.
        evaluations: new evaluations.

    Raises:
        StoreError: steps are missing, recorded already, or lie after the new checkpoint.
    """
    before = progress.steps or 0
    if steps.step.tolist() != list(range(before, step)) or step < before:
        given = f"{steps.step[0]} to {steps.step[-1]}" if len(steps) else "none"
        raise StoreError(
            f"Run {progress.run} has {before} steps and a checkpoint at step {step} was given with the "
            f"steps {given}. Pass every step from {before} to the one before the checkpoint, or resume "
            "the run first."
        )
    outside = [each.step for each in evaluations if not before <= each.step <= step]
    if outside:
        raise StoreError(
            f"Run {progress.run} goes from step {before} to step {step}, but an evaluation at step "
            f"{outside[0]} was given. Pass evaluations of these steps only."
        )


def read_metrics(
    connection: sqlite3.Connection,
    path: Path,
    progress: Progress,
    first_step: int = 0,
    stop_step: int | None = None,
) -> StepMetrics:
    """Reads the metrics of a run and checks that no step is missing.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        progress: the run's progress, read in the same transaction.
        first_step: the first step.
        stop_step: the step after the last; None for all that are recorded.

    Returns:
        Steps `first_step` to `stop_step - 1`.

    Raises:
        StoreError: a row is damaged or missing.
    """
    stop = (progress.steps or 0) if stop_step is None else stop_step
    # All of the run where all is wanted, so that a row too many is noticed as well.
    within = "" if stop_step is None else f"AND step >= {first_step:d} AND step < {stop:d} "
    rows = read_rows(connection, path, "metrics", f"WHERE run = ? {within}ORDER BY step", progress.run)
    if [row[:2] for row in rows] != [(progress.run, step) for step in range(first_step, stop)]:
        raise damaged(path, f"steps of run {progress.run} are missing")
    return StepMetrics.from_rows([row[1:] for row in rows])


def write_metrics(connection: sqlite3.Connection, run_id: str, steps: StepMetrics) -> None:
    """Writes one row per step.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        steps: the columns.
    """
    lists = (_values(getattr(steps, name)) for name in STEP_COLUMNS)
    write_rows(connection, "metrics", [(run_id, *row) for row in zip(*lists, strict=True)])


def read_evaluations(
    connection: sqlite3.Connection, path: Path, progress: Progress
) -> tuple[Evaluation, ...]:
    """Reads the evaluations of a run and checks that none is missing.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        progress: the run's progress, read in the same transaction.

    Returns:
        Evaluations by step, "test" before "train".

    Raises:
        StoreError: a row is damaged or missing.
    """
    rows = read_rows(connection, path, "evaluations", "WHERE run = ? ORDER BY step, split", progress.run)
    keys = [row[:3] for row in rows]
    # A damaged page can list one row twice and leave another out, so the count is not enough.
    own = sorted({key for key in keys if key[0] == progress.run})
    if keys != own or len(keys) != progress.evaluations:
        raise damaged(path, f"evaluations of run {progress.run} are missing")
    return tuple(
        Evaluation(step, split, math.nan if loss is None else loss, accuracy, n_circuits)
        for _, step, split, loss, accuracy, n_circuits in rows
    )


def write_evaluations(
    connection: sqlite3.Connection, progress: Progress, evaluations: Iterable[Evaluation]
) -> int:
    """Writes evaluations; one of the same step and split is replaced.

    Args:
        connection: connection inside a write transaction.
        progress: the run's progress, read in the same transaction.
        evaluations: what to write.

    Returns:
        How many rows the table gained.
    """
    last = {(progress.run, int(each.step), each.split): each for each in evaluations}
    gained = len(last)
    for key in last:
        # None of a later step can be there.
        if key[1] <= (progress.steps or 0):
            sql = "DELETE FROM evaluations WHERE run = ? AND step = ? AND split = ?"
            gained -= connection.execute(sql, key).rowcount
    rows = [
        (*key, _real(each.loss), _real(each.accuracy), int(each.n_circuits)) for key, each in last.items()
    ]
    write_rows(connection, "evaluations", rows)
    return gained


def _real(value: float | None) -> float | None:
    # What SQLite will give back, so that the seal is taken of that: NULL for NaN, one zero.
    return None if value is None or math.isnan(value) else float(value) + 0.0


def _values(column: np.ndarray) -> list[Any]:
    if column.dtype.kind != "f":
        return column.tolist()
    # As `_real`, but all at once.
    values = (column + 0.0).tolist()
    return [None if value != value else value for value in values] if np.isnan(column).any() else values


def read_checkpoint(connection: sqlite3.Connection, run_id: str) -> Checkpoint | None:
    """Reads the newest checkpoint whose hash matches.

    Args:
        connection: connection inside a transaction.
        run_id: full run id.

    Returns:
        The checkpoint, or None if there is no sound one.
    """
    sql = "SELECT step, payload, sha256 FROM checkpoints WHERE run = ? ORDER BY step DESC"
    for step, payload, sha256 in connection.execute(sql, (run_id,)):
        if _sha256(run_id, step, payload) == sha256:
            return Checkpoint(step, payload)
    return None


def write_checkpoint(connection: sqlite3.Connection, progress: Progress, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint and keeps the one before it; any other of the run is removed.

    Args:
        connection: connection inside a write transaction.
        progress: the run's progress, read in the same transaction.
        checkpoint: the new newest one. A later one can only be a damaged one that a resume passed by.
    """
    step, payload = checkpoint.step, checkpoint.payload
    row = (progress.run, step, payload, _sha256(progress.run, step, payload))
    connection.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)", row)
    if progress.steps is not None:  # Otherwise it is the first.
        connection.execute(
            "DELETE FROM checkpoints WHERE run = ?1 AND step NOT IN (SELECT step FROM checkpoints "
            "WHERE run = ?1 AND step <= ?2 ORDER BY step DESC LIMIT ?3)",
            (progress.run, step, KEPT_CHECKPOINTS),
        )


def remove_after(connection: sqlite3.Connection, run_id: str, step: int) -> int:
    """Removes the metrics and evaluations that lie after a checkpoint.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        step: step of the checkpoint.

    Returns:
        How many evaluations were removed.
    """
    connection.execute("DELETE FROM metrics WHERE run = ? AND step >= ?", (run_id, step))
    sql = "DELETE FROM evaluations WHERE run = ? AND step > ?"
    return connection.execute(sql, (run_id, step)).rowcount


def _sha256(run_id: str, step: object, payload: object) -> bytes:
    # Run and step are hashed too: a sound payload in the place of another is damage as well.
    content = payload if isinstance(payload, bytes) else repr(payload).encode(errors="surrogatepass")
    return hashlib.sha256(f"{run_id} {step} ".encode() + content).digest()
