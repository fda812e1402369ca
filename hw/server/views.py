"""What the service says of a job: rows of the database as the JSON that clients read."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

import orjson

from hw.server.backends import BACKENDS
from hw.server.request import MULTI

PREFIX = "/v0.4"
PROJECT_ID = "00000000-0000-4000-8000-000000000001"
USER_ID = "000000000000000000000001"
ORGANIZATION_ID = "00000000-0000-4000-8000-000000000002"

STATUS = """CASE WHEN state != 'accepted' THEN state WHEN started_at > :now THEN 'ready' ELSE 'started' END"""
"""SQL of a job's status at the time `:now`."""


def timestamp(moment: float | None) -> str | None:
    """A moment as the service writes it.

    Args:
        moment: seconds since 1970, or None.

    Returns:
        ISO 8601 in UTC with milliseconds, or None.

    Example:
        >>> timestamp(0.25)
        '1970-01-01T00:00:00.250Z'
    """
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def status(job: sqlite3.Row, now: float) -> str:
    """A job's status.

    Args:
        job: its row.
        now: seconds since 1970.

    Returns:
        One of ready, started, canceled, failed, completed.
    """
    if job["state"] != "accepted":
        return job["state"]
    return "ready" if job["started_at"] > now else "started"


def is_sampled(job: sqlite3.Row) -> bool:
    """Whether a job's answers are drawn shots.

    Args:
        job: its row.

    Returns:
        Whether they are; the ideal simulator's are exact.
    """
    return not (BACKENDS[job["backend"]].is_simulator and job["noise"] == "ideal")


def job_body(job: sqlite3.Row, now: float) -> dict[str, Any]:
    """A job as lists give it; `GET /jobs/{id}` adds `child_job_ids`.

    Args:
        job: its row.
        now: seconds since 1970.

    Returns:
        JSON-ready values.
    """
    state = status(job, now)
    done = state == "completed"
    ran = job["completed_at"] is not None and state in ("completed", "failed")
    body: dict[str, Any] = {
        "id": job["id"],
        "status": state,
        "type": job["type"],
        "backend": job["backend"],
        "dry_run": bool(job["dry_run"]),
        "submitter_id": USER_ID,
        "project_id": PROJECT_ID,
        "parent_job_id": job["parent_job_id"],
        "session_id": job["session_id"],
        "metadata": None if job["metadata"] is None else orjson.loads(job["metadata"]),
        "name": job["name"],
        "submitted_at": timestamp(job["submitted_at"]),
        "started_at": timestamp(job["started_at"]) if state != "ready" else None,
        "completed_at": timestamp(job["completed_at"]),
        "predicted_wait_time_ms": _milliseconds(job["started_at"] - job["submitted_at"]),
        "predicted_execution_duration_ms": _milliseconds(job["ends_at"] - job["started_at"]),
        "execution_duration_ms": _milliseconds(max(0.0, job["completed_at"] - job["started_at"]))
        if ran
        else None,
        "shots": job["shots"],
        "failure": _failure(job),
        "settings": orjson.loads(job["settings"]),
        "stats": {
            "qubits": job["qubits"],
            "circuits": job["circuits"],
            "gate_counts": {"1q": job["gates_1q"], "2q": job["gates_2q"]},
        },
        "output": {},
        "results": results(job) if done and not job["dry_run"] else None,
    }
    if BACKENDS[job["backend"]].is_simulator:
        body["noise"] = {"model": job["noise"], "seed": job["seed"]}
    return body


def results(job: sqlite3.Row) -> dict[str, dict[str, str]]:
    """Where the answers of a completed job are, in both generations: addresses and artifacts.

    Args:
        job: its row.

    Returns:
        JSON-ready values.
    """
    address = f"{PREFIX}/jobs/{job['id']}/results"
    if job["type"] == MULTI:
        return {"probabilities": {"url": f"{address}/probabilities/aggregated"}} | _artifact(
            "probabilities-aggregate", 1
        )
    kinds = ("probabilities", "histogram", "shots") if is_sampled(job) else ("probabilities",)
    found: dict[str, dict[str, str]] = {kind: {"url": f"{address}/{kind}"} for kind in kinds}
    for kind in kinds:
        found |= _artifact(kind, 1) | _artifact(kind, 2)
    return found


def _artifact(kind: str, version: int) -> dict[str, dict[str, str]]:
    name = f"ionq.result.{kind}.json.v{version}"
    artifact_id = kind if version == 1 else f"{kind}-v{version}"
    return {name: {"id": artifact_id, "format": name, "media_type": "application/json"}}


def _failure(job: sqlite3.Row) -> dict[str, str] | None:
    if job["state"] != "failed":
        return None
    return {"code": job["failure_code"], "message": job["failure_message"]}


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
