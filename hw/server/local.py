"""A server inside this process: on a free port of this machine, for as long as a block runs."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from hw.server.app import create_app
from hw.server.config import LOCAL_KEY, ServerConfig
from hw.server.latency import LatencyModel
from qjax.errors import StoreError

HOST = "127.0.0.1"


class LocalServer:
    """The server in a thread of this process, reachable from this machine only.

    Args:
        config: what it is started with.
        port: the port; 0 for a free one.

    Raises:
        StoreError: if the database cannot be opened, or the port is taken.

    Example:
        >>> import tempfile, httpx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with LocalServer(ServerConfig(Path(folder) / "jobs.sqlite")) as server:
        ...         httpx.get(f"{server.url}/v0.4/backends/simulator").json()["qubits"]
        29
    """

    def __init__(self, config: ServerConfig, port: int = 0):
        self.config = config
        self._server = make_server(config)
        self._socket = listen(port)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="ionq-server", daemon=True
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.002)
        if not self._server.started:
            raise StoreError("The local server did not start. Its log says why.")

    @property
    def url(self) -> str:
        """Its address without a path; cirq-ionq's `remote_host`."""
        return f"http://{HOST}:{self._socket.getsockname()[1]}"

    @property
    def api_key(self) -> str:
        """A key that it takes."""
        return self.config.api_keys[0]

    def stop(self) -> None:
        """Stops it; jobs that are not finished wait in the database."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def start(
    database: Path, *, port: int = 0, api_key: str = LOCAL_KEY, latency: LatencyModel | None = None
) -> LocalServer:
    """Starts a server in this process; `stop` it, or use it as a context manager.

    Args:
        database: the SQLite file that holds its jobs; jobs in it that are not finished are run.
        port: the port; 0 for a free one.
        api_key: the key that clients use.
        latency: how long jobs take; by default no longer than the simulation.

    Returns:
        The running server.

    Raises:
        StoreError: if the database cannot be opened, or the port is taken.
    """
    return LocalServer(ServerConfig(database, (api_key,), latency or LatencyModel()), port)


def listen(port: int) -> socket.socket:
    """A socket that listens on this machine.

    Args:
        port: the port; 0 for a free one.

    Returns:
        The socket.

    Raises:
        StoreError: if the port is taken.
    """
    # asyncio sends small packets at once only where the protocol is named; answers would wait for 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise StoreError(f"Port {port} cannot be used: {error}. Name another with `--port`.") from None
    listener.listen(1024)
    return listener


def make_server(config: ServerConfig) -> uvicorn.Server:
    """The server, not yet running.

    Args:
        config: what it is started with.

    Returns:
        The server.
    """
    return uvicorn.Server(
        uvicorn.Config(
            create_app(config),
            http="h11",
            loop="asyncio",
            lifespan="on",
            # Its own logging configuration would close every handler of the process that the server runs in.
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=75,  # a client that waits between steps finds its connection open
            timeout_graceful_shutdown=1,
        )
    )
