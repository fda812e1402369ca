"""The life of a job: accepted, run, finished; or canceled, or deleted."""

from __future__ import annotations

import gc
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

from hw.server import simulate
from hw.server.config import ServerConfig
from hw.server.database import COLUMNS, Database
from hw.server.errors import ApiError, bad_request, shown
from hw.server.faults import FaultSchedule
from hw.server.latency import Schedule
from hw.server.request import MULTI, SINGLE, JobRequest, parse, read_job
from hw.server.rows import job_rows
from hw.server.views import is_sampled

log = logging.getLogger(__name__)

_JOB = f"SELECT {', '.join(COLUMNS)} FROM jobs"


class Accepted(NamedTuple):
    """A job that was accepted.

    Args:
        id: its id.
        request: what it asks for.
    """

    id: str
    request: JobRequest


class Jobs:
    """What can be done with jobs. Methods may be called from any thread.

    Args:
        database: where they are kept.
        config: what the server was started with.
        faults: what goes wrong with jobs.
    """

    def __init__(self, database: Database, config: ServerConfig, faults: FaultSchedule):
        self.database = database
        self.config = config
        self.faults = faults
        rows = database.all("SELECT ends_at FROM jobs WHERE state = 'accepted' AND parent_job_id IS NULL")
        self.schedule = Schedule(config.latency, [row["ends_at"] for row in rows])
        self._accepting = threading.Lock()

    def accept(self, body: bytes) -> Accepted:
        """Checks a job and writes it down, with the faults that are due; from then on it will be run.

        Args:
            body: the body of the request.

        Returns:
            The job.

        Raises:
            ApiError: if the job cannot be accepted.
        """
        with _no_collection():
            request = read_job(parse(body))
        self._check_session(request.session_id)
        with self._accepting:
            now = time.time()
            last = self.database.one("SELECT max(sequence) AS sequence FROM jobs")
            rows = job_rows(
                request,
                submitted_at=now,
                times=self.schedule.add(now, len(request.circuits)),
                plan=self.faults.plan(len(request.circuits)),
                # No two jobs of a database draw the same shots, unless they bring the same seed.
                seed=zlib.crc32(f"{self.config.seed} {last and last['sequence']}".encode()) % 2**31,
                body=body,
            )
            self.database.insert_jobs(rows)
        return Accepted(rows[0]["id"], request)

    def get(self, job_id: str) -> sqlite3.Row:
        """A job's row.

        Args:
            job_id: its id.

        Returns:
            The row.

        Raises:
            ApiError: if there is no such job (404).
        """
        row = self.database.one(f"{_JOB} WHERE id = ? AND state != 'deleted'", job_id)
        if row is None:
            raise ApiError(404, "There is no job of that id.")
        return row

    def children(self, job_id: str) -> list[str]:
        """The ids of a job's circuits, in order.

        Args:
            job_id: id of a job of several circuits.

        Returns:
            The ids.
        """
        rows = self.database.all("SELECT id FROM jobs WHERE parent_job_id = ? ORDER BY position", job_id)
        return [row["id"] for row in rows]

    def clone(self, job_id: str, changes: Mapping[str, Any]) -> Accepted:
        """Submits a job again, with changes.

        Args:
            job_id: its id.
            changes: what is different: name, metadata, shots, backend, session_id, settings, dry_run, noise.

        Returns:
            The new job.

        Raises:
            ApiError: if there is no such job, or it cannot be changed so.
        """
        job = self.get(job_id)
        origin = self.database.one("SELECT payload FROM jobs WHERE id = ?", job["parent_job_id"] or job["id"])
        assert origin is not None  # of a job that is not deleted
        payload = parse(origin["payload"])
        if job["position"] is not None:
            given = payload["input"]
            circuit = given["circuits"][job["position"]]
            common = {key: given[key] for key in ("gateset", "qubits") if given.get(key) is not None}
            own = {key: circuit[key] for key in ("gateset", "qubits") if circuit.get(key) is not None}
            payload |= {"type": SINGLE, "input": {**common, **own, "circuit": circuit["circuit"]}}
        kept = ("name", "metadata", "shots", "backend", "session_id", "settings", "dry_run", "noise")
        for key in changes:
            if key not in kept:
                raise bad_request(f"A clone may change {', '.join(kept)}, but this changes {shown(key)}.")
        return self.accept(orjson.dumps(payload | dict(changes)))

    def unfinished(self) -> list[str]:
        """The ids of jobs that were accepted and not finished, oldest first.

        Returns:
            The ids.
        """
        rows = self.database.all(
            "SELECT id FROM jobs WHERE state = 'accepted' AND parent_job_id IS NULL ORDER BY sequence"
        )
        return [row["id"] for row in rows]

    def run(self, job_id: str, request: JobRequest | None = None) -> float:
        """Simulates a job's circuits and keeps the answers, which nobody sees before it is finished.

        Args:
            job_id: its id.
            request: what it asks for; read from the database where it is not given.

        Returns:
            When the job ends, in seconds since 1970.
        """
        job = self.database.one("SELECT * FROM jobs WHERE id = ?", job_id)
        assert job is not None  # rows are never removed
        if job["state"] == "accepted" and not job["dry_run"]:
            try:
                self._simulate(job, request or read_job(parse(job["payload"])))
            except Exception as error:
                log.exception("Job %s cannot be simulated.", job_id)
                self._fail(job_id, "SimulationError", f"{type(error).__name__}: {error}")
        return job["ends_at"]

    def _simulate(self, job: sqlite3.Row, request: JobRequest) -> None:
        num_states = sum(circuit.structure.num_states for circuit in request.circuits)
        if num_states > simulate.MAX_STATES:
            message = (
                f"The circuits of a job may have {simulate.MAX_STATES:,} basis states here, but these have "
                f"{num_states:,}. Split the job or use fewer qubits."
            )
            self._fail(job["id"], "QuantumCircuitComplexityError", message)
            return
        shots = job["shots"] if is_sampled(job) else None
        answers = simulate.answer(request.circuits, job["noise"], shots, job["seed"])
        ids = self.children(job["id"]) if job["type"] == MULTI else [job["id"]]
        rows = [(i, found.probabilities, found.histogram) for i, found in zip(ids, answers, strict=True)]
        self.database.insert_results(rows)

    def finish(self, job_id: str) -> None:
        """Lets a job that was run become what was planned for it, and charges for what was completed.

        Args:
            job_id: its id.
        """
        with self.database.transaction() as connection:
            job = connection.execute(
                "SELECT state, type, dry_run, ends_at FROM jobs WHERE id = ?", (job_id,)
            ).fetchone()
            if job["state"] != "accepted":
                return
            completed_at = job["ends_at"] if self.config.latency.virtual else time.time()
            connection.execute(
                """UPDATE jobs SET state = planned_state, completed_at = ?,
                   charged_cost = iif(planned_state = 'completed' AND NOT dry_run, estimated_cost, 0)
                   WHERE state = 'accepted' AND (id = ? OR parent_job_id = ?)""",
                (completed_at, job_id, job_id),
            )
            if job["type"] == MULTI:
                connection.execute(
                    """UPDATE jobs SET charged_cost =
                       (SELECT sum(charged_cost) FROM jobs AS child WHERE child.parent_job_id = jobs.id)
                       WHERE id = ?""",
                    (job_id,),
                )

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Cancels jobs and their circuits; what was charged stays charged.

        Args:
            job_ids: their ids.

        Raises:
            ApiError: if one is not there; then none is canceled.
        """
        self._end(job_ids, "canceled")

    def delete(self, job_ids: Sequence[str]) -> None:
        """Deletes jobs: their rows stay, for who checks the database, their contents and answers go.

        Args:
            job_ids: their ids.

        Raises:
            ApiError: if one is not there; then none is deleted.
        """
        self._end(job_ids, "deleted")

    def _end(self, job_ids: Sequence[str], state: str) -> None:
        with self.database.transaction() as connection:
            for job_id in job_ids:
                self.get(job_id)
                both = {"state": state, "now": time.time(), "id": job_id}
                connection.execute(
                    """UPDATE jobs SET state = :state, completed_at = coalesce(completed_at, :now),
                       charged_cost = coalesce(charged_cost, 0)
                       WHERE (id = :id OR parent_job_id = :id) AND state != 'deleted'""",
                    both,
                )
                if state == "deleted":
                    connection.execute(
                        """DELETE FROM results WHERE job_id IN
                           (SELECT id FROM jobs WHERE id = :id OR parent_job_id = :id)""",
                        both,
                    )
                    connection.execute("UPDATE jobs SET payload = NULL WHERE id = :id", both)

    def _fail(self, job_id: str, code: str, message: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                """UPDATE jobs SET planned_state = 'failed', failure_code = ?, failure_message = ?
                   WHERE state = 'accepted' AND (id = ? OR parent_job_id = ?)""",
                (code, message, job_id, job_id),
            )

    def _check_session(self, session_id: str | None) -> None:
        if session_id is None:
            return
        row = self.database.one("SELECT ended_at FROM sessions WHERE id = ?", session_id)
        if row is None or row["ended_at"] is not None:
            state = "has ended" if row is not None else "is not known"
            raise ApiError(400, f"The session of this job {state}. Start one with `POST /sessions`.")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps Python's cycle collector off: it would walk all of a large body again and again as it is read."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
