"""A server in a process of its own, which can be killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

from hw.server.config import LOCAL_KEY
from hw.server.faults import Fault
from hw.server.latency import LatencyModel
from qjax.errors import StoreError


class ServerProcess:
    """`qjax ionq serve` as a child process, on a free port of this machine.

    Args:
        database: the SQLite file that holds its jobs.
        port: the port; 0 for a free one.
        api_key: the key that clients use.
        latency: how long jobs take; by default no longer than the simulation.
        faults: what goes wrong on purpose.
        seed: seed of shots and faults.

    Raises:
        StoreError: if it does not start; the message is its own.
    """

    def __init__(
        self,
        database: Path,
        *,
        port: int = 0,
        api_key: str = LOCAL_KEY,
        latency: LatencyModel | None = None,
        faults: Sequence[Fault] = (),
        seed: int = 0,
    ):
        latency = latency or LatencyModel()
        command = [sys.executable, "-m", "qjax", "ionq", "serve", f"--port={port}", f"--database={database}"]
        command += [f"--api-key={api_key}", f"--seed={seed}", f"--queue-seconds={latency.queue_seconds}"]
        command += [f"--seconds-per-circuit={latency.seconds_per_circuit}"]
        command += [f"--concurrency={latency.concurrency}"] if latency.concurrency is not None else []
        command += ["--virtual-clock"] if latency.virtual else []
        command += [f"--fault={_written(fault)}" for fault in faults]
        self.api_key = api_key
        # A file holds any amount of warnings; a pipe that nobody reads would stop the server.
        with tempfile.TemporaryFile("w+") as errors:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, text=True
            )
            assert self._process.stdout is not None
            with self._process.stdout as output:
                lines = [output.readline(), output.readline()]
            if "http" not in lines[1]:
                self._process.wait()
                errors.seek(0)
                message = errors.read().strip().removeprefix("Error: ")
                raise StoreError(message or "The server did not start.")
        self.url = lines[1].split()[-1]

    def stop(self) -> None:
        """Ends it; jobs that are not finished wait in the database."""
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        """Kills it in the middle of whatever it does."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _written(fault: Fault) -> str:
    """A fault as the command line writes it."""
    values = ((field.name, getattr(fault, field.name)) for field in fields(Fault) if field.name != "kind")
    return f"{fault.kind}:" + ",".join(f"{name}={value}" for name, value in values if value is not None)
