"""The addresses of the service and what answers at each."""

from __future__ import annotations

import hmac
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hw.server import answers, sessions
from hw.server.backends import BACKENDS, backend_body
from hw.server.config import ServerConfig
from hw.server.database import Database
from hw.server.errors import ApiError
from hw.server.jobs import Jobs
from hw.server.request import MAX_BODY_BYTES, MULTI, parse, too_large
from hw.server.runner import Runner
from hw.server.views import PREFIX, PROJECT_ID, job_body

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def create_app(config: ServerConfig) -> Starlette:
    """The server as an ASGI application.

    Args:
        config: what it is started with.

    Returns:
        The application; its database is open while it runs.

    Raises:
        StoreError: if the database cannot be opened.
    """
    api = _Api(config)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        api.runner.start()
        yield
        await api.runner.stop()
        api.database.close()

    def route(method: str, path: str, handler: Handler, *, open_to_all: bool = False) -> Route:
        endpoint = handler if open_to_all else api.with_key(handler)
        return Route(PREFIX + path, endpoint, methods=[method])

    routes = [
        route("POST", "/jobs", api.create_job),
        route("GET", "/jobs/{id}", api.get_job),
        route("DELETE", "/jobs/{id}", api.delete_job),
        route("PUT", "/jobs/{id}/status/cancel", api.cancel_job),
        route("GET", "/jobs/{id}/results/probabilities", api.get_probabilities),
        route("GET", "/jobs/{id}/results/probabilities/aggregated", api.get_aggregated),
        route("GET", "/jobs/{id}/results/histogram", api.get_histogram),
        route("GET", "/jobs/{id}/results/shots", api.get_shots),
        route("GET", "/jobs/{id}/artifacts/{artifact}", api.get_artifact),
        route("POST", "/sessions", api.create_session),
        route("GET", "/sessions", api.get_sessions),
        route("GET", "/sessions/{id}", api.get_session),
        route("POST", "/sessions/{id}/end", api.end_session),
        route("GET", "/backends", api.get_backends, open_to_all=True),
        route("GET", "/backends/{backend}", api.get_backend, open_to_all=True),
        route("GET", "/whoami", api.whoami),
    ]
    handlers = {ApiError: _answer_error, HTTPException: _answer_http_error, Exception: _answer_defect}
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)


class _Api:
    def __init__(self, config: ServerConfig):
        self.config = config
        self.database = Database(config.database)
        self.jobs = Jobs(self.database, config)
        self.runner = Runner(self.jobs)
        self._keys = [key.encode() for key in config.api_keys]

    def with_key(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            given = key.strip().encode()
            matches = [hmac.compare_digest(given, known) for known in self._keys]
            if scheme.lower() != "apikey" or not any(matches):
                raise ApiError(401, "Invalid key provided. Send the header `Authorization: apiKey KEY`.")
            return await handler(request)

        return checked

    async def create_job(self, request: Request) -> Response:
        body = await _body(request)
        job = await run_in_threadpool(self.jobs.accept, body)
        self.runner.launch(job.id, job.request)
        return _json({"id": job.id, "status": "submitted", "session_id": job.session_id}, 201)

    async def get_job(self, request: Request) -> Response:
        return _json(await run_in_threadpool(self._job, request.path_params["id"]))

    async def delete_job(self, request: Request) -> Response:
        job_id = request.path_params["id"]
        await run_in_threadpool(self.jobs.delete, [job_id])
        return _json({"id": job_id, "status": "deleted"})

    async def cancel_job(self, request: Request) -> Response:
        job_id = request.path_params["id"]
        await run_in_threadpool(self.jobs.cancel, [job_id])
        return _json({"id": job_id, "status": "canceled"})

    async def get_probabilities(self, request: Request) -> Response:
        return await self._answer(request, answers.probabilities)

    async def get_aggregated(self, request: Request) -> Response:
        return await self._answer(request, answers.aggregated)

    async def get_histogram(self, request: Request) -> Response:
        return await self._answer(request, answers.histogram)

    async def get_shots(self, request: Request) -> Response:
        return await self._answer(request, lambda database, job: orjson.dumps(answers.shots(database, job)))

    async def get_artifact(self, request: Request) -> Response:
        artifact_id = request.path_params["artifact"]
        return await self._answer(request, lambda database, job: answers.artifact(database, job, artifact_id))

    async def create_session(self, request: Request) -> Response:
        payload = parse(await _body(request))
        return _json(await run_in_threadpool(sessions.create, self.database, payload), 201)

    async def get_sessions(self, request: Request) -> Response:
        active = {"true": True, "false": False}.get(request.query_params.get("active", ""))
        return _json(await run_in_threadpool(sessions.all_sessions, self.database, active))

    async def get_session(self, request: Request) -> Response:
        return _json(await run_in_threadpool(sessions.get, self.database, request.path_params["id"]))

    async def end_session(self, request: Request) -> Response:
        return _json(await run_in_threadpool(sessions.end, self.database, request.path_params["id"]))

    async def get_backends(self, _: Request) -> Response:
        queue = self.config.latency.queue_seconds
        return _json([backend_body(b, queue) for name, b in BACKENDS.items() if name == b.name])

    async def get_backend(self, request: Request) -> Response:
        backend = BACKENDS.get(request.path_params["backend"])
        if backend is None:
            raise ApiError(404, f"There is no backend of that name. There are {', '.join(BACKENDS)}.")
        return _json(backend_body(backend, self.config.latency.queue_seconds))

    async def whoami(self, request: Request) -> Response:
        key = request.headers["authorization"].partition(" ")[2].strip()
        key_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, key))
        return _json({"key_id": key_id, "key_name": "local", "project_id": PROJECT_ID})

    def _job(self, job_id: str) -> dict[str, Any]:
        row = self.jobs.get(job_id)
        children = self.jobs.children(job_id) if row["type"] == MULTI else None
        return job_body(row, children, time.time())

    async def _answer(self, request: Request, read: Callable[..., bytes]) -> Response:
        def found() -> bytes:
            return read(self.database, self.jobs.get(request.path_params["id"]))

        return Response(await run_in_threadpool(found), media_type="application/json")


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def _body(request: Request) -> bytes:
    """The body, read no further than the limit."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise too_large()
    return bytes(parts)


async def _answer_error(_: Request, error: Any) -> Response:
    response = _json(error.body(), error.status)
    response.headers.update(error.headers)
    return response


async def _answer_http_error(request: Request, error: Any) -> Response:
    message = "There is nothing at this address." if error.status_code == 404 else error.detail
    return await _answer_error(request, ApiError(error.status_code, message, error.headers))


async def _answer_defect(request: Request, _: Exception) -> Response:
    log.error("%s %s cannot be answered.", request.method, request.url.path)
    return await _answer_error(request, ApiError(500, "The server has a defect. Its log says more."))
