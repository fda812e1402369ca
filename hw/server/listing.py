"""Lists of jobs, in pages, newest first."""

from __future__ import annotations

import time
from typing import Any

from starlette.datastructures import QueryParams

from hw.server.database import COLUMNS
from hw.server.errors import bad_request, shown
from hw.server.jobs import Jobs
from hw.server.views import STATUS, job_body

DEFAULT_LIMIT = 25
MAX_LIMIT = 1000
STATES = ("submitted", "ready", "started", "canceled", "failed", "completed")


def list_jobs(
    jobs: Jobs, query: QueryParams, *, null_at_end: bool, session_id: str | None = None
) -> dict[str, Any]:
    """A page of jobs.

    Without `ids` or `parent_job_id` only jobs are listed, not the circuits of jobs of several.

    Args:
        jobs: the jobs.
        query: `ids`, `parent_job_id`, `status`, `target`, `session_id`, `limit` and `next`.
        null_at_end: whether the last page says `"next": null` instead of nothing.
        session_id: list the jobs of this session only.

    Returns:
        JSON-ready values.

    Raises:
        ApiError: if a filter has no meaning.
    """
    now = time.time()
    conditions = ["state != 'deleted'", "listed_at <= :now"]
    values: dict[str, Any] = {"now": now}

    def one_of(column: str, wanted: list[str]) -> None:
        marks = [f":{column}{index}" for index in range(len(wanted))]
        values.update(zip((mark[1:] for mark in marks), wanted, strict=True))
        conditions.append(f"{column} IN ({', '.join(marks)})")

    ids = [part for value in query.getlist("ids") for part in value.split(",") if part]
    parent, status = query.get("parent_job_id"), query.get("status")
    if len(ids) > MAX_LIMIT:
        raise bad_request(f"A list may be of {MAX_LIMIT} `ids`, but this is of {len(ids)}. Ask in parts.")
    if ids:
        one_of("id", ids)
    if parent is not None:
        one_of("parent_job_id", [parent])
    elif not ids:
        conditions.append("parent_job_id IS NULL")
    if status is not None:
        if status not in STATES:
            raise bad_request(f"`status` must be one of {', '.join(STATES)}, but it is {shown(status)}.")
        conditions.append(f"{STATUS} = :status")
        values["status"] = status
    if targets := [part for part in query.get("target", "").split(",") if part]:
        one_of("backend", targets[:MAX_LIMIT])
    if session := session_id or query.get("session_id"):
        one_of("session_id", [session])
    limit = _number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
    if "next" in query:
        values["before"] = _number(query, "next", 0, 2**62)
        conditions.append("sequence < :before")
    rows = jobs.database.all_named(
        f"SELECT {', '.join(COLUMNS)} FROM jobs WHERE {' AND '.join(conditions)} "
        f"ORDER BY sequence DESC LIMIT {limit + 1}",
        values,
    )
    page, more = rows[:limit], len(rows) > limit
    body: dict[str, Any] = {"jobs": [job_body(row, now) for row in page]}
    if more:
        body["next"] = str(page[-1]["sequence"])
    elif null_at_end:
        body["next"] = None
    return body


def _number(query: QueryParams, name: str, default: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most):
        raise bad_request(f"`{name}` must be a whole number from 1 to {most}, but it is {shown(text)}.")
    return int(text)
