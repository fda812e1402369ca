"""A worker seen from outside: started, asked with a time limit, ended."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.cell import Cell

_ROOT = Path(__file__).parent.parent
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "QULACS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_MANY_QUBITS = 13
"""Smaller states are faster on one OpenMP thread: two spend longer waiting for each other."""

STARTUP_LIMIT = 120.0
"""Seconds in which a worker must have imported its packages."""


class WorkerTimeoutError(Exception):
    """A worker did not answer in time; it was ended."""


class WorkerFailureError(Exception):
    """A worker ended by itself; the message is the last line that it wrote."""


def worker_environment(num_threads: int) -> dict[str, str]:
    """Environment of a worker: that many threads for OpenMP, and every compilation done anew.

    Args:
        num_threads: how many.

    Returns:
        The variables.
    """
    environment = {key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"}
    environment |= {name: str(num_threads) for name in _THREAD_VARIABLES}
    environment |= {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_COMPILATION_CACHE": "false"}
    environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), environment.get("PYTHONPATH", "")])
    return environment


def pinned(cores: tuple[int, ...]) -> dict[str, Any]:
    """Options of `subprocess` that start a program on some cores."""
    return {"preexec_fn": lambda: os.sched_setaffinity(0, cores)}


class Worker:
    """One peer and one cell in a process of its own.

    Args:
        peer: name of the peer.
        cell: the cell.
        cores: the cores that it may run on.

    Attributes:
        started: its first words: the cores that it is pinned to, and its memory.
        peak_rss: the most memory that it held until its last reply, bytes.

    Raises:
        WorkerFailureError: if it does not come up.
    """

    def __init__(self, peer: str, cell: Cell, cores: tuple[int, ...]):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", peer, cell.name, json.dumps(cores)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=worker_environment(len(cores) if cell.num_qubits >= _MANY_QUBITS else 1),
            start_new_session=True,  # Ctrl-C is this process's alone to handle
        )
        self._last_words: deque[str] = deque(maxlen=50)
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._buffer = b""
        self.peak_rss = 0
        self.started = self._reply(STARTUP_LIMIT)

    def ask(self, order: dict[str, Any], limit: float) -> dict[str, Any]:
        """Sends an order and waits for its reply.

        Args:
            order: the order.
            limit: seconds to wait.

        Returns:
            The reply.

        Raises:
            WorkerTimeoutError: if there is none in time.
            WorkerFailureError: if the process ends.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        return self._reply(limit)

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reply(self, limit: float) -> dict[str, Any]:
        try:
            return self._read_reply(limit)
        except BaseException:
            self.close()  # a late reply must not be taken for the next one's
            raise

    def _read_reply(self, limit: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        end = time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise WorkerTimeoutError(f"nothing in {limit:g} s")
                piece = os.read(self._process.stdout.fileno(), 1 << 16)
                if not piece:
                    raise self._failure()
                self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        reply = json.loads(line)
        self.peak_rss = reply["rss"]
        return reply

    def _failure(self) -> WorkerFailureError:
        code = self._process.wait()
        self._listener.join()
        if code < 0:
            return WorkerFailureError(
                f"ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
            )
        return WorkerFailureError(
            next((line for line in reversed(self._last_words) if line.strip()), "ended")
        )

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._last_words.append(line.decode(errors="replace").strip())
