"""What a server is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hw.server.faults import Fault
from hw.server.latency import LatencyModel
from qjax.errors import ArgumentError

LOCAL_KEY = "local"
"""The key of a server that is started without one. It listens on this machine only."""


@dataclass(frozen=True)
class ServerConfig:
    """What a server is started with.

    Args:
        database: the SQLite file that holds its jobs.
        api_keys: the keys that clients may use; any of them sees all jobs.
        latency: how long jobs take.
        simulation_threads: how many jobs are simulated at the same time.
        seed: seed of the shots of jobs that bring none, and of the schedule of faults.
        faults: what goes wrong on purpose.

    Raises:
        ArgumentError: if there is no key, or a number has no meaning.

    Example:
        >>> ServerConfig(Path("jobs.sqlite")).latency.queue_seconds
        0.0
    """

    database: Path
    api_keys: tuple[str, ...] = field(default=(LOCAL_KEY,), repr=False)
    latency: LatencyModel = field(default_factory=LatencyModel)
    simulation_threads: int = 2
    seed: int = 0
    faults: tuple[Fault, ...] = ()

    def __post_init__(self):
        if not self.api_keys or not all(self.api_keys):
            raise ArgumentError(
                "api_keys", "hold a key", "it holds none", "Name the key that clients will use."
            )
        if self.simulation_threads < 1:
            but = f"it is {self.simulation_threads}"
            raise ArgumentError("simulation_threads", "be 1 or more", but, "Leave it out.")
