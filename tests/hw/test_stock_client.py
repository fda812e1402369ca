"""Defects of the published client: each seen in it, and in the same conditions not here."""

from __future__ import annotations

import time
from typing import Any

import cirq
import cirq_ionq
import jax
import numpy as np
import pytest
import sympy

import hw
from hw.client import Client, NoAnswerError, Secret
from qjax import Circuit, Op, PauliSum
from tests.hw.standin import KEY, StandIn
from tests.hw.test_ionq import CIRCUIT, FEATURES, OBSERVABLES, PARAMS, exact, executor

pytestmark = pytest.mark.usefixtures("double")

Q = cirq.LineQubit.range(2)


def flips(*qubits: int) -> cirq.Circuit:
    return cirq.Circuit([cirq.X(Q[q]) for q in qubits], cirq.measure(*Q, key="m"))


def stock(service: StandIn, **settings: object) -> cirq_ionq.Service:
    return cirq_ionq.Service(service.url, KEY, default_target="simulator", **settings)  # pyright: ignore[reportArgumentType]


def run(service: StandIn, **settings: object):
    return executor(service, **settings).expectations(
        CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=jax.random.key(0)
    )


def test_a_server_error_after_the_job_was_accepted_pays_twice(service: StandIn) -> None:
    service.faults.posts.append((500, "accepted"))
    stock(service).create_batch_job([flips(0)], 10)
    assert len(service.parents) == 2
    service.faults.posts.append((500, "accepted"))
    np.testing.assert_allclose(run(service).mean, exact(), atol=1e-12)
    assert len(service.parents) == 3


def test_a_batch_fetched_by_a_later_client_is_one_wrong_result(service: StandIn) -> None:
    job_id = stock(service).create_batch_job([flips(0), flips(1)], 10).job_id()
    result = stock(service).get_job(job_id).results()
    assert not isinstance(result, list)
    journal = hw.MemoryJournal()
    executor(service, journal=journal).submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    later = executor(service, journal=journal).expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    np.testing.assert_allclose(later.mean, exact(), atol=1e-12)
    assert len(service.parents) == 2


def test_results_in_another_order_are_swapped(service: StandIn) -> None:
    service.faults.reordered = True
    results: Any = stock(service).create_batch_job([flips(0), flips(1)], 10).results()
    assert [result.probabilities() for result in results] == [{0b01: 1.0}, {0b10: 1.0}]
    np.testing.assert_allclose(run(service).mean, exact(), atol=1e-12)


def test_counts_do_not_add_up_to_the_shots(service: StandIn) -> None:
    line = cirq.LineQubit.range(5)
    even = cirq.Circuit(cirq.H.on_each(*line), cirq.measure(*line, key="m"))
    target = {"target": "qpu.forte-1", "error_mitigation": {"debiasing": True}}
    results: list[Any] = [
        stock(service).create_job(even, shots, **target).results() for shots in range(500, 510)
    ]
    assert [sum(result.counts().values()) for result in results] != list(range(500, 510))
    for shots in range(500, 505):
        # A mean of values of plus and minus one over shots is a multiple of two over their number.
        mean = run(service, target="qpu.forte-1", debiasing=True, shots=shots).mean[..., 0]
        counted = (np.asarray(mean) + 1) * shots / 2
        np.testing.assert_allclose(counted, np.round(counted), atol=1e-9)


def test_why_a_job_failed_is_not_told(service: StandIn) -> None:
    service.faults.failing = {0: {0: "InvalidInput"}, 1: {3: "InvalidInput"}}
    with pytest.raises(RuntimeError) as caught:
        stock(service).create_batch_job([flips(0)], 10).results()
    assert "it broke" not in str(caught.value)
    with pytest.raises(hw.JobFailedError, match=r"job-1 failed .*\(InvalidInput: it broke\), 1 of its 12"):
        run(service)


def test_a_cancelled_job_is_a_type_error(service: StandIn) -> None:
    service.faults.canceled |= {0, 1}
    with pytest.raises(TypeError):
        stock(service).create_batch_job([flips(0)], 10).results()
    with pytest.raises(hw.JobFailedError, match=r"Job job-1 was cancelled at the service, 12 of its 12"):
        run(service)


def test_settings_and_metadata_are_changed_in_place(service: StandIn) -> None:
    settings, metadata = {}, {"mine": "1"}
    client = stock(service, job_settings=settings)
    client.create_job(flips(0), 10, metadata=metadata, error_mitigation={"debiasing": False})
    client.job_settings["error_mitigation"] = {"debiasing": True}
    assert metadata != {"mine": "1"}
    ionq = executor(service, target="qpu.forte-1", shots=500)
    before = (repr(ionq), hash(ionq))
    ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=jax.random.key(0))
    assert (repr(ionq), hash(ionq)) == before


def test_a_batch_of_one_is_no_list_and_an_empty_one_an_error(service: StandIn) -> None:
    assert not isinstance(stock(service).create_batch_job([flips(0)], 10).results(), list)
    with pytest.raises(ValueError, match="max"):
        stock(service).create_batch_job([], 10)
    one = executor(service).expectations(CIRCUIT, PARAMS[:1], FEATURES[:1], PauliSum("Z0"))
    none = executor(service).expectations(CIRCUIT, PARAMS[:0], FEATURES, PauliSum("Z0"))
    assert (one.mean.shape, none.mean.shape) == ((1, 1, 1), (0, 3, 1))
    assert len(service.parents) == 2


def test_the_last_page_of_a_list_is_followed_by_the_first(service: StandIn) -> None:
    for _ in range(3):
        stock(service).create_job(flips(0), 10)
    listed = [job.job_id() for job in stock(service).list_jobs(limit=7)]
    assert len(listed) > len(set(listed))
    service.faults.page = 2
    found = list(executor(service)._connection.service.jobs())
    assert [job["id"] for job in found] == ["job-2", "job-1", "job-0"]


def test_a_sweep_is_a_job_for_every_point(service: StandIn) -> None:
    angle = sympy.Symbol("a")
    circuit = cirq.Circuit(cirq.ry(angle)(Q[0]), cirq.measure(*Q, key="m"))
    sweep = [{"a": value} for value in (0.1, 0.2, 0.3)]
    stock(service).sampler("simulator").run_sweep(circuit, sweep, repetitions=10)
    assert len(service.parents) == 3
    assert int(run(service).jobs) == 1


def test_a_circuit_without_gates_is_sent_as_native_and_inverted_outcomes_are_lost(service: StandIn) -> None:
    circuit = cirq.Circuit(cirq.measure(Q[0], key="m", invert_mask=(True,)))
    assert stock(service).run(circuit, 10).measurements["m"].any() == False  # noqa: E712
    estimate = executor(service).expectations(
        Circuit(1, (Op("x", (0,)),)), np.zeros((1, 0)), None, PauliSum("Z0")
    )
    nothing = executor(service).expectations(Circuit(1), np.zeros((1, 0)), None, PauliSum("Z0"))
    assert [body["input"]["gateset"] for body in service.bodies] == ["native", "qis", "qis"]
    assert (estimate.mean.item(), nothing.mean.item()) == (-1.0, 1.0)


def test_the_time_that_the_service_asks_to_wait_is_not_waited(service: StandIn) -> None:
    service.faults.retry_after = "1"
    service.faults.posts.append(429)
    began = time.monotonic()
    stock(service).create_job(flips(0), 10)
    assert time.monotonic() - began < 0.9
    service.faults.posts.append(429)
    began = time.monotonic()
    estimate = executor(service).expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    assert time.monotonic() - began > 1.0
    assert int(estimate.jobs) == 1


def test_requests_have_no_time_limit(service: StandIn) -> None:
    job = stock(service).create_job(flips(0), 10)
    service.faults.gets.append("hang")
    began = time.monotonic()
    stock(service).get_job(job.job_id())
    assert time.monotonic() - began > 1.0
    service.faults.gets.append("hang")
    began = time.monotonic()
    with pytest.raises(NoAnswerError):
        Client(service.url, Secret(KEY), timeout=(1.0, 0.2)).exchange("GET", "/jobs")
    assert time.monotonic() - began < 0.9


def test_910_circuits_on_8_qubits_pass_the_limit_of_metadata() -> None:
    circuits: list[Any] = [
        cirq.Circuit(cirq.X(cirq.LineQubit(0)), cirq.measure(*cirq.LineQubit.range(8), key="m"))
    ] * 910
    program = cirq_ionq.Serializer().serialize_many_circuits(circuits)
    assert max(map(len, program.metadata.values())) > 40_000
