"""A small stand-in for the service with faults on demand, for tests of the client alone.

It shares no code with the project: circuits are read by `reader`.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.hw import reader

KEY = "the-secret-key"


@dataclass
class Faults:
    """What goes wrong: `posts` and `gets` hold what happens to the next requests, in order.

    A fault of a request is a status, a status with "accepted" (the job is kept all the same), "drop" (the
    connection closes unanswered), "drop accepted" or "hang" (for a second).
    """

    posts: deque[Any] = field(default_factory=deque)
    gets: deque[Any] = field(default_factory=deque)
    retry_after: str | None = None
    hidden_lists: int = 0
    reordered: bool = False
    failing: dict[int, dict[int, str]] = field(default_factory=dict)
    canceled: set[int] = field(default_factory=set)
    polls: int = 0
    page: int = 100


class StandIn:
    def __init__(self):
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self.jobs: dict[str, dict[str, Any]] = {}
        self.parents: list[str] = []
        self.circuits_run: list[str] = []
        self._lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [self.jobs[parent]["body"] for parent in self.parents]

    def accept(self, body: dict[str, Any]) -> str:
        with self._lock:
            number = len(self.parents)
            job_id = f"job-{number}"
            shared = {"backend": body["backend"], "shots": int(body.get("shots", 100)), "body": body}
            failing = self.faults.failing.get(number, {})
            circuits = body["input"].get("circuits")
            children = []
            for index, circuit in enumerate(circuits or [body["input"]]):
                child = f"child-{number}-{index}" if circuits is not None else job_id
                code = failing.get(index)
                state = "canceled" if number in self.faults.canceled else "failed" if code else "completed"
                failure = {"code": code, "message": "it broke"} if code else None
                values = self._run(circuit, body, index) if state == "completed" else {}
                if state == "completed":
                    self.circuits_run.append(json.dumps(circuit["circuit"], sort_keys=True))
                self.jobs[child] = {
                    "id": child,
                    "status": state,
                    "failure": failure,
                    "values": values,
                    "name": None,
                    "metadata": None,
                    "parent_job_id": job_id if circuits is not None else None,
                    **shared,
                }
                children.append(child)
            states = {self.jobs[child]["status"] for child in children}
            state = states.pop() if len(states) == 1 else "failed"
            failure = self.jobs[children[0]]["failure"] if state == "failed" else None
            self.jobs[job_id] = {
                "id": job_id,
                "status": state,
                "failure": failure,
                "name": body.get("name"),
                **shared,
                "metadata": body.get("metadata"),
                "parent_job_id": None,
                "child_job_ids": children if circuits is not None else None,
                "polls": self.faults.polls,
                "values": self.jobs[job_id]["values"] if circuits is None else {},
                "stats": {"qubits": body["input"]["qubits"]},
            }
            self.parents.append(job_id)
            return job_id

    def _run(self, circuit: dict[str, Any], body: dict[str, Any], index: int) -> dict[str, float]:
        gateset = circuit.get("gateset", body["input"]["gateset"])
        exact = reader.probabilities(circuit["circuit"], body["input"]["qubits"], gateset)
        noise = body.get("noise")
        if body["backend"] != "simulator" or (noise is not None and noise["model"] != "ideal"):
            shots = int(body["shots"])
            generator = np.random.default_rng([(noise or {}).get("seed", 0), index])
            exact = generator.multinomial(shots, exact / exact.sum()) / shots
            if body.get("settings", {}).get("error_mitigation", {}).get("debiasing"):
                exact = (exact + 0.01) / (exact + 0.01).sum()
        return {str(state): float(p) for state, p in enumerate(exact) if p > 0}

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        with self._lock:
            parts = path.strip("/").split("/")[1:]
            if parts == ["backends"]:
                names = {"simulator": 29, "qpu.forte-1": 36, "qpu.aria-1": 25}
                return 200, [{"backend": n, "qubits": q, "status": "available"} for n, q in names.items()]
            if parts == ["whoami"]:
                return 200, {"key_id": "1", "key_name": "test"}
            if parts == ["jobs"] and method == "GET":
                return 200, self._list(query)
            job = self.jobs.get(parts[1]) if parts[0] == "jobs" and len(parts) > 1 else None
            if job is None:
                return 404, {"error": "Not Found", "message": "no such job", "statusCode": 404}
            if parts[2:] == ["status", "cancel"]:
                for each in [job["id"], *(job.get("child_job_ids") or [])]:
                    if self.jobs[each]["status"] not in ("completed", "failed"):
                        self.jobs[each]["status"] = "canceled"
                return 200, {"id": job["id"], "status": "canceled"}
            if parts[2:] == ["results", "probabilities", "aggregated"]:
                children = [c for c in job["child_job_ids"] if self.jobs[c]["status"] == "completed"]
                ordered = reversed(children) if self.faults.reordered else children
                return 200, {child: self.jobs[child]["values"] for child in ordered}
            if parts[2:] == ["results", "probabilities"]:
                # Of a job of several circuits those of the first, which is no result of the job.
                return 200, job["values"] or self.jobs[job["child_job_ids"][0]]["values"]
            return 200, self._record(job)

    def _record(self, job: dict[str, Any]) -> dict[str, Any]:
        record = {name: value for name, value in job.items() if name not in ("body", "values", "polls")}
        if job.get("polls", 0) > 0:
            job["polls"] -= 1
            record |= {"status": "started", "failure": None}
        return record

    def _list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        parent = query.get("parent_job_id", [None])[0]
        if parent is not None:
            found = [job for job in self.jobs.values() if job["parent_job_id"] == parent]
        else:
            found = [self.jobs[job_id] for job_id in reversed(self.parents)]
            if self.faults.hidden_lists > 0:
                self.faults.hidden_lists -= 1
                found = []
        start = int(query.get("next", ["0"])[0])
        end = start + self.faults.page
        token = str(end) if end < len(found) else None
        return {"jobs": [self._record(dict(job)) for job in found[start:end]], "next": token}


class _Handler(BaseHTTPRequestHandler):
    owner: StandIn
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        url = urlsplit(self.path)
        with self.owner._lock:
            self.owner.requests.append((self.command, url.path))
        is_post = self.command == "POST"
        faults = self.owner.faults
        if self.headers.get("Authorization") != f"apiKey {KEY}" and not url.path.endswith("/backends"):
            return self._send(401, {"error": "Unauthorized", "message": "Invalid key", "statusCode": 401})
        waiting = faults.posts if is_post else faults.gets
        is_listed = is_post or "/jobs" in url.path
        fault = waiting.popleft() if waiting and is_listed else None
        accepts = fault is None or "accepted" in str(fault)
        answer = 404, {}
        if is_post and accepts:
            body = json.loads(text)
            answer = 201, {"id": self.owner.accept(body), "status": "ready", "session_id": None}
        elif not is_post:
            answer = self.owner.answer(self.command, url.path, parse_qs(url.query), None)
        if fault == "hang":
            time.sleep(1.0)
        if fault is not None and ("drop" in str(fault) or fault == "hang"):
            self.close_connection = True
            return None
        if fault is not None:
            status = fault[0] if isinstance(fault, tuple) else fault
            return self._send(status, {"error": "fault", "message": "on demand", "statusCode": status})
        return self._send(*answer)

    def _send(self, status: int, value: Any) -> None:
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if status == 429 and self.owner.faults.retry_after is not None:
            self.send_header("Retry-After", self.owner.faults.retry_after)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815
