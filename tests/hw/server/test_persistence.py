"""Jobs outlive the server: a process is killed, another completes what the first accepted."""

from __future__ import annotations

import random
import sqlite3
import time

import httpx
import pytest

from hw.server import Fault, LatencyModel, LocalServer, ServerConfig, ServerProcess
from qjax.errors import ArgumentError, StoreError
from tests.hw.server.client import BELL, connected, finished, ran, several, single, submitted


def kill_and_restart(database, *, seconds_until_kill: float) -> None:
    latency = LatencyModel(queue_seconds=0.2, seconds_per_circuit=0.02)
    with ServerProcess(database, latency=latency) as first:
        with connected(first) as client:
            ids = [submitted(client, several([BELL] * 5, name=str(k))) for k in range(4)]
            done = ran(client, single(BELL)) if seconds_until_kill > 0.5 else None
        time.sleep(seconds_until_kill)
        first.kill()
    with LocalServer(ServerConfig(database)) as second, connected(second) as client:
        for job_id in ids:
            job = finished(client, job_id)
            assert job["status"] == "completed"
            rows = client.get(f"/jobs/{job_id}/results/probabilities/aggregated").json()
            assert list(rows) == job["child_job_ids"]
            assert all(row == pytest.approx({"0": 0.5, "3": 0.5}) for row in rows.values())
        if done is not None:
            assert client.get(f"/jobs/{done['id']}").json() == done
        listed = [job["id"] for job in client.get("/jobs").json()["jobs"]]
        assert listed[::-1][:4] == ids
    with sqlite3.connect(database) as connection:
        charged = connection.execute(
            "SELECT count(*), count(charged_cost) FROM jobs WHERE position >= 0 AND state = 'completed'"
        ).fetchone()
        assert charged == (20, 20)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_accepted_jobs_are_completed_after_a_kill(tmp_path):
    kill_and_restart(tmp_path / "jobs.sqlite", seconds_until_kill=0.0)


@pytest.mark.long
@pytest.mark.parametrize("repetition", range(15))
def test_accepted_jobs_are_completed_after_a_kill_at_any_moment(tmp_path, repetition):
    kill_and_restart(tmp_path / "jobs.sqlite", seconds_until_kill=random.Random(repetition).uniform(0, 1))


def test_jobs_and_sessions_are_there_after_a_stop(tmp_path):
    config = ServerConfig(tmp_path / "deeper" / "jobs.sqlite")
    with LocalServer(config) as server, connected(server) as client:
        session = client.post("/sessions", json={"backend": "simulator"}).json()
        job = ran(client, several([BELL], metadata={"fingerprint": "f"}, session_id=session["id"]))
        rows = client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json()
    with LocalServer(config) as server, connected(server) as client:
        assert client.get(f"/sessions/{session['id']}").json() == session
        assert client.get(f"/jobs/{job['id']}").json() == job
        assert client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json() == rows


def test_a_process_takes_every_option(tmp_path):
    latency = LatencyModel(queue_seconds=60.0, seconds_per_circuit=1.0, concurrency=2, virtual=True)
    faults = [Fault("error_before", times=1, on="submit", status=500)]
    server = ServerProcess(tmp_path / "jobs.sqlite", api_key="other", latency=latency, faults=faults, seed=7)
    with server, connected(server) as client:
        assert client.post("/jobs", json=single(BELL)).status_code == 500
        assert ran(client, single(BELL))["predicted_wait_time_ms"] == 60_000
        assert (
            httpx.get(f"{server.url}/v0.4/whoami", headers={"Authorization": "apiKey local"}).status_code
            == 401
        )
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(StoreError, match=f"Port {port} cannot be used"):
            LocalServer(ServerConfig(tmp_path / "other.sqlite"), port)
        with pytest.raises(StoreError, match="Name another with `--port`"):
            ServerProcess(tmp_path / "other.sqlite", port=port)


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        LocalServer(ServerConfig(path))
    assert path.read_bytes() == b"not a database" * 100
    with pytest.raises(StoreError, match="cannot be opened"):
        LocalServer(ServerConfig(tmp_path))
    newer = tmp_path / "newer.sqlite"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="version 99"):
        LocalServer(ServerConfig(newer))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LatencyModel(queue_seconds=-1),
        lambda: LatencyModel(seconds_per_circuit=float("inf")),
        lambda: LatencyModel(concurrency=0),
    ],
)
def test_numbers_without_a_meaning_are_refused(wrong):
    with pytest.raises(ArgumentError, match="must"):
        wrong()
