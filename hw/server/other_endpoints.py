"""The endpoints of backends, sessions and the key, and the one that controls faults."""

from __future__ import annotations

import uuid
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hw.server import sessions
from hw.server.backends import BACKENDS, Backend, backend_body, characterization
from hw.server.config import ServerConfig
from hw.server.database import Database
from hw.server.errors import ApiError, bad_request, shown
from hw.server.faults import Fault, FaultSchedule
from hw.server.views import PROJECT_ID
from hw.server.web import Handler, json_response, read_object
from qjax.errors import ArgumentError


class OtherEndpoints:
    """Answers requests that are not about jobs.

    Args:
        database: where sessions are kept.
        config: what the server was started with.
        faults: the schedule of faults.
    """

    def __init__(self, database: Database, config: ServerConfig, faults: FaultSchedule):
        self._database = database
        self._config = config
        self._faults = faults

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of the endpoints that ask for a key."""
        return [
            ("POST", "/sessions", self.create_session),
            ("GET", "/sessions", self.get_sessions),
            ("GET", "/sessions/{session}", self.get_session),
            ("POST", "/sessions/{session}/end", self.end_session),
            ("GET", "/whoami", self.whoami),
        ]

    def open_routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of the endpoints that are open to all, as the service's are."""
        return [
            ("GET", "/backends", self.get_backends),
            ("GET", "/backends/{backend}", self.get_backend),
            ("GET", "/backends/{backend}/characterizations", self.get_characterizations),
            ("GET", "/backends/{backend}/characterizations/{characterization}", self.get_characterization),
        ]

    def control_routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of what the service does not have."""
        return [
            ("GET", "/control/faults", self.get_faults),
            ("PUT", "/control/faults", self.put_faults),
            ("DELETE", "/control/faults", self.delete_faults),
        ]

    async def create_session(self, request: Request) -> Response:
        """Starts a session."""
        payload = await read_object(request)
        return json_response(await run_in_threadpool(sessions.create, self._database, payload), 201)

    async def get_sessions(self, request: Request) -> Response:
        """Lists sessions."""
        active = {"true": True, "false": False}.get(request.query_params.get("active", "").lower())
        return json_response(await run_in_threadpool(sessions.all_sessions, self._database, active))

    async def get_session(self, request: Request) -> Response:
        """Says how a session is."""
        session_id = request.path_params["session"]
        return json_response(await run_in_threadpool(sessions.get, self._database, session_id))

    async def end_session(self, request: Request) -> Response:
        """Ends a session."""
        session_id = request.path_params["session"]
        return json_response(await run_in_threadpool(sessions.end, self._database, session_id))

    async def whoami(self, request: Request) -> Response:
        """Says which key is in use."""
        key = request.headers["authorization"].partition(" ")[2].strip()
        key_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, key))
        return json_response({"key_id": key_id, "key_name": "local", "project_id": PROJECT_ID})

    async def get_backends(self, _: Request) -> Response:
        """Lists the backends."""
        queue = self._config.latency.queue_seconds
        return json_response([backend_body(b, queue) for name, b in BACKENDS.items() if name == b.name])

    async def get_backend(self, request: Request) -> Response:
        """Says how a backend is."""
        return json_response(backend_body(_backend(request), self._config.latency.queue_seconds))

    async def get_characterizations(self, request: Request) -> Response:
        """Lists what is known of a machine."""
        backend = _backend(request)
        found = [] if backend.is_simulator else [characterization(backend)]
        return json_response({"characterizations": found, "pages": 1})

    async def get_characterization(self, request: Request) -> Response:
        """Says what is known of a machine."""
        backend = _backend(request)
        found = None if backend.is_simulator else characterization(backend)
        if found is None or found["id"] != request.path_params["characterization"]:
            raise ApiError(404, "There is no characterization of that id.")
        return json_response(found)

    async def get_faults(self, _: Request) -> Response:
        """Says what goes wrong, and how often it did."""
        return json_response(self._faults.to_json())

    async def put_faults(self, request: Request) -> Response:
        """Replaces the faults and starts their schedule over."""
        payload = await read_object(request)
        given, seed = payload.get("faults"), payload.get("seed", 0)
        if type(given) is not list or type(seed) is not int:
            raise bad_request(
                f"The body must have `faults`, a list, and may have a `seed`, but it is {shown(payload)}."
            )
        self._replace(given, seed)
        return json_response(self._faults.to_json())

    async def delete_faults(self, _: Request) -> Response:
        """Ends all faults."""
        self._replace([], 0)
        return json_response(self._faults.to_json())

    def _replace(self, given: list[Any], seed: int) -> None:
        try:
            faults = [Fault.from_json(value) for value in given]
        except ArgumentError as error:
            raise bad_request(str(error)) from None
        self._faults.replace(faults, seed)


def _backend(request: Request) -> Backend:
    backend = BACKENDS.get(request.path_params["backend"])
    if backend is None:
        raise ApiError(404, f"There is no backend of that name. There are {', '.join(BACKENDS)}.")
    return backend
