"""The life of jobs and sessions, lists in pages, costs, and what the server says of itself."""

from __future__ import annotations

import itertools
import time

import httpx
import pytest

from hw.server import LatencyModel, LocalServer, ServerConfig
from tests.hw.server.client import BELL, connected, finished, ran, several, single, submitted


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory):
    latency = LatencyModel(queue_seconds=0.3, seconds_per_circuit=0.2, concurrency=1)
    config = ServerConfig(tmp_path_factory.mktemp("slow") / "jobs.sqlite", latency=latency)
    with LocalServer(config) as running:
        yield running


@pytest.fixture(scope="module")
def slow(slow_server):
    with connected(slow_server) as one:
        yield one


def status(client: httpx.Client, job_id: str) -> str:
    return client.get(f"/jobs/{job_id}").json()["status"]


def test_a_job_waits_runs_and_ends_when_the_latency_model_says(slow):
    started = time.time()
    answer = slow.post("/jobs", json=several([BELL, BELL], name="two")).json()
    assert answer["status"] == "submitted"
    assert answer["session_id"] is None
    assert status(slow, answer["id"]) == "ready"
    assert slow.get(f"/jobs/{answer['id']}/results/probabilities/aggregated").status_code == 404
    seen = {status(slow, answer["id"])}
    while status(slow, answer["id"]) == "ready":
        seen.add("ready")
    assert status(slow, answer["id"]) == "started"
    job = finished(slow, answer["id"])
    assert 0.7 <= time.time() - started < 5
    assert job["name"] == "two"
    assert (job["predicted_wait_time_ms"], job["predicted_execution_duration_ms"]) == (300, 400)
    assert job["submitted_at"] < job["started_at"] < job["completed_at"]
    assert job["failure"] is None


def test_jobs_run_one_after_another_where_only_one_may_run(slow):
    ids = [submitted(slow, single(BELL)) for _ in range(3)]
    jobs = [finished(slow, job_id) for job_id in ids]
    for earlier, later in itertools.pairwise(jobs):
        assert earlier["completed_at"] <= later["completed_at"]
        assert later["predicted_wait_time_ms"] >= earlier["predicted_wait_time_ms"] + 150


DOCUMENTED = {
    "id", "status", "type", "backend", "dry_run", "submitter_id", "project_id", "parent_job_id", "session_id",
    "metadata", "name", "submitted_at", "started_at", "completed_at", "predicted_wait_time_ms",
    "predicted_execution_duration_ms", "execution_duration_ms", "failure", "output", "settings", "stats",
    "results",
}  # fmt: skip


def test_jobs_carry_what_is_documented(client):
    created = client.post(
        "/jobs", json=several([BELL], settings={"error_mitigation": {"debiasing": True}})
    ).json()
    assert set(created) == {"id", "status", "session_id"}
    job = finished(client, created["id"])
    assert set(job) == DOCUMENTED | {"child_job_ids", "shots", "noise"}
    assert job["settings"] == {"error_mitigation": {"debiasing": True}}
    (child,) = client.get("/jobs", params={"parent_job_id": job["id"]}).json()["jobs"]
    assert set(child) == DOCUMENTED | {"shots", "noise"}
    assert child["parent_job_id"] == job["id"]
    assert "noise" not in ran(client, single(BELL, backend="qpu.aria-1"))


def test_a_canceled_job_has_no_results_and_costs_nothing(slow):
    job_id = submitted(slow, several([BELL, BELL]))
    children = slow.get(f"/jobs/{job_id}").json()["child_job_ids"]
    assert slow.put(f"/jobs/{job_id}/status/cancel").json() == {"id": job_id, "status": "canceled"}
    time.sleep(0.9)
    job = slow.get(f"/jobs/{job_id}").json()
    assert job["status"] == "canceled"
    assert job["failure"] is None
    assert job["results"] is None
    assert {status(slow, child) for child in children} == {"canceled"}
    assert slow.get(f"/jobs/{job_id}/results/probabilities/aggregated").status_code == 404
    assert slow.get(f"/jobs/{job_id}/cost").json()["cost"]["value"] == 0


def test_many_jobs_are_canceled_and_deleted_at_once_or_not_at_all(slow):
    ids = [submitted(slow, single(BELL)) for _ in range(3)]
    assert slow.put("/jobs/status/cancel", json={"ids": [*ids, "unknown"]}).status_code == 404
    assert "canceled" not in {status(slow, job_id) for job_id in ids}
    assert slow.put("/jobs/status/cancel", json={"ids": ids}).json() == {"ids": ids, "status": "canceled"}
    assert {status(slow, job_id) for job_id in ids} == {"canceled"}
    assert slow.request("DELETE", "/jobs", json={"ids": ids[:2]}).json() == {
        "ids": ids[:2],
        "status": "deleted",
    }
    assert slow.delete(f"/jobs/{ids[2]}").json() == {"id": ids[2], "status": "deleted"}
    assert {slow.get(f"/jobs/{job_id}").status_code for job_id in ids} == {404}
    assert slow.get("/jobs", params={"ids": ids}).json()["jobs"] == []
    assert slow.request("DELETE", "/jobs", json={"ids": "all"}).status_code == 400


def test_a_virtual_clock_writes_times_down_and_nobody_waits(tmp_path):
    latency = LatencyModel(queue_seconds=3600, seconds_per_circuit=60, concurrency=1, virtual=True)
    with (
        LocalServer(ServerConfig(tmp_path / "jobs.sqlite", latency=latency)) as server,
        connected(server) as client,
    ):
        jobs = [ran(client, several([BELL] * 10)) for _ in range(2)]
    assert [job["execution_duration_ms"] for job in jobs] == [600_000, 600_000]
    assert jobs[1]["predicted_wait_time_ms"] == pytest.approx(3_600_000 + 600_000, abs=120_000)


def test_lists_come_in_pages_newest_first_and_filtered(client):
    session = client.post("/sessions", json={"backend": "simulator"}).json()["id"]
    ids = [submitted(client, single(BELL, session_id=session)) for _ in range(7)]
    other = submitted(client, single(BELL, session_id=session, backend="qpu.aria-1"))
    for job_id in [*ids, other]:
        finished(client, job_id)
    found: list[str] = []
    query: dict[str, object] = {"session_id": session, "target": "simulator,qpu.forte-1", "limit": 3}
    pages = 0
    while True:
        page = client.get("/jobs", params=query).json()
        found += [job["id"] for job in page["jobs"]]
        pages += 1
        if "next" not in page:
            break
        query["next"] = page["next"]
    assert (found, pages) == (ids[::-1], 3)
    listed = client.get(f"/sessions/{session}/jobs", params={"status": "completed"}).json()["jobs"]
    assert {job["id"] for job in listed} == {*ids, other}
    assert client.get("/jobs", params={"session_id": session, "status": "failed"}).json()["jobs"] == []
    assert [j["id"] for j in client.get("/jobs", params={"ids": f"{ids[2]},{ids[0]}"}).json()["jobs"]] == [
        ids[2],
        ids[0],
    ]
    assert client.get("/jobs", params={"status": "queued"}).status_code == 400
    assert client.get("/jobs", params={"limit": "0"}).status_code == 400


def test_sessions_end_and_then_take_no_jobs(client):
    session = client.post(
        "/sessions", json={"backend": "qpu.forte-1", "settings": {"job_count_limit": 3}}
    ).json()
    assert session["active"]
    assert session["settings"] == {"job_count_limit": 3}
    assert session["id"] in {
        s["id"] for s in client.get("/sessions", params={"active": "true"}).json()["sessions"]
    }
    ended = client.post(f"/sessions/{session['id']}/end").json()
    assert (ended["status"], ended["active"]) == ("ended", False)
    assert client.get(f"/sessions/{session['id']}").json() == ended
    assert client.post("/jobs", json=single(BELL, session_id=session["id"])).status_code == 400
    assert client.get("/sessions/unknown").status_code == 404
    assert client.post("/sessions", json={"backend": "unknown"}).status_code == 400


def test_a_clone_is_the_same_job_with_changes(client):
    original = ran(
        client, several([[{"gate": "x", "target": 2}], BELL], name="original", metadata={"a": "b"})
    )
    cloned = client.post(
        f"/jobs/{original['id']}/clone", json={"name": "cloned", "backend": "qpu.aria-1", "shots": 50}
    )
    job = finished(client, cloned.json()["id"])
    assert (job["name"], job["backend"], job["shots"], job["metadata"]) == (
        "cloned",
        "qpu.aria-1",
        50,
        {"a": "b"},
    )
    child = client.post(f"/jobs/{original['child_job_ids'][0]}/clone").json()["id"]
    assert finished(client, child)["type"] == "ionq.circuit.v1"
    assert client.get(f"/jobs/{child}/results/probabilities").json() == {"4": 1.0}
    assert client.post(f"/jobs/{original['id']}/clone", json={"input": {}}).status_code == 400


def test_a_dry_run_is_estimated_and_neither_run_nor_charged(client):
    job = ran(client, single(BELL, backend="qpu.forte-1", dry_run=True))
    assert job["status"] == "completed"
    assert job["dry_run"]
    assert job["results"] is None
    cost = client.get(f"/jobs/{job['id']}/cost").json()
    assert cost["estimated_cost"]["value"] > 0
    assert cost["cost"]["value"] == 0
    assert client.get(f"/jobs/{job['id']}/results/probabilities").status_code == 404


def test_a_job_costs_what_was_estimated_by_rates_that_are_said_to_be_local(client):
    job = ran(client, several([BELL, BELL], backend="qpu.aria-1", shots=300))
    query = {"backend": "qpu.aria-1", "shots": 300, "1q_gates": 2, "2q_gates": 2, "circuits": 2, "qubits": 2}
    estimate = client.get("/jobs/estimate", params=query).json()
    cost = client.get(f"/jobs/{job['id']}/cost").json()
    assert cost["cost"] == cost["estimated_cost"]
    assert (
        cost["cost"]["value"]
        == pytest.approx(estimate["estimated_total_cost"])
        == pytest.approx(estimate["estimated_cost"])
    )
    assert cost["cost"]["unit"] == estimate["estimated_unit"] == "credit"
    assert "local server's own" in cost["note"]
    assert "local server's own" in estimate["note"]
    children = [client.get(f"/jobs/{child}/cost").json()["cost"]["value"] for child in job["child_job_ids"]]
    assert sum(children) == pytest.approx(cost["cost"]["value"])
    for wrong in ({"backend": "unknown"}, {"backend": "simulator", "shots": 0}, {}):
        assert client.get("/jobs/estimate", params=wrong).status_code == 400


def test_what_the_server_says_of_itself(client):
    names = [backend["backend"] for backend in client.get("/backends").json()]
    assert names[0] == "simulator"
    machine = client.get("/backends/qpu.aria-1").json()
    assert (machine["qubits"], machine["status"]) == (25, "available")
    (found,) = client.get("/backends/qpu.aria-1/characterizations").json()["characterizations"]
    assert found["fidelity"]["1q"]["median"] == pytest.approx(0.9995)
    assert len(found["connectivity"]) == 25 * 24 / 2
    assert (
        client.get(f"/backends/qpu.aria-1/characterizations/{machine['characterization_id']}").json() == found
    )
    assert client.get("/backends/qpu.aria-1/characterizations/unknown").status_code == 404
    assert client.get("/backends/simulator/characterizations").json()["characterizations"] == []
    assert client.get("/backends/unknown").status_code == 404
    assert set(client.get("/whoami").json()) == {"key_id", "key_name", "project_id"}


def test_a_job_beyond_what_can_be_simulated_fails_with_the_reason(client):
    circuit = [{"gate": "h", "target": qubit} for qubit in range(25)]
    job = ran(client, single(circuit))
    assert job["status"] == "failed"
    assert job["failure"]["code"] == "QuantumCircuitComplexityError"
    assert "16,777,216 basis states" in job["failure"]["message"]
    assert client.get(f"/jobs/{job['id']}/cost").json()["cost"]["value"] == 0
