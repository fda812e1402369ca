"""Sessions on the local server: opened, used by jobs, ended whatever happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

import hw
from hw.server import LocalServer, ServerConfig
from qjax import Circuit, Op, PauliSum
from qjax.errors import ArgumentError

CIRCUIT = Circuit(1, (Op("x", (0,)),))


@pytest.fixture
def ionq(tmp_path: Path) -> Iterator[hw.IonQ]:
    with LocalServer(ServerConfig(tmp_path / "jobs.sqlite")) as server:
        yield hw.IonQ("qpu.forte-1", shots=100, remote_host=server.url, api_key=server.api_key)


def run(ionq: hw.IonQ) -> hw.Handle:
    key = jax.random.key(0)
    handle = ionq.submit(CIRCUIT, np.zeros((1, 0)), None, PauliSum("Z0"), key=key)
    assert ionq.collect(handle).mean.item() < -0.8
    return handle


def status(ionq: hw.IonQ, identifier: str) -> str:
    return ionq.service(1).client.exchange("GET", f"/sessions/{identifier}").value["status"]


def test_jobs_of_a_session_are_in_it_and_it_ends(ionq: hw.IonQ) -> None:
    with hw.session(ionq, max_jobs=2, max_minutes=10, max_cost=5.0) as within:
        identifier = within.session
        assert identifier is not None
        (job_id,) = run(within).job_ids
        record = ionq.service(1).job(job_id)
        assert record is not None
        assert record["session_id"] == identifier
        assert status(ionq, identifier) != "ended"
    assert status(ionq, identifier) == "ended"


def test_it_ends_when_the_block_fails(ionq: hw.IonQ) -> None:
    identifier = ""
    with pytest.raises(RuntimeError, match="broken"), hw.session(ionq) as within:  # noqa: PT012
        identifier = within.session or ""
        raise RuntimeError("broken")
    assert status(ionq, identifier) == "ended"


def test_work_of_one_session_is_found_in_another(ionq: hw.IonQ) -> None:
    journal = hw.MemoryJournal()
    jobs = []
    for _ in range(2):
        host, key = ionq.remote_host, ionq.api_key
        again = hw.IonQ("qpu.forte-1", shots=100, remote_host=host, api_key=key, journal=journal)
        with hw.session(again) as within:
            jobs.append(run(within).job_ids)
    assert jobs[0] == jobs[1]


@pytest.mark.parametrize("bounds", [{"max_jobs": 0}, {"max_minutes": -1}, {"max_cost": 0.0}])
def test_bounds_without_meaning_are_refused(ionq: hw.IonQ, bounds: dict) -> None:
    with pytest.raises(ArgumentError, match="must be positive"), hw.session(ionq, **bounds):
        pass
    within = dataclasses.replace(ionq, session="s-1")
    with pytest.raises(ArgumentError, match="have no session yet"), hw.session(within):
        pass
