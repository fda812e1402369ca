"""The executor on IonQ against a stand-in that reads circuits itself."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from functools import partial
from typing import Any

import cirq_ionq
import jax
import numpy as np
import pytest
from scipy import stats

import hw
from hw.circuits import plan_jobs
from hw.limits import Limits
from qjax import Angle, Circuit, Executor, Op, PauliSum, Simulator, ansatz
from qjax.errors import ArgumentError, QjaxError
from tests.hw.standin import KEY, StandIn

CIRCUIT = Circuit(
    3,
    (
        *(Op("ry", (qubit,), Angle(param=qubit)) for qubit in range(3)),
        *(Op("cx", (0, 2)), Op("rz", (2,), Angle(feature=0)), Op("crx", (2, 1), Angle(param=3))),
    ),
)
OBSERVABLES = [PauliSum("Z0"), PauliSum({"X0 Z1": 0.5, "Y2": -1.0, "I": 0.25}), PauliSum("Z1 Z2")]
RNG = np.random.default_rng(11)
PARAMS = RNG.normal(size=(2, 4)) + 0.8
FEATURES = RNG.normal(size=(3, 1))


def executor(service: StandIn, **settings: object) -> hw.IonQ:
    options = {"remote_host": service.url, "api_key": KEY, "lookup_seconds": 0.3, **settings}
    return hw.IonQ(**options)  # pyright: ignore[reportArgumentType]


def exact(circuit: Circuit = CIRCUIT, params=PARAMS, features=FEATURES) -> np.ndarray:
    with jax.enable_x64(True):
        estimate = Simulator(dtype="complex128").expectations(circuit, params, features, OBSERVABLES)
    return np.asarray(estimate.mean)


def test_exact_results_are_those_of_the_simulator_from_one_job(service: StandIn, double: None) -> None:
    ionq = executor(service)
    assert isinstance(ionq, Executor)
    estimate = ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, covariance=True)
    np.testing.assert_allclose(estimate.mean, exact(), atol=1e-12)
    assert (ionq.exact, ionq.traceable) == (True, False)
    assert not estimate.variance.any()
    assert estimate.covariance is not None
    assert estimate.covariance.shape == (2, 3, 3, 3)
    assert (int(estimate.circuits), int(estimate.jobs), len(service.bodies)) == (2 * 3 * 2, 1, 1)


def test_features_of_their_own_for_every_set(service: StandIn, double: None) -> None:
    features = np.stack([FEATURES, FEATURES + 1])
    estimate = executor(service).expectations(CIRCUIT, PARAMS, features, OBSERVABLES)
    np.testing.assert_allclose(estimate.mean, exact(features=features), atol=1e-12)


def test_padding_is_not_sent(service: StandIn, double: None) -> None:
    mask = np.array([[True, False, True], [False, False, True]])
    estimate = executor(service).expectations(
        CIRCUIT, PARAMS, FEATURES, OBSERVABLES, mask=jax.numpy.array(mask)
    )
    np.testing.assert_allclose(estimate.mean[mask], exact()[mask], atol=1e-12)
    assert not estimate.mean[~mask].any()
    assert (int(estimate.circuits), len(service.circuits_run)) == (6, 6)


@pytest.mark.parametrize("settings", [{}, {"shots": 100}])
def test_nothing_real_sends_nothing(service: StandIn, settings: dict) -> None:
    key = jax.random.key(0)
    ionq = executor(service, **settings)
    nothing = ionq.expectations(
        CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=key, mask=jax.numpy.zeros(3, bool)
    )
    constant = ionq.expectations(CIRCUIT, PARAMS, FEATURES, PauliSum({"I": 0.5}), key=key)
    assert (int(nothing.circuits), int(nothing.jobs), len(service.bodies)) == (0, 0, 0)
    assert constant.mean.ravel().tolist() == [0.5] * 6


def test_equal_circuits_are_sent_once_and_draw_their_own_shots(service: StandIn) -> None:
    params = np.repeat(PARAMS[:1], 40, axis=0)
    estimate = executor(service, shots=50).expectations(
        CIRCUIT, params, FEATURES[:1], OBSERVABLES, key=jax.random.key(5)
    )
    assert (int(estimate.circuits), len(service.circuits_run)) == (2, 2)
    assert len(np.unique(np.asarray(estimate.mean[:, 0, 1]))) > 5


@pytest.mark.parametrize("settings", [{}, {"noise_model": "aria-1"}, {"target": "qpu.forte-1"}])
def test_shots_are_statistics_of_the_exact_values(service: StandIn, settings: dict, double: None) -> None:
    sets = 150
    params = np.repeat(PARAMS[:1], sets, axis=0)
    ionq = executor(service, shots=400, **settings)
    estimate = ionq.expectations(CIRCUIT, params, FEATURES[:1], OBSERVABLES, key=jax.random.key(3))
    z = (np.asarray(estimate.mean)[:, 0] - exact()[0, 0]) / np.sqrt(np.asarray(estimate.variance)[:, 0])
    # Each is nearly a standard normal variable: its mean and variance are tested over the sets.
    assert (np.abs(z.mean(axis=0)) * np.sqrt(sets) < 4.5).all()
    assert (stats.chi2.cdf((z**2).sum(axis=0), sets) < 1 - 1e-5).all()
    assert (stats.chi2.cdf((z**2).sum(axis=0), sets) > 1e-5).all()
    assert not ionq.exact


def test_the_key_decides_the_shots(service: StandIn) -> None:
    ionq = executor(service, shots=200, noise_model="aria-1")
    first, again, other = (
        ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=jax.random.key(seed))
        for seed in (1, 1, 2)
    )
    assert first.mean.tolist() == again.mean.tolist()
    assert first.mean.tolist() != other.mean.tolist()
    assert len(service.bodies) == 2
    assert service.bodies[0]["noise"]["model"] == "aria-1"
    assert service.bodies[0]["noise"]["seed"] != service.bodies[1]["noise"]["seed"]


def test_a_number_of_shots_for_each_set(service: StandIn, double: None) -> None:
    for settings, jobs in (({}, 1), ({"noise_model": "aria-1"}, 2)):
        ionq = executor(service, shots=(100, 10_000), **settings)
        estimate = ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=jax.random.key(0))
        assert int(estimate.jobs) == jobs
        ratio = np.asarray(estimate.variance[0]) / np.asarray(estimate.variance[1])
        assert 30 < np.median(ratio) < 300
    assert [int(body["shots"]) for body in service.bodies[1:]] == [100, 10_000]
    with pytest.raises(ArgumentError, match=r"one number for each of the 1 parameter set"):
        ionq.expectations(CIRCUIT, PARAMS[:1], FEATURES, OBSERVABLES, key=jax.random.key(0))


def test_970_circuits_on_8_qubits_are_one_job_that_the_stock_client_reads(service: StandIn) -> None:
    circuit = ansatz.hardware_efficient(8, 1, rotations=("ry",), entangler="cx", topology="linear")
    rng = np.random.default_rng(0)
    params, features = rng.normal(size=(97, circuit.num_params)), rng.normal(size=(10, circuit.num_features))
    observables = [PauliSum(f"Z{qubit}") for qubit in range(8)]
    estimate = executor(service).expectations(circuit, params, features, observables)
    assert (int(estimate.circuits), int(estimate.jobs)) == (970, 1)
    metadata = service.bodies[0]["metadata"]
    assert len(metadata) <= 10
    assert max(map(len, metadata.values())) < 40_000
    job = cirq_ionq.Service(service.url, KEY).get_job("job-0")
    assert (job.num_qubits(969), job.measurement_dict(969)) == (8, {"m": list(range(8))})


def test_the_stock_client_reads_the_results_of_a_job(service: StandIn, double: None) -> None:
    executor(service, shots=300).expectations(
        CIRCUIT, PARAMS, FEATURES, PauliSum("Z0"), key=jax.random.key(0)
    )
    stock = cirq_ionq.Service(service.url, KEY)
    stock._client.batch_mode = True
    results: Any = stock.get_job("job-0").results()
    assert [result.repetitions() for result in results] == [300] * 6
    assert results[0].to_cirq_result(seed=1).measurements["m"].shape == (300, 3)
    for number, result in enumerate(results):
        states, weights = zip(*result.probabilities("m").items(), strict=True)
        signs = 1 - 2 * ((np.array(states)[:, None] >> np.arange(3)[::-1]) & 1)
        z = np.array(weights) @ signs
        np.testing.assert_allclose(z[0], exact()[number // 3, number % 3, 0], atol=1e-12)


def test_more_than_a_job_holds_is_split_and_put_together_again(
    service: StandIn, double: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hw.ionq.plan_jobs", partial(plan_jobs, limits=Limits(circuits=5)))
    service.faults.polls = 2
    service.faults.reordered = True
    estimate = executor(service).expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    np.testing.assert_allclose(estimate.mean, exact(), atol=1e-12)
    assert (int(estimate.circuits), int(estimate.jobs)) == (12, 3)


def test_submission_does_not_wait_and_batches_overlap(service: StandIn, double: None) -> None:
    service.faults.polls = 3
    ionq = executor(service)
    handles = [ionq.submit(CIRCUIT, PARAMS + step, FEATURES, OBSERVABLES) for step in range(3)]
    assert [handle.job_ids for handle in handles] == [("job-0",), ("job-1",), ("job-2",)]
    assert not any(method == "GET" and "results" in path for method, path in service.requests)
    for step in (2, 0, 1):
        estimate = ionq.collect(handles[step])
        np.testing.assert_allclose(estimate.mean, exact(params=PARAMS + step), atol=1e-12)


def test_cancelling(service: StandIn) -> None:
    service.faults.canceled.add(0)
    ionq = executor(service)
    handle = ionq.submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    ionq.cancel(handle)
    assert ("PUT", "/v0.4/jobs/job-0/status/cancel") in service.requests
    # The same call is a new try then.
    ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    assert len(service.bodies) == 2


def test_what_the_service_is_told(service: StandIn) -> None:
    key = jax.random.key(0)
    ideal, machine = (
        executor(service),
        executor(service, target="qpu.forte-1", shots=500, session="s-1", debiasing=True),
    )
    ideal.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    machine.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=key)
    executor(service, target="qpu.forte-1", shots=500).expectations(
        CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=key
    )
    told, mitigated, plain = service.bodies
    assert not told.keys() & {"shots", "settings", "noise", "dry_run", "session_id"}
    assert (mitigated["shots"], mitigated["session_id"]) == (500, "s-1")
    assert mitigated["settings"] == {"error_mitigation": {"debiasing": True}}
    assert plain["settings"] == {"error_mitigation": {"debiasing": False}}
    assert {body["type"] for body in service.bodies} == {"ionq.multi-circuit.v1"}


def test_a_dry_run_has_no_results(service: StandIn) -> None:
    ionq = executor(service, dry_run=True)
    handle = ionq.submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    assert service.bodies[0]["dry_run"] is True
    with pytest.raises(ArgumentError, match="`dry_run` must be False where results are read"):
        ionq.collect(handle)


WRONG = [
    {"target": "cpu"},
    {"target": "qpu.forte-1"},
    {"noise_model": "aria-1"},
    {"noise_model": "mars-1", "shots": 10},
    {"target": "qpu.forte-1", "noise_model": "aria-1", "shots": 10},
    {"shots": 0},
    {"shots": 1_000_001},
    {"shots": True},
    {"shots": ()},
    {"gateset": "qasm"},
    {"on_unknown": "ignore"},
    {"timeout": -1},
    {"lookup_seconds": float("nan")},
    {"max_attempts": 0},
    {"target": "qpu.forte-1", "shots": 499, "debiasing": True},
    {"remote_host": "api.ionq.co"},
]


@pytest.mark.parametrize("settings", WRONG)
def test_settings_without_meaning_are_refused(settings: dict) -> None:
    with pytest.raises(ArgumentError, match=r"^Argument `\w+` must .*, but .*\. .*\.$"):
        hw.IonQ(**settings)


def refused(service: StandIn, ionq: hw.IonQ, circuit: Circuit = CIRCUIT, **options: object) -> str:
    features = np.zeros((1, circuit.num_features))
    with pytest.raises(QjaxError) as caught:
        ionq.expectations(circuit, np.zeros((1, circuit.num_params)), features, PauliSum("Z0"), **options)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)
    assert service.bodies == []
    return str(caught.value)


def test_what_cannot_work_is_one_sentence_and_sends_nothing(
    service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "There is no API key for IonQ. Set the environment" in refused(
        service, hw.IonQ(remote_host=service.url)
    )
    assert "does not take this API key" in refused(service, executor(service, api_key="wrong"))
    assert "cannot be reached" in refused(service, executor(service, remote_host="http://127.0.0.1:9"))
    assert "no target `qpu.mars-1`. It has `qpu.aria-1`" in refused(
        service, executor(service, target="qpu.mars-1", shots=10), key=jax.random.key(0)
    )
    assert "must have 29 qubits or fewer on `simulator`" in refused(service, executor(service), Circuit(30))
    assert "`key` must be a PRNG key" in refused(service, executor(service, shots=10))
    monkeypatch.setenv("IONQ_API_KEY", "a\nb")
    assert "characters that no key has" in refused(service, hw.IonQ(remote_host=service.url))


def test_calls_that_are_traced_are_refused(service: StandIn) -> None:
    ionq = executor(service)
    with pytest.raises(ArgumentError, match="must hold numbers where circuits are sent away"):
        jax.jit(lambda params: ionq.expectations(CIRCUIT, params, FEATURES, OBSERVABLES).mean)(PARAMS)


def test_the_key_is_shown_nowhere(
    service: StandIn, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("IONQ_API_KEY", KEY)
    journal = hw.MemoryJournal()
    ionq = hw.IonQ(remote_host=service.url, journal=journal, lookup_seconds=0.2)
    given = executor(service)
    ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    given.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    shown = [repr(ionq), str(given), repr(vars(given)), repr(ionq._connection.service.client), caplog.text]
    shown += [json.dumps(service.bodies), repr(journal._entries), repr(dataclasses.asdict(given))]
    shown += [repr(copy.deepcopy(dataclasses.replace(given)))]
    service.faults.posts.extend(["drop", 400, 500])
    for step in range(3):
        with pytest.raises(QjaxError) as caught:
            ionq.expectations(CIRCUIT, PARAMS + 1 + step, FEATURES, OBSERVABLES)
        shown += [repr(caught.value), repr(caught.value.__cause__)]
    assert not [text for text in shown if KEY in text]
    with pytest.raises(TypeError, match="not written anywhere"):
        pickle.dumps(given)


def test_the_key_is_sent_to_no_other_place(service: StandIn) -> None:
    """A redirect is an answer like any other, and is not followed."""
    service.faults.posts.append(307)
    with pytest.raises(hw.RefusedError, match="HTTP 307"):
        executor(service).expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    assert len(service.requests) == 3
