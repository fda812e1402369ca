"""What jobs cost, before and after: by the server's own rates, which the bodies say."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from starlette.datastructures import QueryParams

from hw.server.backends import BACKENDS, CURRENCY, RATES_NOTE, Backend, cost
from hw.server.errors import bad_request, shown
from hw.server.latency import LatencyModel
from hw.server.request import MAX_CIRCUITS, MAX_SHOTS, SINGLE
from hw.server.views import ORGANIZATION_ID, PROJECT_ID, timestamp


def job_cost(job: sqlite3.Row) -> dict[str, Any]:
    """What a job was estimated to cost and, once it has ended, what it cost.

    Args:
        job: its row.

    Returns:
        JSON-ready values.
    """
    body: dict[str, Any] = {
        "dry_run": bool(job["dry_run"]),
        "estimated_cost": {"value": job["estimated_cost"], "unit": CURRENCY},
        "note": RATES_NOTE,
    }
    if job["charged_cost"] is not None:
        body["cost"] = {"value": job["charged_cost"], "unit": CURRENCY}
    return body


def estimate(query: QueryParams, latency: LatencyModel) -> dict[str, Any]:
    """What a job would cost and how long it would take, in the newer and the older words of the service.

    Args:
        query: `backend`, `type`, `qubits`, `shots`, `1q_gates`, `2q_gates`, `error_mitigation`; and, of this
            server alone, `circuits`, when the gates are those of so many circuits in all.
        latency: how long jobs take.

    Returns:
        JSON-ready values; times are in milliseconds.

    Raises:
        ApiError: if a value has no meaning.
    """
    name = query.get("backend", "")
    backend = BACKENDS.get(name)
    if backend is None:
        raise bad_request(f"`backend` must be one of {', '.join(BACKENDS)}, but it is {shown(name)}.")
    numbers = {
        "qubits": _number(query, "qubits", 25, 1, 2**31),
        "shots": _number(query, "shots", 1000, 1, MAX_SHOTS),
        "1q_gates": _number(query, "1q_gates", 0, 0, 2**31),
        "2q_gates": _number(query, "2q_gates", 0, 0, 2**31),
    }
    circuits = _number(query, "circuits", 1, 1, MAX_CIRCUITS)
    mitigation = query.get("error_mitigation", "false").lower() == "true"
    total = cost(backend, circuits, numbers["1q_gates"], numbers["2q_gates"], numbers["shots"])
    context = {"backend": name, "type": query.get("type", SINGLE), **numbers, "error_mitigation": mitigation}
    card = _rate_card(backend)
    return {
        "estimate_context": {**context, "organization": ORGANIZATION_ID, "project": PROJECT_ID},
        "estimated_at": timestamp(time.time()),
        "estimated_unit": CURRENCY,
        "rate_card": card,
        "estimated_total_cost": total,
        "estimated_execution_time": round(1000 * latency.seconds_per_circuit * circuits),
        "current_predicted_queue_time": round(1000 * latency.queue_seconds),
        "note": RATES_NOTE,
        "input_values": {**context, "session": query.get("session", "false").lower() == "true"},
        "estimated_cost": total,
        "cost_unit": CURRENCY,
        "rate_information": card,
    }


def _rate_card(backend: Backend) -> dict[str, Any]:
    rates = backend.rates
    gates = {"cost_1q_gate": rates.per_1q_gate, "cost_2q_gate": rates.per_2q_gate}
    entry = {"sku": backend.name, "unit": "gates", **gates, "job_cost_minimum": rates.per_circuit}
    return {"id": "local", "rates": [entry]}


def _number(query: QueryParams, name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise bad_request(f"`{name}` must be a whole number from {least} to {most}, but it is {shown(text)}.")
    return int(text)
