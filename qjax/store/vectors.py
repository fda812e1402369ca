"""The record of a run as vectors with ids and metadata: one for each sample and batch, one for each state.

Nothing of it is stored. It is made from the record when it is sent somewhere or searched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from qjax.store.batches import read_indices
from qjax.store.replicas import KINDS, Kind, total
from qjax.store.states import read_states
from qjax.store.store import RunStore


class Vector(NamedTuple):
    """A vector as a vector database takes it.

    Attributes:
        id: the same in every attempt; it begins with the run's id and "#".
        values: float32 `[d]`, of its true dimension.
        metadata: texts and numbers.

    Example:
        >>> Vector("r#train_e0_b0_s0", np.ones(2, np.float32), {"epoch": 0}).id
        'r#train_e0_b0_s0'
    """

    id: str
    values: np.ndarray
    metadata: Mapping[str, str | int | float]


def vector_hash(identifier: str, values: np.ndarray, metadata: Mapping[str, Any]) -> str:
    """Hashes a vector, so that what was recorded and what a service gives back can be compared.

    Args:
        identifier: the id.
        values: numbers; compared as float32, without the zeros at the end that padding adds.
        metadata: texts and numbers; a service may give integers back as floats, so all count as floats.

    Returns:
        SHA-256 as 64 hexadecimal digits.

    Example:
        >>> one = vector_hash("a", np.array([0.5, 0.0]), {"epoch": 1})
        >>> one == vector_hash("a", np.array([0.5]), {"epoch": 1.0})
        True
    """
    numbers = np.trim_zeros(np.asarray(values, "<f4"), "b")
    normal = {key: value if isinstance(value, str) else float(value) for key, value in metadata.items()}
    text = json.dumps([identifier, normal], sort_keys=True)
    return hashlib.sha256(text.encode() + numbers.tobytes()).hexdigest()


def id_prefix(run_id: str) -> str:
    """What the ids of all vectors of a run begin with.

    Args:
        run_id: full run id.

    Returns:
        The beginning.

    Example:
        >>> id_prefix("20261122-071500-abcd")
        '20261122-071500-abcd#'
    """
    return f"{run_id}#"


class VectorReader:
    """Reads the vectors of a run, by their position in its record.

    Sample vectors are what the circuit took: the prepared features of each sample of each batch, with the id
    `RUN#train_e{epoch}_b{batch}_s{sample}`. State vectors hold the real parts of the amplitudes and after
    them the imaginary parts, with the id `RUN#state_t{step}_i{sample}`.

    Args:
        store: the open store.
        run_id: full id of a run that keeps a record.

    Raises:
        StoreError: there is no such run, or it keeps no record.
    """

    def __init__(self, store: RunStore, run_id: str):
        self._store = store
        self._run = run_id
        self._data = store.data(run_id)
        self._part = lru_cache(maxsize=2)(self._read_part)

    def total(self, kind: Kind) -> int:
        """Counts the vectors that there are by now.

        Args:
            kind: "samples" or "states".

        Returns:
            Their number.
        """
        with self._store.transaction("read") as connection:
            return total(connection, self._run, kind)

    def width(self) -> int:
        """The dimension of the widest vectors that there are by now."""
        found = [vectors for kind in KINDS for vectors in self.read(kind, 0, 1)]
        return max((len(vector.values) for vector in found), default=0)

    def read(self, kind: Kind, position: int, count: int) -> list[Vector]:
        """Reads vectors.

        Args:
            kind: "samples" or "states".
            position: how many come before the first one wanted.
            count: how many are wanted.

        Returns:
            As many as there are, up to `count`.

        Raises:
            StoreError: something is damaged or missing.
        """
        found: list[Vector] = []
        read_part = self._samples if kind == "samples" else self._states
        while len(found) < count:
            part = read_part(position + len(found), count - len(found))
            if not part:
                break
            found += part
        return found

    def _locate(self, table: str, columns: str, position: int) -> tuple[tuple[Any, ...], int] | None:
        """The row that holds a position, and the position within it."""
        with self._store.transaction("read") as connection:
            sql = f"SELECT num_samples, {columns} FROM {table} WHERE run = ? ORDER BY {columns}"
            rows = connection.execute(sql, (self._run,)).fetchall()
        ends = np.cumsum([row[0] for row in rows])
        number = int(np.searchsorted(ends, position, side="right"))
        if number == len(rows):
            return None
        return rows[number], position - int(ends[number] - rows[number][0])

    def _samples(self, position: int, count: int) -> list[Vector]:
        located = self._locate("batches", "first_step, num_steps", position)
        if located is None:
            return []
        (_, first_step, num_steps), offset = located
        with self._store.transaction("read") as connection:
            indices = read_indices(
                connection, self._store.path, self._run, first_step, first_step + num_steps
            )
        rows, places = np.nonzero(indices >= 0)
        rows, places = rows[offset : offset + count], places[offset : offset + count]
        first, stop = first_step + int(rows[0]), first_step + int(rows[-1]) + 1
        batches = self._store.batches(self._run, first, stop)
        vectors = []
        for row, place in zip((rows - rows[0]).tolist(), places.tolist(), strict=True):
            sample = int(batches.indices[row, place])
            epoch, batch = int(batches.epoch[row]), int(batches.batch[row])
            metadata = {
                "split": "train",
                "epoch": epoch,
                "batch": batch,
                "step": batches.first_step + row,
                "loss": float(batches.loss[row]),
                **self._about(sample),
            }
            values = np.asarray(self._data.prepared_features[sample], np.float32)
            vectors.append(self._vector(f"train_e{epoch}_b{batch}_s{place}", values, metadata))
        return vectors

    def _states(self, position: int, count: int) -> list[Vector]:
        located = self._locate("states", "step, part", position)
        if located is None:
            return []
        (_, step, part), offset = located
        states = self._part(step, part)
        vectors = []
        for row in range(offset, min(offset + count, len(states.samples))):
            sample, amplitudes = int(states.samples[row]), states.values[row]
            metadata = {"step": step, "dtype": amplitudes.dtype.name, **self._about(sample)}
            values = np.concatenate([amplitudes.real, amplitudes.imag]).astype(np.float32)
            vectors.append(self._vector(f"state_t{step}_i{sample}", values, metadata))
        return vectors

    def _read_part(self, step: int, part: int):
        with self._store.transaction("read") as connection:
            return read_states(connection, self._store.path, self._run, [(step, part)])[0]

    def _about(self, sample: int) -> dict[str, str | int | float]:
        data = self._data
        original = int(data.order[sample])
        label = data.targets[original].item()
        named = {"class": data.class_names[label]} if data.class_names else {}
        return {"sample": original, "label": label, **named}

    def _vector(self, name: str, values: np.ndarray, metadata: Mapping[str, str | int | float]) -> Vector:
        about_run = {"run": self._run, "dataset": self._data.version, "dimension": len(values)}
        return Vector(id_prefix(self._run) + name, values, {**metadata, **about_run})
