"""A client in a few lines, without any of the published ones' habits."""

from __future__ import annotations

import time
from typing import Any

import httpx

BELL = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]


def connected(server: Any) -> httpx.Client:
    headers = {"Authorization": f"apiKey {server.api_key}"}
    return httpx.Client(base_url=f"{server.url}/v0.4", headers=headers, timeout=60)


def single(circuit: list[Any], gateset: str = "qis", **more: Any) -> dict[str, Any]:
    given = {"gateset": gateset, "circuit": circuit}
    return {"type": "ionq.circuit.v1", "backend": "simulator", "input": given, **more}


def several(circuits: list[Any], gateset: str = "qis", **more: Any) -> dict[str, Any]:
    given = {"gateset": gateset, "circuits": [{"circuit": circuit} for circuit in circuits]}
    return {"type": "ionq.multi-circuit.v1", "backend": "simulator", "input": given, **more}


def submitted(client: httpx.Client, payload: dict[str, Any]) -> str:
    answer = client.post("/jobs", json=payload)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def finished(client: httpx.Client, job_id: str, seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while (job := client.get(f"/jobs/{job_id}").json())["status"] not in ("completed", "failed", "canceled"):
        assert time.monotonic() < deadline, f"The job is {job['status']} after {seconds} s."
        time.sleep(0.005)
    return job


def ran(client: httpx.Client, payload: dict[str, Any]) -> dict[str, Any]:
    return finished(client, submitted(client, payload))


def probabilities(client: httpx.Client, job: dict[str, Any]) -> dict[str, float]:
    answer = client.get(f"/jobs/{job['id']}/results/probabilities")
    assert answer.status_code == 200, answer.text
    return answer.json()
