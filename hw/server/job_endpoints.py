"""The endpoints of jobs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hw.server import answers, listing, prices
from hw.server.database import Database
from hw.server.errors import bad_request
from hw.server.jobs import Accepted, Jobs
from hw.server.request import MULTI
from hw.server.runner import Runner
from hw.server.views import job_body
from hw.server.web import Handler, json_response, read_body, read_object

MAX_IDS = 5_000
"""The most jobs that one request cancels or deletes."""


class JobEndpoints:
    """Answers requests about jobs. What takes time is done in threads, beside the event loop.

    Args:
        jobs: the jobs.
        runner: what runs them.
    """

    def __init__(self, jobs: Jobs, runner: Runner):
        self._jobs = jobs
        self._runner = runner

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of every endpoint; earlier ones win."""
        results = "/jobs/{id}/results"
        return [
            ("POST", "/jobs", self.create),
            ("GET", "/jobs", self.list),
            ("DELETE", "/jobs", self.delete_many),
            ("PUT", "/jobs/status/cancel", self.cancel_many),
            ("GET", "/jobs/estimate", self.estimate),
            ("GET", "/jobs/{id}", self.get),
            ("DELETE", "/jobs/{id}", self.delete),
            ("PUT", "/jobs/{id}/status/cancel", self.cancel),
            ("POST", "/jobs/{id}/clone", self.clone),
            ("GET", "/jobs/{id}/cost", self.cost),
            ("GET", f"{results}/probabilities", self._result(answers.probabilities)),
            ("GET", f"{results}/probabilities/aggregated", self._result(answers.aggregated)),
            ("GET", f"{results}/histogram", self._result(answers.histogram)),
            ("GET", f"{results}/shots", self._result(_shots)),
            ("GET", "/jobs/{id}/artifacts/{artifact}", self.artifact),
            ("GET", "/sessions/{session}/jobs", self.list),
        ]

    async def create(self, request: Request) -> Response:
        """Accepts a job."""
        body = await read_body(request)
        return self._launched(await run_in_threadpool(self._jobs.accept, body))

    async def clone(self, request: Request) -> Response:
        """Submits a job again, with changes."""
        changes = await read_object(request)
        return self._launched(await run_in_threadpool(self._jobs.clone, request.path_params["id"], changes))

    async def get(self, request: Request) -> Response:
        """Says how a job is."""
        return json_response(await run_in_threadpool(self._job, request.path_params["id"]))

    async def list(self, request: Request) -> Response:
        """Lists jobs, all or those of a session."""
        null_at_end = self._jobs.faults.happens("next_null", "list") is not None
        session_id = request.path_params.get("session")

        def found() -> dict[str, Any]:
            return listing.list_jobs(
                self._jobs, request.query_params, null_at_end=null_at_end, session_id=session_id
            )

        return json_response(await run_in_threadpool(found))

    async def cancel(self, request: Request) -> Response:
        """Cancels a job."""
        job_id = request.path_params["id"]
        await run_in_threadpool(self._jobs.cancel, [job_id])
        return json_response({"id": job_id, "status": "canceled"})

    async def cancel_many(self, request: Request) -> Response:
        """Cancels jobs, all or none."""
        ids = _ids(await read_object(request))
        await run_in_threadpool(self._jobs.cancel, ids)
        return json_response({"ids": ids, "status": "canceled"})

    async def delete(self, request: Request) -> Response:
        """Deletes a job."""
        job_id = request.path_params["id"]
        await run_in_threadpool(self._jobs.delete, [job_id])
        return json_response({"id": job_id, "status": "deleted"})

    async def delete_many(self, request: Request) -> Response:
        """Deletes jobs, all or none."""
        ids = _ids(await read_object(request))
        await run_in_threadpool(self._jobs.delete, ids)
        return json_response({"ids": ids, "status": "deleted"})

    async def cost(self, request: Request) -> Response:
        """Says what a job costs."""
        job = await run_in_threadpool(self._jobs.get, request.path_params["id"])
        return json_response(prices.job_cost(job))

    async def estimate(self, request: Request) -> Response:
        """Says what a job would cost."""
        return json_response(prices.estimate(request.query_params, self._jobs.config.latency))

    async def artifact(self, request: Request) -> Response:
        """Gives an artifact of a job's results."""
        artifact_id = request.path_params["artifact"]

        def read(database: Database, job: sqlite3.Row) -> bytes:
            return answers.artifact(database, job, artifact_id)

        return await self._result(read)(request)

    def _result(self, read: Callable[[Database, sqlite3.Row], bytes]) -> Handler:
        async def answer(request: Request) -> Response:
            def found() -> bytes:
                return read(self._jobs.database, self._jobs.get(request.path_params["id"]))

            return Response(await run_in_threadpool(found), media_type="application/json")

        return answer

    def _job(self, job_id: str) -> dict[str, Any]:
        job = self._jobs.get(job_id)
        children = self._jobs.children(job_id) if job["type"] == MULTI else None
        return job_body(job, time.time()) | {"child_job_ids": children}

    def _launched(self, job: Accepted) -> Response:
        self._runner.launch(job.id, job.request)
        return json_response({"id": job.id, "status": "submitted", "session_id": job.request.session_id}, 201)


def _shots(database: Database, job: sqlite3.Row) -> bytes:
    return orjson.dumps(answers.shots(database, job))


def _ids(payload: dict[str, Any]) -> Sequence[str]:
    ids = payload.get("ids")
    if type(ids) is not list or not all(type(job_id) is str for job_id in ids) or len(ids) > MAX_IDS:
        raise bad_request(f"`ids` must be a list of up to {MAX_IDS:,} strings, but they are not.")
    return ids
