"""Sessions: a backend that is reserved for some jobs. Here they only group jobs."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from hw.server.backends import BACKENDS
from hw.server.database import Database
from hw.server.errors import ApiError, bad_request, shown
from hw.server.views import ORGANIZATION_ID, PROJECT_ID, USER_ID, timestamp


def create(database: Database, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Starts a session.

    Args:
        database: where it is kept.
        payload: the parsed body of the request.

    Returns:
        The session as JSON-ready values.

    Raises:
        ApiError: if the backend is not known.
    """
    given, settings = payload.get("backend"), payload.get("settings")
    backend = given.removeprefix("ionq_") if type(given) is str else None  # qiskit-ionq's name for it
    if backend not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise bad_request(f"A session's `backend` must be one of {known}, but it is {shown(given)}.")
    if settings is not None and type(settings) is not dict:
        raise bad_request(f"A session's `settings` must be an object, but they are {shown(settings)}.")
    session_id = str(uuid.uuid4())
    with database.transaction() as connection:
        values = (session_id, backend, orjson.dumps(settings or {}).decode(), time.time())
        connection.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, NULL)", values)
    return get(database, session_id)


def get(database: Database, session_id: str) -> dict[str, Any]:
    """A session.

    Args:
        database: where it is kept.
        session_id: its id.

    Returns:
        The session as JSON-ready values.

    Raises:
        ApiError: if there is none of that id (404).
    """
    row = database.one("SELECT * FROM sessions WHERE id = ?", session_id)
    if row is None:
        raise ApiError(404, "There is no session of that id.")
    return _body(row)


def all_sessions(database: Database, active: bool | None) -> dict[str, Any]:
    """The sessions, newest first.

    Args:
        database: where they are kept.
        active: whether to give those that have not ended, or those that have; None for all.

    Returns:
        JSON-ready values.
    """
    bodies = [_body(row) for row in database.all("SELECT * FROM sessions ORDER BY rowid DESC")]
    kept = [body for body in bodies if active in (None, body["active"])]
    return {"organization_id": ORGANIZATION_ID, "sessions": kept}


def end(database: Database, session_id: str) -> dict[str, Any]:
    """Ends a session; one that has ended stays as it is.

    Args:
        database: where it is kept.
        session_id: its id.

    Returns:
        The session as JSON-ready values.

    Raises:
        ApiError: if there is none of that id (404).
    """
    with database.transaction() as connection:
        query = "UPDATE sessions SET ended_at = coalesce(ended_at, ?) WHERE id = ?"
        connection.execute(query, (time.time(), session_id))
    return get(database, session_id)


def _body(row: sqlite3.Row) -> dict[str, Any]:
    active = row["ended_at"] is None
    return {
        "id": row["id"],
        "created_at": timestamp(row["created_at"]),
        "organization_id": ORGANIZATION_ID,
        "backend": row["backend"],
        "project_id": PROJECT_ID,
        "creator_id": USER_ID,
        "ended_at": timestamp(row["ended_at"]),
        "ender_id": None if active else USER_ID,
        "settings": orjson.loads(row["settings"]),
        "active": active,
        "status": "started" if active else "ended",
        "started_at": timestamp(row["created_at"]),
    }
