"""A server that answers as Pinecone does, as far as the sinks ask, with faults; the real SDK speaks to it.

It checks what the service checks: the key, dimensions, sizes, counts, ids, metadata, and that no dense vector
is all zeros or holds a null. Faults are taken in turn from a schedule.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

KEY = "pcsk_a-key-that-no-message-may-show"
MAX_BYTES = 2 * 1024 * 1024
# What can happen to a request of the data plane; "" is nothing.
FAULTS = ("", "429", "429 wait", "500", "503", "413", "400", "drop", "drop after", "garbage", "408")


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.headers = status, headers or {}


@dataclass
class Index:
    """An index and what it holds, by namespace and id."""

    dimension: int
    vectors: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Service:
    """The state behind the server."""

    key: str = KEY
    indexes: dict[str, Index] = field(default_factory=dict)
    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    down: bool = False
    refuse: Callable[[dict[str, Any]], str | None] = lambda record: None
    requests: list[tuple[str, int]] = field(default_factory=list)
    upserts: int = 0
    port: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set_faults(self, faults: Iterable[str]) -> None:
        """Faults of the next requests of the data plane; none after them."""
        self.faults = iter(faults)

    def vectors(self, index: str = "qjax") -> dict[tuple[str, str], tuple[np.ndarray, dict[str, Any]]]:
        """Everything in an index: (namespace, id) to values and metadata."""
        return {
            (namespace, key): (np.array(record["values"], np.float32), record["metadata"])
            for namespace, records in self.indexes[index].vectors.items()
            for key, record in records.items()
        }

    def describe(self, name: str) -> dict[str, Any]:
        if name not in self.indexes:
            raise RefusalError(404, f"Resource {name} not found")
        dimension = self.indexes[name].dimension
        return {
            "name": name,
            "host": f"http://127.0.0.1:{self.port}",
            "status": {"ready": True, "state": "Ready"},
            "schema": {
                "fields": {"_values": {"type": "dense_vector", "dimension": dimension, "metric": "cosine"}}
            },
            "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
            "deletion_protection": "disabled",
        }

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        name, fields = body["name"], body["schema"]["fields"]
        if not re.fullmatch(r"[a-z0-9-]{1,45}", name) or set(fields) != {"_values"}:
            raise RefusalError(400, "Bad index")
        if name in self.indexes:
            raise RefusalError(409, f"Resource {name} already exists")
        self.indexes[name] = Index(fields["_values"]["dimension"])
        return self.describe(name)

    def upsert(self, body: dict[str, Any]) -> dict[str, Any]:
        index = self._only_index()
        if len(body["vectors"]) > 1000:
            raise RefusalError(400, "Too many records")
        for record in body["vectors"]:
            values = record["values"]
            if len(values) != index.dimension:
                raise RefusalError(400, f"Vector dimension {len(values)} does not match {index.dimension}")
            if not any(values) or any(value is None for value in values):
                raise RefusalError(400, "Dense vectors must contain at least one non-zero value")
            if not 0 < len(record["id"]) <= 512 or len(json.dumps(record.get("metadata"))) > 40_960:
                raise RefusalError(400, "Bad id or metadata")
            if (reason := self.refuse(record)) is not None:
                raise RefusalError(400, reason)
        held = index.vectors.setdefault(body.get("namespace", ""), {})
        for record in body["vectors"]:
            # As the service does: float32, and every number a float.
            numbers = {k: v if isinstance(v, str) else float(v) for k, v in record["metadata"].items()}
            values = np.array(record["values"], np.float32).astype(float).tolist()
            held[record["id"]] = {"id": record["id"], "values": values, "metadata": numbers}
        self.upserts += 1
        return {"upsertedCount": len(body["vectors"])}

    def fetch(self, query: dict[str, list[str]]) -> dict[str, Any]:
        namespace = query.get("namespace", [""])[0]
        held = self._only_index().vectors.get(namespace, {})
        return {"vectors": {key: held[key] for key in query["ids"] if key in held}, "namespace": namespace}

    def list(self, query: dict[str, list[str]]) -> dict[str, Any]:
        held = self._only_index().vectors.get(query.get("namespace", [""])[0], {})
        prefix, after = query.get("prefix", [""])[0], query.get("paginationToken", [""])[0]
        limit = int(query.get("limit", ["100"])[0])
        keys = sorted(key for key in held if key.startswith(prefix) and key > after)
        page = {"vectors": [{"id": key} for key in keys[:limit]]}
        return page | ({"pagination": {"next": keys[limit - 1]}} if len(keys) > limit else {})

    def query(self, body: dict[str, Any]) -> dict[str, Any]:
        wanted = np.array(body["vector"])
        matches = [
            {
                "id": record["id"],
                "metadata": record["metadata"],
                "score": float(
                    wanted
                    @ np.array(record["values"])
                    / (np.linalg.norm(wanted) * np.linalg.norm(record["values"]))
                ),
            }
            for record in self._only_index().vectors.get(body.get("namespace", ""), {}).values()
            if all(record["metadata"].get(k) == v for k, v in (body.get("filter") or {}).items())
        ]
        return {"matches": sorted(matches, key=lambda match: -match["score"])[: body["topK"]]}

    def _only_index(self) -> Index:
        # One host serves one index, and the tests make one.
        if not self.indexes:
            raise RefusalError(404, "index not found")
        return next(iter(self.indexes.values()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        service, url = self.service, urlsplit(self.path)
        with service.lock:
            service.requests.append((url.path, len(body)))
            is_data = not url.path.startswith("/indexes")
            fault = next(service.faults, "") if is_data else ""
            if service.down or fault == "drop":
                return self._drop()
            try:
                answer = self._result(url.path, parse_qs(url.query), body, fault)
                status, headers = 200, {}
            except RefusalError as refusal:
                status, headers = refusal.status, refusal.headers
                answer = {"error": {"code": "ERROR", "message": str(refusal)}, "status": status}
        if fault == "drop after":
            return self._drop()
        content = b"<html>" if fault == "garbage" else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        return None

    def _result(self, path: str, query: dict[str, list[str]], body: bytes, fault: str) -> dict[str, Any]:
        service = self.service
        if self.headers.get("Api-Key") != service.key:
            # A service that quotes what it got: no message may pass that on.
            raise RefusalError(401, f"Invalid API key {self.headers.get('Api-Key')}")
        if fault == "429 wait":
            raise RefusalError(429, "Too many requests", {"Retry-After": "2"})
        if fault.isdigit():
            raise RefusalError(int(fault), f"Fault {fault}")
        if len(body) > MAX_BYTES:
            raise RefusalError(413, "Request too large")
        match path.strip("/").split("/"):
            case ["indexes", name]:
                return service.describe(name)
            case ["indexes"]:
                return service.create(json.loads(body))
            case ["vectors", "upsert"]:
                return service.upsert(json.loads(body))
            case ["vectors", "fetch"]:
                return service.fetch(query)
            case ["vectors", "list"]:
                return service.list(query)
            case ["query"]:
                return service.query(json.loads(body))
        raise RefusalError(404, f"No such path {path}")

    def _drop(self) -> None:
        # Reset, so that the other side notices at once.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # Dropped connections are meant.


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Runs the server on a free port of this machine."""
    handler = type("Handler", (_Handler,), {"service": service})
    server = _QuietServer(("127.0.0.1", 0), handler)
    service.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pinecone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A running service, which the SDK of this process and of processes that it starts speaks to."""
    with serving(Service()) as service:
        monkeypatch.setenv("PINECONE_API_KEY", KEY)
        monkeypatch.setenv("PINECONE_CONTROLLER_HOST", f"http://127.0.0.1:{service.port}")
        monkeypatch.delenv("PINECONE_INDEX", raising=False)
        yield service
