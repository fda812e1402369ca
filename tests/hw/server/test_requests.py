"""What is accepted and what is refused, and how: the documented bodies, and never a 500."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hw.server import LocalServer
from hw.server.request import MAX_BODY_BYTES
from tests.hw.server.client import BELL, finished, ran, several, single, submitted


def check_refused(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error", "message", "statusCode"}
    assert body["statusCode"] == status
    assert body["error"]
    assert body["message"]
    return body["message"]


@pytest.mark.parametrize("header", [None, "apiKey wrong", "apiKey", "Bearer local", "local", "apiKey \xff"])
def test_without_the_right_key_nothing_but_backends_is_answered(server: LocalServer, header):
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    with httpx.Client(base_url=server.url, headers=headers) as stranger:
        for method, path in (("GET", "/v0.4/jobs"), ("POST", "/v0.4/jobs"), ("GET", "/control/faults")):
            check_refused(stranger.request(method, path), 401)
        assert stranger.get("/v0.4/backends/simulator").status_code == 200


def test_addresses_and_methods_that_are_not_there(client):
    check_refused(client.get("/nothing"), 404)
    check_refused(client.get("/jobs/00000000-0000-4000-8000-000000000000"), 404)
    check_refused(client.put("/whoami"), 405)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "ionq.qasm3.v1"}, "`type` must be"),
        ({"type": None}, "`type` must be"),
        ({"backend": "qpu.unknown"}, "`backend` must be"),
        ({"backend": 7}, "`backend` must be"),
        ({"shots": 0}, "`shots` must be"),
        ({"shots": 1_000_001}, "`shots` must be"),
        ({"shots": "many"}, "`shots` must be"),
        ({"shots": True}, "`shots` must be"),
        ({"shots": 1.5}, "`shots` must be"),
        ({"metadata": {f"key{k}": "" for k in range(11)}}, "10 keys"),
        ({"metadata": {"key": "x" * 40_001}}, "40,000 characters"),
        ({"metadata": {"key": ["value"]}}, "object of strings"),
        ({"metadata": []}, "object of strings"),
        ({"noise": {"model": "loud"}}, "`noise.model` must be"),
        ({"noise": {"model": "aria-1", "seed": -1}}, "`noise.seed` must be"),
        ({"name": 3}, "`name` must be"),
        ({"settings": []}, "`settings` must be"),
        ({"dry_run": "yes"}, "`dry_run` must be"),
        ({"session_id": "unknown"}, "session"),
        ({"input": None}, "`input` must be"),
        ({"input": {"gateset": "qis"}}, "must be a list of gates"),
        ({"input": {"gateset": "qis", "circuits": [{"circuit": BELL}]}}, "must have type"),
        ({"input": {"gateset": "other", "circuit": BELL}}, "`gateset` must be"),
        ({"input": {"circuit": BELL}}, "`gateset` must be"),
        ({"input": {"gateset": "qis", "qubits": 0, "circuit": BELL}}, "1 or more"),
        ({"input": {"gateset": "qis", "qubits": 1, "circuit": BELL}}, "Raise `qubits`"),
        ({"input": {"gateset": "qis", "qubits": 30, "circuit": BELL}}, "29 qubits"),
        ({"input": {"gateset": "qis", "circuit": [{"gate": "x", "target": 29}]}}, "29 qubits"),
        ({"input": {"gateset": "native", "circuit": BELL}}, "gateset `native`"),
    ],
)
def test_a_job_that_cannot_be_run_is_refused_with_the_reason(client, change, reason):
    assert reason in check_refused(client.post("/jobs", json=single(BELL) | change))


def test_the_limits_themselves_are_accepted(client):
    metadata = {f"key{k}": "é" * 40_000 for k in range(10)}
    job = ran(client, single(BELL, metadata=metadata, shots=1_000_000, backend="simulator"))
    assert job["metadata"] == metadata
    given = {"gateset": "qis", "qubits": 29, "circuit": BELL}
    assert ran(client, single([]) | {"input": given})["stats"]["qubits"] == 29
    assert ran(client, single(BELL, shots="200"))["shots"] == 200
    assert ran(client, single([]))["status"] == "completed"


def test_five_thousand_circuits_are_accepted_and_one_more_is_refused(client):
    circuits = [[{"gate": "ry", "target": 0, "rotation": 0.001 * k}] for k in range(5001)]
    assert "5,000 circuits" in check_refused(client.post("/jobs", json=several(circuits)))
    job = finished(client, submitted(client, several(circuits[:5000])))
    assert len(job["child_job_ids"]) == 5000
    found = client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json()
    assert list(found) == job["child_job_ids"]


def test_gates_are_counted_over_all_circuits(client):
    rows = [[{"gate": "x", "target": 0}] * 1000] * 150
    assert ran(client, several(rows))["stats"]["gate_counts"] == {"1q": 150_000, "2q": 0}
    assert "150,000 gates" in check_refused(client.post("/jobs", json=several([*rows, BELL])))


def test_a_body_beyond_ten_megabytes_is_too_large(client):
    check_refused(client.post("/jobs", content=b" " * (MAX_BODY_BYTES + 1)), 413)
    padded = orjson.dumps(single(BELL)).ljust(MAX_BODY_BYTES)
    assert client.post("/jobs", content=padded).status_code == 201


def test_a_content_type_is_not_asked_for(client):
    answer = client.post("/jobs", content=orjson.dumps(single(BELL)), headers={"Content-Type": ""})
    assert answer.status_code == 201


# What is left of a good job when a part is replaced by anything.
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
GOOD = several(
    [
        [{"gate": "rx", "targets": [0], "controls": [1], "rotation": 0.3}, *BELL],
        [{"gate": "pauliexp", "targets": [0, 1], "terms": ["XY"], "coefficients": [1.0], "time": 0.5}],
    ],
    shots=100,
    metadata={"key": "value"},
    noise={"model": "ideal", "seed": 1},
    settings={"error_mitigation": {"debiasing": True}},
    dry_run=True,
    name="fuzzed",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    value[path[0]] = replaced(value[path[0]], path[1:], by)
    return value


fuzzing = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def check_answered(answer: httpx.Response) -> None:
    if answer.status_code != 201:
        check_refused(answer)


@fuzzing
@given(st.sampled_from(places(GOOD)), anything)
def test_any_part_of_a_job_may_be_anything(client, place, value):
    # JSON has no infinities; httpx's encoder would refuse them where ours writes null.
    check_answered(client.post("/jobs", content=orjson_or_null(replaced(copy.deepcopy(GOOD), place, value))))


@fuzzing
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(client, body):
    check_answered(client.post("/jobs", content=body))


@fuzzing
@given(
    st.sampled_from(
        ("ids", "parent_job_id", "status", "target", "session_id", "limit", "next", "active", "shots")
    ),
    st.text(max_size=30),
)
def test_any_query_is_answered(client, name, value):
    for path in ("/jobs", "/jobs/estimate", "/sessions", "/backends/qpu.aria-1/characterizations"):
        answer = client.get(path, params={name: value})
        assert answer.status_code in (200, 400), answer.text


@fuzzing
@given(
    st.text(max_size=30),
    st.sampled_from(("", "/cost", "/results/shots", "/artifacts/x", "/status/cancel", "/clone")),
)
def test_any_id_is_answered(client, job_id, rest):
    for method in ("GET", "PUT", "POST", "DELETE"):
        answer = client.request(method, f"/jobs/x{quote(job_id, safe='')}{rest}")
        assert answer.status_code < 500, answer.text


def orjson_or_null(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate
        import json

        return json.dumps(value).encode()


@pytest.mark.long
@settings(fuzzing, max_examples=3000)
@given(st.sampled_from(places(GOOD)), anything)
def test_any_part_of_a_job_may_be_anything_many_times(client, place, value):
    check_answered(client.post("/jobs", content=orjson_or_null(replaced(copy.deepcopy(GOOD), place, value))))
