"""Trained models and the names that point to them: the tables `models` and `aliases`."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from qjax.errors import ArgumentError, StoreError
from qjax.store.explanations import damaged
from qjax.store.sealed import read_rows, write_rows

SHOWN_DIGITS = 12
"""Digits of a model's id that are shown; any beginning of four or more that is unique will do."""


@dataclass(frozen=True)
class ModelRecord:
    """A trained model as it is kept: what it is, and its parameters.

    Args:
        description: JSON data from which the model can be built again; the key `run` names the run it came
            from.
        payload: its parameters as `qjax.store.to_bytes` wrote them.
        saved_at: when it was kept first, in UTC.
        texts: what `entry_texts` gave for entries of the description, where that was asked before.

    Example:
        >>> record = ModelRecord({"run": "r"}, b"...", datetime(2026, 1, 1, tzinfo=UTC))
        >>> record.run, len(record.id)
        ('r', 64)
    """

    description: Mapping[str, Any]
    payload: bytes
    saved_at: datetime
    texts: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def text(self) -> str:
        """The description as canonical JSON."""
        rest = {key: value for key, value in self.description.items() if key not in self.texts}
        texts = {**self.texts, **entry_texts(rest)}
        return "{" + ", ".join(f"{json.dumps(key)}: {texts[key]}" for key in sorted(texts)) + "}"

    @cached_property
    def id(self) -> str:
        """SHA-256 of description and parameters: equal models have equal ids in every store."""
        return hashlib.sha256(self.text.encode() + b"\n" + self.payload).hexdigest()

    @property
    def run(self) -> str:
        """Id of the run it came from."""
        return self.description["run"]


def entry_texts(description: Mapping[str, Any]) -> dict[str, str]:
    """Canonical JSON of each entry of a description, for those that are known before the others.

    Args:
        description: JSON data.

    Returns:
        The text of each entry.

    Example:
        >>> entry_texts({"features": ["b", "a"], "units": {"scale": 2.0, "mean": 0.5}})
        {'features': '["b", "a"]', 'units': '{"mean": 0.5, "scale": 2.0}'}
    """
    return {key: json.dumps(value, sort_keys=True) for key, value in description.items()}


class Promotion(NamedTuple):
    """One move of an alias.

    Attributes:
        alias: the name.
        model: full id of the model that it points to from then on.
        promoted_at: when, in UTC.
    """

    alias: str
    model: str
    promoted_at: datetime


def write_model(connection: sqlite3.Connection, model: ModelRecord) -> None:
    """Keeps a model; one that is there already stays as it is.

    Args:
        connection: connection inside a write transaction.
        model: the model.
    """
    if connection.execute("SELECT 1 FROM models WHERE id = ?", (model.id,)).fetchone():
        return
    number = _next_number(connection, "models")
    row = (number, model.id, model.run, model.saved_at.isoformat(), model.text, model.payload)
    write_rows(connection, "models", [row])


def read_models(connection: sqlite3.Connection, path: Path) -> list[ModelRecord]:
    """Reads all models, the one kept last first.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.

    Returns:
        The models.

    Raises:
        StoreError: one is damaged or missing.
    """
    rows = read_rows(connection, path, "models", "ORDER BY number DESC")
    if [row[0] for row in rows] != list(range(len(rows), 0, -1)):
        raise damaged(path, "models are missing")
    models = []
    for _, model_id, _, saved_at, text, payload in rows:
        model = ModelRecord(json.loads(text), payload, datetime.fromisoformat(saved_at))
        if model.id != model_id:
            raise damaged(path, f"the model {model_id[:SHOWN_DIGITS]} is not what was written")
        models.append(model)
    return models


def read_promotions(connection: sqlite3.Connection, path: Path) -> list[Promotion]:
    """Reads every move of every alias, in the order in which they were made.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.

    Returns:
        The moves.

    Raises:
        StoreError: one is damaged or missing.
    """
    rows = read_rows(connection, path, "aliases", "ORDER BY number")
    if [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        raise damaged(path, "aliases are missing")
    return [Promotion(alias, model, datetime.fromisoformat(at)) for _, alias, model, at in rows]


def current_aliases(promotions: list[Promotion]) -> dict[str, str]:
    """Where each alias points now.

    Args:
        promotions: what `read_promotions` gave.

    Returns:
        Full model ids by alias.

    Example:
        >>> now = datetime.now(UTC)
        >>> current_aliases([Promotion("staging", "a", now), Promotion("staging", "b", now)])
        {'staging': 'b'}
    """
    return {promotion.alias: promotion.model for promotion in promotions}


def find_model(connection: sqlite3.Connection, path: Path, wanted: str) -> ModelRecord:
    """Finds one model.

    Args:
        connection: connection inside a transaction.
        path: the database file, for messages.
        wanted: an alias, a model id or four digits or more of its beginning, the id of a run or the beginning
            of one (the model of that run that was kept last), or "latest".

    Returns:
        The model.

    Raises:
        StoreError: no model or several models fit; the message names some that there are.
    """
    models = read_models(connection, path)
    aliases = current_aliases(read_promotions(connection, path))
    if not models:
        raise StoreError(
            f"The run store {path} holds no model yet. Train one, load one with `qjax models load`, or keep "
            "one of an earlier run with `qjax models save`."
        )
    if wanted == "latest":
        return models[0]
    if wanted in aliases:
        return next(model for model in models if model.id == aliases[wanted])
    by_id = [model for model in models if len(wanted) >= 4 and model.id.startswith(wanted)]
    by_run = [model for model in models if len(wanted) >= 4 and model.run.startswith(wanted)]
    if len(by_id) == 1:
        return by_id[0]
    if not by_id and len({model.run for model in by_run}) == 1:
        return by_run[0]
    names = [*aliases, *(model.id[:SHOWN_DIGITS] for model in models)]
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    fitting = "Several models fit" if by_id or by_run else "There is no model"
    raise StoreError(
        f"{fitting} {_quoted(wanted)} in {path}. Name an alias, a model or its run; there are {some}."
    )


def write_promotion(connection: sqlite3.Connection, model_id: str, alias: str) -> None:
    """Lets an alias point to a model from now on.

    Args:
        connection: connection inside a write transaction.
        model_id: full id of a model that is there.
        alias: a letter, then letters, digits, dots, dashes and underscores.

    Raises:
        ArgumentError: the alias is not of that form.
    """
    if alias == "latest" or not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,63}", alias):
        raise ArgumentError(
            "alias",
            'be a short name of letters, digits, dots and dashes other than "latest"',
            f"it is {_quoted(alias)}",
            "Usual ones are staging and production.",
        )
    row = (_next_number(connection, "aliases"), alias, model_id, datetime.now(UTC).isoformat())
    write_rows(connection, "aliases", [row])


def _next_number(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return count + 1


def _quoted(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
