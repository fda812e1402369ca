"""Faults on purpose: each does what it says, as often as it says, and the same again for the same seed."""

from __future__ import annotations

import sqlite3
import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.server.faults import KINDS, OPERATIONS, Fault, FaultSchedule
from qjax.errors import ArgumentError
from tests.hw.server.client import BELL, finished, ran, several, single, submitted


@pytest.fixture
def control(client):
    """Sets faults for one test."""
    address = str(client.base_url).replace("/v0.4/", "/control/faults")

    def put(*faults: dict, seed: int = 0) -> None:
        answer = client.put(address, json={"faults": list(faults), "seed": seed})
        assert answer.status_code == 200, answer.text

    put.address = address  # type: ignore[attr-defined]
    yield put
    client.delete(address)


def count(client: httpx.Client) -> int:
    return len(client.get("/jobs", params={"limit": 1000}).json()["jobs"])


def test_too_many_requests(client, control):
    control({"kind": "rate_limit", "times": 2, "seconds": 3, "on": "submit"})
    before = count(client)
    answers = [client.post("/jobs", json=single(BELL)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["retry-after"] == "3"
    assert set(answers[0].json()) == {"error", "message", "statusCode"}
    assert count(client) == before + 1


@pytest.mark.parametrize(("kind", "accepted"), [("error_before", 0), ("error_after", 1)])
def test_an_error_before_or_after_the_job_was_accepted(client, control, kind, accepted):
    control({"kind": kind, "times": 1, "status": 502, "on": "submit"})
    before = count(client)
    assert client.post("/jobs", json=single(BELL)).status_code == 502
    assert count(client) == before + accepted


@pytest.mark.parametrize(("kind", "accepted"), [("drop_before", 0), ("drop_after", 1)])
def test_a_connection_that_drops_before_or_after_the_job_was_accepted(client, control, kind, accepted):
    control({"kind": kind, "times": 1, "on": "submit"})
    before = count(client)
    with pytest.raises(httpx.TransportError):
        client.post("/jobs", json=single(BELL))
    assert count(client) == before + accepted


def test_a_slow_answer(client, control):
    control({"kind": "slow", "times": 1, "seconds": 0.4, "on": "list"})
    started = time.monotonic()
    assert client.get("/jobs").status_code == 200
    assert time.monotonic() - started >= 0.4


def test_a_job_that_lists_do_not_show_for_a_while(client, control):
    control({"kind": "late_listing", "times": 1, "seconds": 0.8})
    job_id = submitted(client, several([BELL, BELL], name="late"))
    assert client.get("/jobs", params={"ids": job_id}).json()["jobs"] == []
    assert client.get(f"/jobs/{job_id}").json()["name"] == "late"
    time.sleep(0.9)
    assert [job["id"] for job in client.get("/jobs", params={"limit": 1}).json()["jobs"]] == [job_id]


def test_results_of_circuits_in_another_order(client, control):
    control({"kind": "reorder", "times": 1}, seed=1)
    circuits = [[{"gate": "ry", "target": 0, "rotation": 0.1 * k}] for k in range(9)]
    job = ran(client, several(circuits))
    found = client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json()
    assert set(found) == set(job["child_job_ids"])
    assert list(found) != job["child_job_ids"]
    for child, row in found.items():
        assert client.get(f"/jobs/{child}/results/probabilities").json() == row


def test_circuits_that_fail(client, control):
    control({"kind": "fail_children", "times": 1, "count": 2, "code": "QuantumComputerError"})
    job = ran(client, several([BELL] * 5, backend="qpu.aria-1"))
    assert job["status"] == "failed"
    assert job["failure"]["code"] == "QuantumComputerError"
    children = [client.get(f"/jobs/{child}").json() for child in job["child_job_ids"]]
    assert sorted(child["status"] for child in children) == ["completed"] * 3 + ["failed"] * 2
    completed = [child["id"] for child in children if child["status"] == "completed"]
    assert list(client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json()) == completed
    for child in children:
        cost = client.get(f"/jobs/{child['id']}/cost").json()["cost"]["value"]
        assert (cost > 0) == (child["status"] == "completed")
        assert (child["failure"] is None) == (child["status"] == "completed")
        expected = 200 if child["status"] == "completed" else 404
        assert client.get(f"/jobs/{child['id']}/results/probabilities").status_code == expected
    assert client.get(f"/jobs/{job['id']}/cost").json()["cost"]["value"] == pytest.approx(
        3 * 0.01 + 300 * 11e-6
    )


def test_a_single_job_that_fails(client, control):
    control({"kind": "fail_children", "times": 1, "code": "QuotaExhaustedError"})
    job = ran(client, single(BELL))
    assert job["failure"]["code"] == "QuotaExhaustedError"
    assert job["results"] is None
    assert ran(client, single(BELL))["status"] == "completed"


def test_a_job_that_is_canceled_by_the_service(client, control):
    control({"kind": "cancel", "times": 1}, {"kind": "fail_children", "times": 1})
    job = ran(client, several([BELL, BELL]))
    assert job["status"] == "canceled"
    assert job["failure"] is None
    assert client.get(f"/jobs/{job['id']}/cost").json()["cost"]["value"] == 0


def test_a_list_that_ends_with_null(client, control):
    assert "next" not in client.get("/jobs", params={"limit": 1000}).json()
    control({"kind": "next_null"})
    assert client.get("/jobs", params={"limit": 1000}).json()["next"] is None


def test_what_happened_is_counted_and_written_down(server, client, control):
    control({"kind": "error_before", "probability": 0.5, "on": "get"}, seed=3)
    statuses = [client.get("/jobs/unknown").status_code for _ in range(40)]
    (rule,) = client.get(control.address).json()["faults"]
    assert rule["opportunities"] == 40
    assert rule["happened"] == statuses.count(503)
    assert 0 < rule["happened"] < 40
    control({"kind": "error_before", "probability": 0.5, "on": "get"}, seed=3)
    assert [client.get("/jobs/unknown").status_code for _ in range(40)] == statuses
    with sqlite3.connect(server.config.database) as connection:
        query = "SELECT count(*) FROM incidents WHERE fault = 'error_before' AND path = '/v0.4/jobs/unknown'"
        assert connection.execute(query).fetchone() == (2 * statuses.count(503),)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"faults": [{"kind": "unknown"}]},
        {"faults": [{"kind": "slow", "seconds": -1}]},
        {"faults": [{"kind": "slow", "else": 1}]},
        {"faults": [{"kind": ["slow"]}]},
        {"faults": [3]},
        {"faults": [], "seed": "x"},
    ],
)
def test_faults_that_have_no_meaning_are_refused(client, control, body):
    answer = client.put(control.address, json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "message", "statusCode"}


@pytest.mark.parametrize(
    "text", ["unknown", "slow:seconds", "slow:seconds=x", "slow:probability=2", "slow:on=all"]
)
def test_faults_of_the_command_line_that_have_no_meaning_are_refused(text):
    with pytest.raises(ArgumentError, match="must"):
        Fault.parse(text)


@given(
    st.lists(
        st.builds(
            Fault,
            st.sampled_from(sorted(KINDS)),
            st.floats(0, 1),
            st.integers(0, 3),
            st.none() | st.integers(0, 3),
            st.none() | st.sampled_from(OPERATIONS),
        ),
        max_size=3,
    ),
    st.integers(),
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.sampled_from(OPERATIONS)), max_size=30),
)
def test_a_schedule_repeats_and_keeps_its_limits(faults, seed, opportunities):
    schedule, same = FaultSchedule(faults, seed), FaultSchedule(faults, seed)
    for kind, operation in opportunities:
        fault = schedule.happens(kind, operation)
        assert fault == same.happens(kind, operation)
        assert fault is None or (fault.kind == kind and fault.on in (None, operation))
    assert schedule.to_json() == same.to_json()
    for fault, rule in zip(faults, schedule.to_json()["faults"], strict=True):
        assert rule["happened"] <= max(0, rule["opportunities"] - fault.skip)
        assert fault.times is None or rule["happened"] <= fault.times


def test_unfinished_work_of_a_dropped_connection_is_finished(client, control):
    control({"kind": "drop_after", "times": 1, "on": "submit"})
    with pytest.raises(httpx.TransportError):
        client.post("/jobs", json=single(BELL, metadata={"fingerprint": "f1"}))
    (job,) = [j for j in client.get("/jobs").json()["jobs"] if j["metadata"] == {"fingerprint": "f1"}]
    assert finished(client, job["id"])["status"] == "completed"
