"""Compares store and replica without the code under test: SQLite as it is on one side, the server's memory on
the other."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..pinecone_server import Service

Vectors = dict[tuple[str, str], tuple[np.ndarray, dict[str, Any]]]


def check(folder: Path, service: Service, refused: int = 0, index: str = "qjax") -> int:
    """Both sides hold the same vectors by hash, but for so many refused ones; returns how many they are."""
    recorded, replicated = recorded_vectors(folder), service.vectors(index)
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        set_aside = set(connection.execute("SELECT kind, id FROM refusals"))
        waiting = connection.execute(
            "SELECT coalesce(sum(position), 0) FROM replicas WHERE sink = ?", (f"pinecone:{index}",)
        ).fetchone()[0]
    assert len(set_aside) == refused
    assert waiting == len(recorded)
    assert hashes(replicated) == hashes({k: v for k, v in recorded.items() if k not in set_aside})
    return len(recorded)


def hashes(vectors: Vectors) -> dict[tuple[str, str], str]:
    """A hash of each vector: its values without padding, and its metadata."""
    found = {}
    for key, (values, metadata) in vectors.items():
        dimension = int(metadata["dimension"])
        assert not values[dimension:].any(), "padding is zeros"
        normal = {name: value if isinstance(value, str) else float(value) for name, value in metadata.items()}
        content = repr((key, sorted(normal.items()))).encode() + values[:dimension].astype("<f4").tobytes()
        found[key] = hashlib.sha256(content).hexdigest()
    return found


def recorded_vectors(folder: Path) -> Vectors:
    """What the record of every run comes to."""
    found: Vectors = {}
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        for run in connection.execute("SELECT * FROM recordings").fetchall():
            for key, vector in _of_run(connection, run):
                assert key not in found, "every id once"
                found[key] = vector
    return found


def _of_run(connection: sqlite3.Connection, run: sqlite3.Row) -> Iterator[tuple[tuple[str, str], Any]]:
    name, description = run["run"], json.loads(run["description"])
    _, targets = _dataset(connection, run["dataset"])
    features, _, order = _dataset(connection, run["prepared"])

    def about(sample: int) -> dict[str, Any]:
        label = targets[order[sample]].item()
        named = {"class": description["class_names"][label]} if description["class_names"] else {}
        common = {"run": name, "dataset": run["dataset"], "sample": order[sample].item(), "label": label}
        return common | named

    sql = "SELECT * FROM metrics WHERE run = ? ORDER BY step"
    steps = connection.execute(sql, (name,)).fetchall()
    for row in connection.execute("SELECT * FROM batches WHERE run = ?", (name,)).fetchall():
        blob = row["indices"]
        table = np.frombuffer(blob[1:], f"<u{blob[0]}").astype(int).reshape(row["num_steps"], -1) - 1
        for offset, batch in enumerate(table):
            step = steps[row["first_step"] + offset]
            for place, sample in enumerate(batch):
                if sample >= 0:
                    metadata = about(sample) | {
                        "split": "train",
                        "epoch": step["epoch"],
                        "batch": step["batch"],
                        "step": step["step"],
                        "loss": step["loss"],
                        "dimension": features.shape[1],
                    }
                    key = f"{name}#train_e{step['epoch']}_b{step['batch']}_s{place}"
                    yield ("samples", key), (features[sample].astype(np.float32), metadata)
    for row in connection.execute("SELECT * FROM state_values WHERE run = ?", (name,)).fetchall():
        _, samples, amplitudes = _arrays(row["payload"])
        for sample, state in zip(samples, amplitudes, strict=True):
            values = np.concatenate([state.real, state.imag]).astype(np.float32)
            metadata = about(sample) | {
                "step": row["step"],
                "dtype": amplitudes.dtype.name,
                "dimension": len(values),
            }
            yield ("states", f"{name}#state_t{row['step']}_i{sample}"), (values, metadata)


def _dataset(connection: sqlite3.Connection, key: str) -> list[np.ndarray]:
    (payload,) = connection.execute("SELECT payload FROM datasets WHERE hash = ?", (key,)).fetchone()
    return _arrays(payload)


def _arrays(payload: bytes) -> list[np.ndarray]:
    """Magic of 8 bytes, SHA-256, length of the header, header, arrays."""
    assert hashlib.sha256(payload[40:]).digest() == payload[8:40]
    offset = 48 + int.from_bytes(payload[40:48], "little")
    arrays = []
    for dtype, shape in json.loads(payload[48:offset]):
        arrays.append(np.ndarray(shape, dtype, payload, offset))
        offset += arrays[-1].nbytes
    return arrays
