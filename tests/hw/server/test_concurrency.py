"""Many clients at once: nothing is lost, nothing is mixed up, and the loop answers while it simulates."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw.server import LatencyModel, simulate
from hw.server.latency import Schedule
from tests.hw.server import reader
from tests.hw.server.client import finished, ran, single, submitted


def circuit(number: int) -> list[dict]:
    return [{"gate": "ry", "target": q, "rotation": 0.01 * number + 0.3 * q} for q in range(3)]


def test_a_hundred_clients_at_once_lose_nothing(server):
    headers = {"Authorization": f"apiKey {server.api_key}"}

    async def one_client(number: int) -> tuple[int, str, dict]:
        async with httpx.AsyncClient(base_url=f"{server.url}/v0.4", headers=headers, verify=False) as client:
            payload = single(circuit(number), metadata={"fingerprint": str(number)})
            answer = await client.post("/jobs", json=payload)
            assert answer.status_code == 201, answer.text
            job_id = answer.json()["id"]
            while (job := (await client.get(f"/jobs/{job_id}")).json())["status"] != "completed":
                await asyncio.sleep(0.02)
            assert job["metadata"] == {"fingerprint": str(number)}
            return number, job_id, (await client.get(f"/jobs/{job_id}/results/probabilities")).json()

    async def all_clients() -> list[tuple[int, str, dict]]:
        return await asyncio.gather(*(one_client(number) for number in range(100)))

    answers = asyncio.run(all_clients())
    assert len({job_id for _, job_id, _ in answers}) == 100
    for number, _, found in answers:
        values = np.zeros(8)
        for state, probability in found.items():
            values[int(state)] = probability
        np.testing.assert_allclose(values, reader.probabilities(circuit(number), 3), atol=1e-12)
    listed = httpx.get(f"{server.url}/v0.4/jobs", params={"limit": 1000}, headers=headers).json()["jobs"]
    fingerprints = [json.dumps(job["metadata"]) for job in listed]
    assert len(fingerprints) == len(set(fingerprints)) == 100


def test_requests_are_answered_while_jobs_are_simulated(server, client, monkeypatch):
    running, released = threading.Event(), threading.Event()
    answer = simulate.answer

    def slow_answer(*arguments):
        running.set()
        released.wait(30)
        return answer(*arguments)

    monkeypatch.setattr(simulate, "answer", slow_answer)
    ids = [submitted(client, single(circuit(number))) for number in range(5)]
    try:
        assert running.wait(30)
        assert client.get("/whoami").status_code == 200
        assert {client.get(f"/jobs/{job_id}").json()["status"] for job_id in ids} == {"started"}
        assert client.get("/jobs", params={"limit": 5}).json()["jobs"][0]["id"] == ids[-1]
    finally:
        released.set()
    assert {finished(client, job_id)["status"] for job_id in ids} == {"completed"}


def test_a_simulation_that_breaks_fails_its_job_and_no_other(client, monkeypatch):
    def broken(*_):
        raise MemoryError("out of it")

    with monkeypatch.context() as patch:
        patch.setattr(simulate, "answer", broken)
        job = ran(client, single(circuit(0)))
    assert job["status"] == "failed"
    assert job["failure"] == {"code": "SimulationError", "message": "MemoryError: out of it"}
    assert ran(client, single(circuit(0)))["status"] == "completed"


@given(
    st.floats(0, 10),
    st.floats(0, 10),
    st.none() | st.integers(1, 4),
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 50)), max_size=20),
)
def test_jobs_keep_to_queue_execution_and_concurrency(queue, per_circuit, concurrency, jobs):
    schedule = Schedule(LatencyModel(queue, per_circuit, concurrency))
    jobs = sorted(jobs)
    times = [schedule.add(submitted_at, circuits) for submitted_at, circuits in jobs]
    for (submitted_at, circuits), time in zip(jobs, times, strict=True):
        assert time.started_at >= submitted_at + queue
        assert np.isclose(time.ends_at - time.started_at, per_circuit * circuits)
        if concurrency is None:
            assert time.started_at == submitted_at + queue
        else:
            running = sum(t.started_at <= time.started_at < t.ends_at for t in times)
            assert running <= concurrency
    starts = [time.started_at for time in times]
    assert starts == sorted(starts)
