"""The answers of completed jobs in every format that the service has."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict

import numpy as np
import orjson

from hw.server import states
from hw.server.database import Database
from hw.server.errors import ApiError
from hw.server.request import MULTI
from hw.server.views import is_sampled

REGISTER = "output_all"
"""The register that holds all qubits."""


def probabilities(database: Database, job: sqlite3.Row) -> bytes:
    """Probabilities by state; of a job of several circuits their mean, which is what the service merges.

    Args:
        database: where the answers are.
        job: the job's row.

    Returns:
        JSON, `{state: probability}`.

    Raises:
        ApiError: if there are none (404).
    """
    _check_completed(job)
    if job["type"] != MULTI:
        return _result(database, job)["probabilities"]
    merged: defaultdict[str, float] = defaultdict(float)
    for _, found in _of_circuits(database, job):
        for state, probability in orjson.loads(found).items():
            merged[state] += probability / job["circuits"]
    return orjson.dumps(dict(sorted(merged.items(), key=lambda item: int(item[0]))))


def aggregated(database: Database, job: sqlite3.Row) -> bytes:
    """Probabilities of every circuit of a job of several.

    Args:
        database: where the answers are.
        job: the job's row.

    Returns:
        JSON, `{id of the circuit: {state: probability}}`, in the order of the circuits. Of a job that failed
        because some circuits did, those that were completed.

    Raises:
        ApiError: if there are none (404).
    """
    _check_completed(job)
    if job["type"] != MULTI:
        raise ApiError(404, "A job of one circuit has no aggregated results. Ask for its probabilities.")
    found = _of_circuits(database, job)
    if job["order_seed"] is not None:
        random.Random(job["order_seed"]).shuffle(found)
    return b"{%s}" % b",".join(b'"%s":%s' % (child.encode(), body) for child, body in found)


def histogram(database: Database, job: sqlite3.Row) -> bytes:
    """Counts by state.

    Args:
        database: where the answers are.
        job: the job's row.

    Returns:
        JSON, `{state: count}`.

    Raises:
        ApiError: if there are none (404); the ideal simulator draws no shots.
    """
    _check_completed(job)
    if not is_sampled(job):
        raise ApiError(404, "The ideal simulator draws no shots. Ask for a noise model or for probabilities.")
    if job["type"] == MULTI:
        raise ApiError(
            404, "A job of several circuits has no histogram of its own. Ask for those of its circuits."
        )
    return _result(database, job)["histogram"]


def shots(database: Database, job: sqlite3.Row) -> list[str]:
    """The state of every shot, in the order in which they were drawn.

    Args:
        database: where the answers are.
        job: the job's row.

    Returns:
        States.

    Raises:
        ApiError: if there are none (404).
    """
    counts = orjson.loads(histogram(database, job))
    drawn = np.repeat(list(counts), list(counts.values()))
    np.random.default_rng((job["seed"], job["position"] or 0)).shuffle(drawn)
    return drawn.tolist()


def artifact(database: Database, job: sqlite3.Row, artifact_id: str) -> bytes:
    """An artifact by its id, as a job's `results` name it.

    Args:
        database: where the answers are.
        job: the job's row.
        artifact_id: the id.

    Returns:
        JSON in the artifact's format.

    Raises:
        ApiError: if there is none of that id (404).
    """
    width = job["qubits"]
    if artifact_id == "probabilities-aggregate":
        return aggregated(database, job)
    if artifact_id == "probabilities":
        return probabilities(database, job)
    if artifact_id == "histogram":
        return histogram(database, job)
    if artifact_id == "shots":
        return orjson.dumps(shots(database, job))
    if artifact_id == "probabilities-v2":
        return _in_register("probabilities", probabilities(database, job), width)
    if artifact_id == "histogram-v2":
        return _in_register("histogram", histogram(database, job), width)
    if artifact_id == "shots-v2":
        lines = {
            state: list(map(int, reversed(states.bits(state, width)))) for state in set(shots(database, job))
        }
        drawn = [{"registers": {REGISTER: lines[state]}} for state in shots(database, job)]
        return orjson.dumps({"shots": drawn})
    raise ApiError(404, "The job has no artifact of that id.")


def _in_register(kind: str, found: bytes, width: int) -> bytes:
    values = {states.bits(state, width): value for state, value in orjson.loads(found).items()}
    return orjson.dumps({kind: {"registers": {REGISTER: values}}})


def _check_completed(job: sqlite3.Row) -> None:
    if job["state"] not in ("completed", "failed") or job["dry_run"]:
        raise ApiError(404, "The job has no results. Wait until it is completed.")


def _result(database: Database, job: sqlite3.Row) -> sqlite3.Row:
    row = database.one("SELECT probabilities, histogram FROM results WHERE job_id = ?", job["id"])
    if row is None or job["state"] != "completed":
        raise ApiError(404, "The job has no results. It was not completed.")
    return row


def _of_circuits(database: Database, job: sqlite3.Row) -> list[tuple[str, bytes]]:
    rows = database.all(
        """SELECT jobs.id, probabilities FROM jobs JOIN results ON job_id = jobs.id
           WHERE parent_job_id = ? AND state = 'completed' ORDER BY position""",
        job["id"],
    )
    return [(row["id"], row["probabilities"]) for row in rows]
