"""Every circuit is accepted once and read right, whatever the connection and the service do."""

from __future__ import annotations

import collections
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hw
from qjax.store import RunJournal, RunStore
from tests.hw.standin import Faults, StandIn
from tests.hw.test_ionq import CIRCUIT, FEATURES, OBSERVABLES, PARAMS, exact, executor

pytestmark = pytest.mark.usefixtures("double")


@pytest.fixture
def journal(tmp_path: Path):
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "c0ffee", {}, name="test")
    with RunJournal(tmp_path, run_id) as journal:
        yield journal


def run(ionq: hw.IonQ, step: int = 0):
    return ionq.expectations(CIRCUIT, PARAMS + step, FEATURES, OBSERVABLES, key=jax.random.key(step))


def check(service: StandIn, estimate, steps: int = 1) -> None:
    np.testing.assert_allclose(estimate.mean, exact(params=PARAMS + steps - 1), atol=1e-12)
    assert set(collections.Counter(service.circuits_run).values()) == {1}
    assert len(service.circuits_run) == 12 * steps


@pytest.mark.parametrize("fault", [(500, "accepted"), (503, "accepted"), (524, "accepted"), "drop accepted"])
@pytest.mark.parametrize("hidden", [0, 3])
def test_an_answer_that_was_lost_is_looked_for(service: StandIn, fault: object, hidden: int) -> None:
    service.faults.posts.append(fault)
    service.faults.hidden_lists = hidden
    check(service, run(executor(service, lookup_seconds=20.0)))


@pytest.mark.parametrize("fault", [500, 502, "drop", 409])
def test_what_never_shows_up_stops_the_run_or_is_sent_again_if_told_to(
    service: StandIn, journal: RunJournal, fault: object
) -> None:
    service.faults.posts.append(fault)
    with pytest.raises(hw.UnknownSubmissionError, match=r"12 circuits .* has not shown it for 0\.3 s"):
        run(executor(service, journal=journal))
    # Another process, told nothing else, stops as well, and sends nothing.
    with pytest.raises(hw.UnknownSubmissionError):
        run(executor(service, journal=journal))
    assert sum(method == "POST" for method, _ in service.requests) == 1
    check(service, run(executor(service, journal=journal, on_unknown="resubmit")))
    assert [entry.attempt for entry in journal.entries()] == [2]


def test_a_job_that_shows_up_late_is_used_by_the_next_process(service: StandIn, journal: RunJournal) -> None:
    service.faults.posts.append("drop accepted")
    service.faults.hidden_lists = 1_000
    with pytest.raises(hw.UnknownSubmissionError):
        run(executor(service, journal=journal))
    service.faults.hidden_lists = 0
    check(service, run(executor(service, journal=journal)))


def test_a_job_that_shows_up_after_it_was_sent_again_is_cancelled(service: StandIn) -> None:
    service.faults.posts.append("drop accepted")
    service.faults.polls = 4
    service.faults.hidden_lists = 1_000
    ionq = executor(service, on_unknown="resubmit")
    handle = ionq.submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    assert handle.job_ids == ("job-1",)
    service.faults.hidden_lists = 0
    np.testing.assert_allclose(ionq.collect(handle).mean, exact(), atol=1e-12)
    assert ("PUT", "/v0.4/jobs/job-0/status/cancel") in service.requests
    assert ("PUT", "/v0.4/jobs/job-1/status/cancel") not in service.requests


def test_the_same_program_run_twice_at_once_leaves_the_jobs_of_the_other_alone(service: StandIn) -> None:
    service.faults.polls = 4
    other = executor(service)
    handle = other.submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    service.faults.posts.append("drop accepted")
    np.testing.assert_allclose(run(executor(service)).mean, exact(), atol=1e-12)
    np.testing.assert_allclose(other.collect(handle).mean, exact(), atol=1e-12)
    assert not [path for method, path in service.requests if method == "PUT"]


def test_a_job_that_was_deleted_at_the_service_stops_the_run_or_is_sent_again_if_told_to(
    service: StandIn, journal: RunJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hw.polling.MISSING_SECONDS", 0.2)
    executor(service, journal=journal).submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    service.jobs.clear()
    service.circuits_run.clear()
    for _ in range(2):
        with pytest.raises(hw.JobLostError, match=r"job-0 any more.*`--resubmit`"):
            run(executor(service, journal=journal))
    assert len(service.parents) == 1
    # The second process finds what the first has sent again.
    for _ in range(2):
        check(service, run(executor(service, journal=journal, on_unknown="resubmit")))
    assert service.parents == ["job-0", "job-1"]


def test_it_is_not_sent_again_without_end(service: StandIn) -> None:
    service.faults.posts.extend([500] * 20)
    with pytest.raises(hw.UnknownSubmissionError):
        run(executor(service, on_unknown="resubmit", max_attempts=4))
    assert sum(method == "POST" for method, _ in service.requests) == 4


@pytest.mark.parametrize("status", [400, 403, 413, 422])
def test_what_is_refused_was_not_sent(service: StandIn, journal: RunJournal, status: int) -> None:
    service.faults.posts.append(status)
    with pytest.raises(hw.RefusedError, match=f"HTTP {status}: on demand"):
        run(executor(service, journal=journal))
    assert journal.entries() == ()
    check(service, run(executor(service, journal=journal)))


def test_too_many_requests_are_repeated(service: StandIn) -> None:
    service.faults.posts.extend([429, 429])
    service.faults.gets.extend([429, 429])
    check(service, run(executor(service)))


def test_looking_and_reading_survive_errors(service: StandIn) -> None:
    service.faults.polls = 3
    service.faults.gets.extend([500, "drop", 503, None, 520, "drop", None, 409, 429, None, 502])
    check(service, run(executor(service)))


def test_another_process_pays_for_nothing_twice(service: StandIn, journal: RunJournal) -> None:
    settings = {"journal": journal, "shots": 100, "noise_model": "aria-1"}
    ionq, other = executor(service, **settings), executor(service, **settings)
    first = run(ionq)
    handle = ionq.submit(CIRCUIT, PARAMS + 1, FEATURES, OBSERVABLES, key=jax.random.key(1))
    assert run(other).mean.tolist() == first.mean.tolist()
    assert run(other, 1).mean.tolist() == ionq.collect(handle).mean.tolist()
    assert len(service.parents) == 2
    assert [entry.state for entry in journal.entries()] == ["completed", "completed"]


def test_equal_work_of_another_run_is_other_work(service: StandIn) -> None:
    for scope in ("one", "two"):
        run(executor(service, journal=hw.MemoryJournal(scope), shots=10, noise_model="aria-1"))
    assert len(service.parents) == 2


def test_failed_circuits_are_sent_again_alone(service: StandIn, journal: RunJournal) -> None:
    service.faults.failing = {0: {1: "SimulationError", 5: "InternalError"}, 1: {0: "SystemCancel"}}
    estimate = run(executor(service, journal=journal))
    check(service, estimate)
    assert [len(body["input"]["circuits"]) for body in service.bodies] == [12, 2, 1]
    again = [body["input"]["circuits"] for body in service.bodies]
    assert again[1] == [again[0][1], again[0][5]]
    assert again[2] == [again[0][1]]
    assert int(estimate.jobs) == 3
    check(service, run(executor(service, journal=journal)))


def test_what_keeps_failing_stops_and_goes_on_where_it_stopped(service: StandIn, journal: RunJournal) -> None:
    service.faults.failing = {number: {0: "QuantumComputerError"} for number in range(3)}
    with pytest.raises(hw.JobFailedError, match=r"\(QuantumComputerError: it broke\), 1 of its 1 circuits"):
        run(executor(service, journal=journal))
    assert len(service.parents) == 3
    service.faults.failing = {}
    check(service, run(executor(service, journal=journal)))
    assert len(service.parents) == 4


def test_what_the_service_cannot_run_is_not_sent_again(service: StandIn, journal: RunJournal) -> None:
    service.faults.failing = {0: {3: "QuotaExhaustedError"}}
    with pytest.raises(hw.JobFailedError, match="QuotaExhaustedError: it broke"):
        run(executor(service, journal=journal))
    assert len(service.parents) == 1
    # Once the cause is mended, the next run sends the one circuit that is missing.
    check(service, run(executor(service, journal=journal)))
    assert len(service.bodies[1]["input"]["circuits"]) == 1


def test_cancelled_circuits_are_sent_again_if_told_to(service: StandIn) -> None:
    service.faults.canceled = {0, 1}
    check(service, run(executor(service, on_canceled="resubmit")))
    assert len(service.parents) == 3


def test_results_of_somebody_else_are_no_results(service: StandIn) -> None:
    ionq = executor(service)
    handle = ionq.submit(CIRCUIT, PARAMS, FEATURES, OBSERVABLES)
    children = service.jobs["job-0"]["child_job_ids"]
    values = service.jobs[children[0]]
    service.jobs["stranger"] = {**values, "id": "stranger"}
    answer = service.answer

    def with_stranger(method, path, query, body):
        status, value = answer(method, path, query, body)
        if path.endswith("aggregated"):
            value = {"stranger": values["values"], **value}
        return status, value

    service.answer = with_stranger
    with pytest.raises(hw.ResultError, match="name 1 circuit"):
        ionq.collect(handle)
    service.answer = answer
    service.jobs["job-0"]["child_job_ids"] = children[:-1]
    with pytest.raises(hw.ResultError, match="names 11 circuit"):
        ionq.collect(handle)


def test_a_job_that_takes_too_long_can_be_fetched_later(service: StandIn, journal: RunJournal) -> None:
    service.faults.polls = 1_000
    with pytest.raises(hw.JobTimeoutError, match="go on at the service"):
        run(executor(service, journal=journal, timeout=0.2))
    service.jobs["job-0"]["polls"] = 0
    check(service, run(executor(service, journal=journal)))


FAULTS = st.sampled_from([None, None, 500, "drop", (502, "accepted"), "drop accepted", 429])
GET_FAULTS = st.sampled_from([None, None, None, 500, "drop", 503, 429])


@settings(max_examples=12, deadline=None)
@given(
    st.lists(FAULTS, max_size=4),
    st.lists(GET_FAULTS, max_size=12),
    st.integers(0, 3),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([{}, {0: {2: "SimulationError"}}, {0: {0: "InternalError"}, 1: {0: "InternalError"}}]),
    st.sampled_from([set(), {0}]),
)
def test_whatever_goes_wrong_every_circuit_runs_once(
    posts, gets, hidden_lists, polls, reordered, failing, canceled
) -> None:
    with StandIn() as service:
        service.faults = Faults(
            posts=collections.deque(posts),
            gets=collections.deque(gets),
            hidden_lists=hidden_lists,
            reordered=reordered,
            failing=failing,
            canceled=canceled,
            polls=polls,
        )
        ionq = executor(
            service, lookup_seconds=1.5, on_unknown="resubmit", on_canceled="resubmit", max_attempts=9
        )
        check(service, run(ionq))
