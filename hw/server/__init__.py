"""A server for this machine that speaks IonQ's REST API v0.4, for prototyping without an account.

cirq-ionq, qiskit-ionq and pennylane-ionq work against it as they are. It simulates with `qjax`, keeps its
jobs in SQLite, and can be as slow and as unreliable as a service far away: see `LatencyModel`.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with start(Path(folder) / "jobs.sqlite") as server:
    ...         print(server.api_key)
    local
"""

from hw.server.config import ServerConfig
from hw.server.faults import Fault, FaultSchedule
from hw.server.latency import LatencyModel
from hw.server.local import LocalServer, start
from hw.server.process import ServerProcess

__all__ = ["Fault", "FaultSchedule", "LatencyModel", "LocalServer", "ServerConfig", "ServerProcess", "start"]
