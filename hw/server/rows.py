"""A job that is being accepted as rows of the database: one for the job, one for each of several circuits."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from hw.server.backends import BACKENDS, cost
from hw.server.circuits import count_gates
from hw.server.faults import JobPlan
from hw.server.latency import Times
from hw.server.request import MULTI, SINGLE, JobRequest

INJECTED = "The failure was injected by the server's schedule of faults."

Row = dict[str, Any]


def job_rows(
    request: JobRequest, *, submitted_at: float, times: Times, plan: JobPlan, seed: int, body: bytes
) -> list[Row]:
    """The rows of a new job.

    Args:
        request: what it asks for.
        submitted_at: when it was accepted, in seconds since 1970.
        times: when it starts and ends.
        plan: what will go wrong with it.
        seed: seed of its shots, unless it brings one.
        body: the request's body.

    Returns:
        The job's row, then those of its circuits, where it is a job of several. Ids are new.
    """
    job_id = str(uuid.uuid4())
    backend = BACKENDS[request.backend]
    gates = count_gates(request.circuits)
    planned = "canceled" if plan.canceled else "failed" if plan.failing else "completed"
    job: Row = {
        "id": job_id,
        "parent_job_id": None,
        "position": None,
        "type": request.type,
        "backend": request.backend,
        "name": request.name,
        "metadata": None if request.metadata is None else orjson.dumps(request.metadata).decode(),
        "session_id": request.session_id,
        "shots": request.shots,
        "noise": backend.noise or request.noise,
        "seed": seed if request.seed is None else request.seed,
        "settings": orjson.dumps(request.settings).decode(),
        "dry_run": request.dry_run,
        "qubits": request.qubits,
        "circuits": len(request.circuits),
        "gates_1q": gates[0],
        "gates_2q": gates[1],
        "state": "accepted",
        "planned_state": planned,
        "failure_code": None,
        "failure_message": None,
        "submitted_at": submitted_at,
        "listed_at": submitted_at + plan.listed_after,
        "started_at": times.started_at,
        "ends_at": times.ends_at,
        "completed_at": None,
        "estimated_cost": cost(backend, len(request.circuits), *gates, request.shots),
        "charged_cost": None,
        "order_seed": plan.order_seed,
        "payload": body,
    }
    children = [_child(job, request, position, plan) for position in range(job["circuits"])]
    if planned == "failed":
        message = f"{len(plan.failing)} of {job['circuits']} circuits failed. {INJECTED}"
        job |= {"failure_code": next(iter(plan.failing.values())), "failure_message": message}
    return [job, *children] if request.type == MULTI else [job]


def _child(job: Row, request: JobRequest, position: int, plan: JobPlan) -> Row:
    gates = request.circuits[position].structure.counted
    child = {
        **job,
        "id": str(uuid.uuid4()),
        "parent_job_id": job["id"],
        "position": position,
        "type": SINGLE,
        "name": request.names[position],
        "metadata": None,
        "circuits": 1,
        "gates_1q": gates[0],
        "gates_2q": gates[1],
        "estimated_cost": cost(BACKENDS[request.backend], 1, *gates, request.shots),
        "payload": None,
    }
    if job["planned_state"] == "failed":
        code = plan.failing.get(position)
        message = None if code is None else INJECTED
        state = "completed" if code is None else "failed"
        child |= {"planned_state": state, "failure_code": code, "failure_message": message}
    return child
