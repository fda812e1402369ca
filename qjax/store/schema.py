"""The tables of the run store and the step from each schema version to the next."""

from __future__ import annotations

import sqlite3
from functools import cache

APPLICATION_ID = int.from_bytes(b"qjax", "big")

# What a run is (`runs`) is written once; how far it got (`progress`) changes with every append.
# `seal` is a checksum of the row, because SQLite itself does not notice a flipped bit in a value.
# `progress.steps` is NULL until the first append; `steps` and `evaluations` count the rows of the
# run, so that a missing row is noticed as well.
_VERSION_1 = (
    """CREATE TABLE runs (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_at TEXT NOT NULL,
  config TEXT NOT NULL,
  circuit TEXT NOT NULL,
  circuit_hash TEXT NOT NULL,
  environment TEXT NOT NULL,
  seal INTEGER NOT NULL
)""",
    """CREATE TABLE progress (
  run TEXT PRIMARY KEY REFERENCES runs (id),
  status TEXT NOT NULL CHECK (status IN ('running', 'interrupted', 'finished', 'failed')),
  ended_at TEXT,
  process_id INTEGER NOT NULL,
  process_start TEXT NOT NULL,
  steps INTEGER,
  evaluations INTEGER NOT NULL,
  summary TEXT,
  seal INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE metrics (
  run TEXT NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  loss REAL,
  gradient_norm REAL,
  accuracy REAL,
  n_circuits INTEGER NOT NULL,
  n_jobs INTEGER NOT NULL,
  circuit_time_ms REAL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, step)
) WITHOUT ROWID""",
    """CREATE TABLE evaluations (
  run TEXT NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  split TEXT NOT NULL CHECK (split IN ('train', 'test')),
  loss REAL,
  accuracy REAL,
  n_circuits INTEGER NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, step, split)
) WITHOUT ROWID""",
    """CREATE TABLE checkpoints (
  run TEXT NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  payload BLOB NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (run, step)
)""",
)

# What a run was trained on and what it used when. `datasets` holds arrays by their content hash, so equal
# data is kept once; `payload` is what `qjax.store.to_bytes` writes. `record_counts` counts the rows of a run,
# so that a missing one is noticed; `checkpoint` is the step of the checkpoint that a row came with. The
# amplitudes lie apart from the rows that say what there is, as these are read often and those are long.
# `replicas` says how far the record of a run has been sent to a sink: the record is the outbox, and a
# position in it is all that sending needs to remember.
_RECORD = (
    """CREATE TABLE datasets (
  hash TEXT PRIMARY KEY,
  payload BLOB NOT NULL
)""",
    """CREATE TABLE recordings (
  run TEXT PRIMARY KEY REFERENCES runs (id),
  dataset TEXT NOT NULL REFERENCES datasets (hash),
  prepared TEXT NOT NULL REFERENCES datasets (hash),
  description TEXT NOT NULL,
  seal INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE record_counts (
  run TEXT PRIMARY KEY REFERENCES runs (id),
  snapshots INTEGER NOT NULL,
  states INTEGER NOT NULL,
  seal INTEGER NOT NULL
) WITHOUT ROWID""",
    """CREATE TABLE batches (
  run TEXT NOT NULL REFERENCES runs (id),
  first_step INTEGER NOT NULL,
  num_steps INTEGER NOT NULL,
  num_samples INTEGER NOT NULL,
  batch_size INTEGER NOT NULL,
  indices BLOB NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, first_step)
)""",
    """CREATE TABLE snapshots (
  run TEXT NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  checkpoint INTEGER NOT NULL,
  payload BLOB NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, step)
)""",
    """CREATE TABLE states (
  run TEXT NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  part INTEGER NOT NULL,
  checkpoint INTEGER NOT NULL,
  num_samples INTEGER NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, step, part)
) WITHOUT ROWID""",
    """CREATE TABLE state_values (
  run TEXT NOT NULL REFERENCES runs (id),
  step INTEGER NOT NULL,
  part INTEGER NOT NULL,
  payload BLOB NOT NULL,
  PRIMARY KEY (run, step, part)
)""",
    """CREATE TABLE replicas (
  sink TEXT NOT NULL,
  run TEXT NOT NULL REFERENCES runs (id),
  kind TEXT NOT NULL CHECK (kind IN ('samples', 'states')),
  position INTEGER NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (sink, run, kind)
) WITHOUT ROWID""",
    """CREATE TABLE refusals (
  sink TEXT NOT NULL,
  run TEXT NOT NULL REFERENCES runs (id),
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  reason TEXT NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (sink, run, kind, id)
) WITHOUT ROWID""",
)

# Trained models. `id` is the hash of `description` and `payload`, so a model that comes from another store is
# the same model; its run may therefore be one that this store does not hold. Every move of an alias is a row,
# and the last one counts.
_MODELS = (
    """CREATE TABLE models (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  run TEXT NOT NULL,
  saved_at TEXT NOT NULL,
  description TEXT NOT NULL,
  payload BLOB NOT NULL,
  seal INTEGER NOT NULL
)""",
    """CREATE TABLE aliases (
  number INTEGER PRIMARY KEY,
  alias TEXT NOT NULL,
  model TEXT NOT NULL REFERENCES models (id),
  promoted_at TEXT NOT NULL,
  seal INTEGER NOT NULL
)""",
)

# What a run asked of a paid service: written before it is asked.
_JOURNAL = (
    """CREATE TABLE journal (
  run TEXT NOT NULL REFERENCES runs (id),
  fingerprint TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intended', 'accepted', 'completed', 'canceled', 'failed')),
  job_id TEXT,
  attempt INTEGER NOT NULL,
  target TEXT NOT NULL,
  circuits INTEGER NOT NULL,
  shots INTEGER,
  intended_at REAL NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, fingerprint)
)""",
)

# What executors outside of this process answered, by the hash of what they were asked.
_ANSWERS = (
    """CREATE TABLE answers (
  run TEXT NOT NULL REFERENCES runs (id),
  question TEXT NOT NULL,
  payload BLOB NOT NULL,
  seal INTEGER NOT NULL,
  PRIMARY KEY (run, question)
)""",
)

# MIGRATIONS[v] leads from schema version v to v + 1; an empty database has version 0.
MIGRATIONS: tuple[tuple[str, ...], ...] = (_VERSION_1, _RECORD, _JOURNAL, _MODELS, _ANSWERS)
SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Brings the tables from `version` to `SCHEMA_VERSION`, inside the caller's transaction.

    Args:
        connection: an open connection; a failure must roll its transaction back.
        version: schema version found in the database, 0 for an empty one.

    Example:
        >>> connection = sqlite3.connect(":memory:")
        >>> migrate(connection, 0)
        >>> {"runs", "metrics", "checkpoints"} <= {name for _, name, _ in tables(connection)}
        True
    """
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def tables(connection: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    """Lists everything the schema of a database holds, as (type, name, SQL).

    Args:
        connection: an open connection.

    Returns:
        One entry per table and index.

    Example:
        >>> tables(sqlite3.connect(":memory:"))
        set()
    """
    return set(connection.execute("SELECT type, name, sql FROM sqlite_schema"))


def expected_tables() -> frozenset[tuple[str, str, str | None]]:
    """Builds the current schema in memory and lists it like `tables`.

    Returns:
        What `tables` must give for a sound database of this version.

    Example:
        >>> len(expected_tables()) >= 5
        True
    """
    return _tables_after(MIGRATIONS)


@cache
def _tables_after(migrations: tuple[tuple[str, ...], ...]) -> frozenset[tuple[str, str, str | None]]:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in (each for statements in migrations for each in statements):
            connection.execute(statement)
        return frozenset(tables(connection))
    finally:
        connection.close()
