"""Lets the faults of requests happen, around the whole application."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hw.server.database import Database
from hw.server.errors import ApiError
from hw.server.faults import FaultSchedule
from hw.server.views import PREFIX


class FaultInjection:
    """ASGI middleware that drops, delays and refuses requests as the schedule says.

    Args:
        app: the application.
        schedule: when faults happen.
        database: where it is written down that they did.
    """

    def __init__(self, app: ASGIApp, schedule: FaultSchedule, database: Database):
        self._app = app
        self._schedule = schedule
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        operation = operation_of(scope["method"], scope["path"])

        async def happens(kind: str) -> Any:
            fault = self._schedule.happens(kind, operation)
            if fault is not None:
                incident = (time.time(), kind, scope["method"], scope["path"])
                await run_in_threadpool(self._database.note_incident, *incident)
            return fault

        if slow := await happens("slow"):
            await asyncio.sleep(slow.seconds)
        if await happens("drop_before"):
            await _drop(receive, send)
        elif limit := await happens("rate_limit"):
            message = "There are too many requests. Wait as `Retry-After` says."
            await _answer(ApiError(429, message, {"Retry-After": str(math.ceil(limit.seconds))}), send)
        elif error := await happens("error_before"):
            await _answer(ApiError(error.status, "A fault was injected; nothing was done."), send)
        elif await happens("drop_after"):
            await self._app(scope, receive, _ignore)
            await _drop(receive, send)
        elif error := await happens("error_after"):
            await self._app(scope, receive, _ignore)
            await _answer(ApiError(error.status, "A fault was injected after the request."), send)
        else:
            await self._app(scope, receive, send)


def operation_of(method: str, path: str) -> str:
    """What a request is about.

    Args:
        method: its method.
        path: its path.

    Returns:
        One of `OPERATIONS`.

    Example:
        >>> operation_of("POST", "/v0.4/jobs"), operation_of("GET", "/v0.4/jobs/1/results/probabilities")
        ('submit', 'results')
    """
    parts = path.removeprefix(PREFIX).strip("/").split("/")
    if parts[0] != "jobs" or parts[1:] == ["estimate"]:
        return "other"
    if parts[-1] == "cancel":
        return "cancel"
    if method == "POST" and (len(parts) == 1 or parts[-1] == "clone"):
        return "submit"
    if method == "GET" and len(parts) <= 2:
        return "get" if len(parts) == 2 else "list"
    return "results" if len(parts) > 2 and parts[2] in ("results", "artifacts") else "other"


async def _ignore(_: Message) -> None:
    pass


async def _answer(error: ApiError, send: Send) -> None:
    body = orjson.dumps(error.body())
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **error.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _drop(receive: Receive, send: Send) -> None:
    """Ends the connection without an answer."""
    # uvicorn's `send` is a method of the object that holds the connection; ASGI itself has no word for it.
    connection: Any = send
    connection.__self__.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
