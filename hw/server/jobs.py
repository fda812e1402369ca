"""The life of a job: accepted, run, finished; or canceled, or deleted."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from hw.server import simulate
from hw.server.backends import BACKENDS, cost
from hw.server.circuits import count_gates
from hw.server.config import ServerConfig
from hw.server.database import COLUMNS, Database
from hw.server.errors import ApiError, bad_request, shown
from hw.server.faults import FaultSchedule, JobPlan
from hw.server.latency import Schedule
from hw.server.request import MULTI, SINGLE, JobRequest, parse, read_job

log = logging.getLogger(__name__)

INJECTED = "The failure was injected by the server's schedule of faults."

_JOB = f"SELECT {', '.join(COLUMNS)} FROM jobs"


class Accepted(NamedTuple):
    """A job that was accepted.

    Args:
        id: its id.
        request: what it asks for.
        session_id: the session it belongs to.
    """

    id: str
    request: JobRequest
    session_id: str | None


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
        request = read_job(parse(body))
        self._check_session(request.session_id)
        job_id = str(uuid.uuid4())
        with self._accepting:
            now = time.time()
            times = self.schedule.add(now, len(request.circuits))
            plan = self.faults.plan(len(request.circuits))
            common = self._common(request, now, plan) | times._asdict()
            children = list(self._children(job_id, request, common, plan)) if request.type == MULTI else []
            parent = self._row(job_id, request, common, plan, body)
            self.database.insert_jobs([parent, *children])
        return Accepted(job_id, request, request.session_id)

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

    def get_any(self, job_id: str) -> sqlite3.Row:
        """A job's row, whatever became of it.

        Args:
            job_id: id of a job that was accepted.

        Returns:
            The row.
        """
        row = self.database.one(f"{_JOB} WHERE id = ?", job_id)
        assert row is not None  # rows are never removed
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

    def run(self, job_id: str, request: JobRequest | None = None) -> None:
        """Simulates a job's circuits and keeps the answers, which nobody sees before it is finished.

        Args:
            job_id: its id.
            request: what it asks for; read from the database where it is not given.
        """
        row = self.database.one("SELECT * FROM jobs WHERE id = ? AND state = 'accepted'", job_id)
        if row is None or row["dry_run"]:
            return
        try:
            request = request or read_job(parse(row["payload"]))
            ids = self.children(job_id) if row["type"] == MULTI else [job_id]
            states = sum(circuit.structure.num_states for circuit in request.circuits)
            if states > simulate.MAX_STATES:
                self._fail(
                    job_id,
                    "QuantumCircuitComplexityError",
                    f"The circuits of a job may have {simulate.MAX_STATES:,} basis states here, but these "
                    f"have {states:,}. Split the job or use fewer qubits.",
                )
                return
            answers = simulate.answer(request.circuits, row["noise"], _shots_drawn(row), row["seed"])
            self.database.insert_results(
                [(i, found.probabilities, found.histogram) for i, found in zip(ids, answers, strict=True)]
            )
        except Exception as error:
            log.exception("Job %s cannot be simulated.", job_id)
            self._fail(job_id, "SimulationError", f"{type(error).__name__}: {error}")

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
                    """UPDATE jobs SET state = :state, completed_at = coalesce(completed_at, :now)
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

    def _common(self, request: JobRequest, now: float, plan: JobPlan) -> dict[str, Any]:
        """What a job and its circuits have in common."""
        backend = BACKENDS[request.backend]
        seed = request.seed if request.seed is not None else (self.config.seed + uuid.uuid4().int) % 2**31
        return {
            "backend": request.backend,
            "session_id": request.session_id,
            "shots": request.shots,
            "noise": backend.noise or request.noise,
            "seed": seed,
            "settings": _text(request.settings),
            "dry_run": request.dry_run,
            "state": "accepted",
            "planned_state": "canceled" if plan.canceled else "completed",
            "failure_code": None,
            "failure_message": None,
            "submitted_at": now,
            "listed_at": now + plan.listed_after,
            "completed_at": None,
            "charged_cost": None,
            "order_seed": plan.order_seed,
        }

    def _row(
        self, job_id: str, request: JobRequest, common: Mapping[str, Any], plan: JobPlan, body: bytes
    ) -> dict[str, Any]:
        gates = count_gates(request.circuits)
        failure = {}
        if plan.failing and not plan.canceled:
            message = f"{len(plan.failing)} of {len(request.circuits)} circuits failed. {INJECTED}"
            failure = _failure(next(iter(plan.failing.values())), message)
        return {
            **common,
            **failure,
            "id": job_id,
            "parent_job_id": None,
            "position": None,
            "type": request.type,
            "name": request.name,
            "metadata": None if request.metadata is None else _text(request.metadata),
            "qubits": request.qubits,
            "circuits": len(request.circuits),
            "gates_1q": gates[0],
            "gates_2q": gates[1],
            "estimated_cost": cost(BACKENDS[request.backend], len(request.circuits), *gates, request.shots),
            "payload": body,
        }

    def _children(
        self, job_id: str, request: JobRequest, common: Mapping[str, Any], plan: JobPlan
    ) -> Iterator[dict[str, Any]]:
        backend = BACKENDS[request.backend]
        shared = {**common, "parent_job_id": job_id, "type": SINGLE, "metadata": None, "circuits": 1}
        for position, (circuit, name) in enumerate(zip(request.circuits, request.names, strict=True)):
            gates = circuit.structure.counted
            fails = position in plan.failing and not plan.canceled
            yield {
                **shared,
                **(_failure(plan.failing[position], INJECTED) if fails else {}),
                "id": str(uuid.uuid4()),
                "position": position,
                "name": name,
                "qubits": request.qubits,
                "gates_1q": gates[0],
                "gates_2q": gates[1],
                "estimated_cost": cost(backend, 1, *gates, request.shots),
                "payload": None,
            }


def _failure(code: str, message: str) -> dict[str, str]:
    return {"planned_state": "failed", "failure_code": code, "failure_message": message}


def _shots_drawn(job: sqlite3.Row) -> int | None:
    """Shots of a job whose answer is drawn; the ideal simulator's answers are exact."""
    exact = BACKENDS[job["backend"]].is_simulator and job["noise"] == "ideal"
    return None if exact else job["shots"]


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
