"""What a run was trained on: the tables `datasets` and `recordings`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from qjax.content import content_hash
from qjax.errors import StoreError
from qjax.store.explanations import damaged
from qjax.store.sealed import read_rows, write_rows
from qjax.store.serialization import from_bytes, to_bytes


@dataclass(frozen=True, eq=False)
class RunData:
    """The data of a run, exactly: as it was read, and as the circuit took it.

    Prepared samples come in the order of the run, the training part first. A batch names samples by their
    place in that order.

    Args:
        name: name of the dataset.
        task: "classification" or "regression".
        class_names: names of the classes, empty for regression.
        feature_names: names of the features.
        features: float64 `[N, F]`, as read.
        targets: `[N]`, as read: class indices (int64) or numbers (float64).
        prepared_features: `[N, E]`, what the circuit takes.
        prepared_targets: `[N]`, what the loss compares with.
        order: int64 `[N]`, the sample of `features` that each prepared one is.
        num_train: samples of the training part.

    Example:
        >>> rows = np.eye(3)
        >>> data = RunData("toy", "regression", (), ("a", "b", "c"), rows, np.arange(3.0), rows[:, :2],
        ...                np.arange(3.0), np.arange(3), 2)
        >>> len(data.version)
        64
    """

    name: str
    task: str
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    features: np.ndarray
    targets: np.ndarray
    prepared_features: np.ndarray
    prepared_targets: np.ndarray
    order: np.ndarray
    num_train: int

    @cached_property
    def version(self) -> str:
        """The version of the dataset: the content hash of its features and targets."""
        return content_hash((self.features, self.targets))


def write_run_data(connection: sqlite3.Connection, run_id: str, data: RunData) -> None:
    """Writes what a run is trained on; arrays that are there already are not written again.

    Args:
        connection: connection inside a write transaction.
        run_id: full run id.
        data: the data.
    """
    raw = data.features, data.targets
    taken = data.prepared_features, data.prepared_targets, data.order.astype(np.int64)
    dataset = _write_arrays(connection, data.version, raw)
    prepared = _write_arrays(connection, content_hash(taken), taken)
    description = {
        "name": data.name,
        "task": data.task,
        "class_names": data.class_names,
        "feature_names": data.feature_names,
        "num_train": data.num_train,
    }
    write_rows(connection, "recordings", [(run_id, dataset, prepared, json.dumps(description))])
    write_rows(connection, "record_counts", [(run_id, 0, 0)])


def is_recorded(connection: sqlite3.Connection, path: Path, run_id: str) -> bool:
    """Tells whether a run keeps a record of its data; those of schema version 1 have none.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        True if it does.
    """
    return bool(read_rows(connection, path, "record_counts", "WHERE run = ?", run_id))


def read_run_data(connection: sqlite3.Connection, path: Path, run_id: str) -> RunData | None:
    """Reads what a run was trained on.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        run_id: full run id.

    Returns:
        The data, None for a run that keeps no record of it.

    Raises:
        StoreError: something is damaged or missing.
    """
    rows = read_rows(connection, path, "recordings", "WHERE run = ?", run_id)
    if not rows:
        if is_recorded(connection, path, run_id):
            raise damaged(path, f"the data of run {run_id} is missing")
        return None
    _, dataset, prepared, text = rows[0]
    description = json.loads(text)
    features, targets = _read_arrays(connection, path, dataset, 2)
    prepared_features, prepared_targets, order = _read_arrays(connection, path, prepared, 3)
    return RunData(
        name=description["name"],
        task=description["task"],
        class_names=tuple(description["class_names"]),
        feature_names=tuple(description["feature_names"]),
        features=features,
        targets=targets,
        prepared_features=prepared_features,
        prepared_targets=prepared_targets,
        order=order,
        num_train=description["num_train"],
    )


def _write_arrays(connection: sqlite3.Connection, key: str, arrays: Sequence[np.ndarray]) -> str:
    if connection.execute("SELECT 1 FROM datasets WHERE hash = ?", (key,)).fetchone() is None:
        connection.execute("INSERT INTO datasets VALUES (?, ?)", (key, to_bytes(arrays)))
    return key


def _read_arrays(connection: sqlite3.Connection, path: Path, key: str, count: int) -> list[np.ndarray]:
    row = connection.execute("SELECT payload FROM datasets WHERE hash = ?", (key,)).fetchone()
    try:
        arrays = from_bytes(row[0]) if row and isinstance(row[0], bytes) else []
    except StoreError:
        arrays = []
    if len(arrays) != count or content_hash(arrays) != key:
        raise damaged(path, f"the dataset {key[:12]} is missing or not what was written")
    return arrays
