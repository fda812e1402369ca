"""Results of jobs that the service has, matched by the ids of their circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from hw.errors import JobFailedError, JobLostError, RefusedError, ResultError
from hw.journal import Journal
from hw.payload import Work, make_work
from hw.policy import PASSING_FAILURES, Policy
from hw.polling import Durations, Poller, together
from hw.results import Distribution, read_distribution
from hw.service import Record, Service
from hw.submission import DONE, Submission, cancel_others, ensure

LOST = "Lost"
"""The code of a circuit whose job the service does not know any more."""


class Failure(NamedTuple):
    """Why a circuit has no result.

    Attributes:
        code: the service's code; "Canceled" where somebody cancelled it, `LOST` where it is unknown now.
        message: the service's words.
    """

    code: str
    message: str


@dataclass(frozen=True)
class Sent:
    """Work that the service has.

    Attributes:
        work: the work.
        submission: the job that does it.
        positions: where the result of each circuit belongs.
        began: when it was sent, by the service's clock.
        attempt: how often its circuits were sent in this call, from 1.
    """

    work: Work
    submission: Submission
    positions: tuple[int, ...]
    began: float
    attempt: int = 1


class Collected(NamedTuple):
    """Results of circuits, and how many jobs they took.

    Attributes:
        distributions: one for each position.
        jobs: submissions, further ones for what failed included.
    """

    distributions: Mapping[int, Distribution]
    jobs: int


def collect(
    service: Service,
    journal: Journal,
    policy: Policy,
    sent: Sequence[Sent],
    durations: Durations,
    *,
    shortest: float,
    sharpen: bool | None = None,
) -> Collected:
    """Waits for jobs and reads their results.

    Args:
        service: the service.
        journal: what was asked of it.
        policy: what to do with what fails, and how long to wait.
        sent: the jobs.
        durations: how long earlier jobs took.
        shortest: the shortest time between two looks at a job, in seconds.
        sharpen: how the variants of a debiased circuit are combined.

    Returns:
        The results by position.

    Raises:
        JobFailedError: a circuit cannot be run, has failed too often or was cancelled.
        JobLostError: the service does not know a job any more, and it is not to be sent again.
        JobTimeoutError: a job was not done in time.
        ResultError: the results are not those of the circuits.
        ServiceError: the service cannot be reached.
    """
    poller = Poller(service, durations, shortest)
    watched: dict[str, Sent] = {}
    results: dict[int, Distribution] = {}
    jobs = 0

    def watch(one: Sent) -> None:
        nonlocal jobs
        watched[one.submission.job_id] = one
        jobs += 1
        submission = one.submission
        beside = partial(cancel_others, service, one.work.fingerprint, submission.job_id, submission.since)
        poller.watch(
            one.submission.job_id,
            len(one.work.circuits),
            one.began,
            beside if one.submission.unsure else None,
        )

    for one in sent:
        watch(one)
    deadline = service.clock.now() + policy.timeout
    while watched:
        try:
            done = poller.finished(deadline)
        except JobLostError as error:
            if policy.on_unknown == "stop":
                raise
            one = watched.pop(error.job_id)
            lost = dict.fromkeys(range(len(one.work.circuits)), Failure(LOST, "the service has lost it"))
            watch(_send_again(service, journal, policy, one, lost))
            continue
        for job_id, record in done:
            one = watched.pop(job_id)
            found, failed = _outcomes(service, record, len(one.work.circuits), sharpen)
            for index, probabilities in found.items():
                results[one.positions[index]] = read_distribution(probabilities, one.work.num_qubits)
            if failed:
                watch(_send_again(service, journal, policy, one, failed))
            else:
                journal.finish(one.work.fingerprint, "completed")
    return Collected(results, jobs)


def _outcomes(
    service: Service, record: Record, num_circuits: int, sharpen: bool | None
) -> tuple[dict[int, Record], dict[int, Failure]]:
    """What became of each circuit of a job that is done: its probabilities, or why there are none."""
    children = _children(record, num_circuits)
    if children is None:
        failure = _failure(record)
        return {}, dict.fromkeys(range(num_circuits), failure)
    try:
        table = service.probabilities(record["id"], many=True, sharpen=sharpen) or {}
    except RefusedError:
        if record["status"] == "completed":
            raise
        table = {}
    if strangers := table.keys() - set(children):
        raise ResultError(
            f"The results of job {record['id']} name {len(strangers)} circuit(s) that are not its own. Fetch "
            "them again later, or report it to the service."
        )
    found = {index: table[child] for index, child in enumerate(children) if child in table}
    missing = [index for index in range(num_circuits) if index not in found]
    records = _child_records(service, record["id"], [children[index] for index in missing])
    done = [index for index in missing if records[children[index]].get("status") == "completed"]
    alone = together(lambda index: service.probabilities(children[index], many=False, sharpen=sharpen), done)
    for index, probabilities in zip(done, alone, strict=True):
        if probabilities is None:
            raise ResultError(
                f"The service has completed circuit {children[index]} and shows no result of it. Run again "
                "later to fetch it."
            )
        found[index] = probabilities
    failed = {index: _failure(records[children[index]]) for index in missing if index not in found}
    return found, failed


def _children(record: Record, num_circuits: int) -> list[str] | None:
    children = record.get("child_job_ids")
    if not children:
        if record["status"] == "completed":
            raise ResultError(f"Job {record['id']} is completed and names no circuits. Run again later.")
        return None
    if not isinstance(children, list) or not len(set(children)) == len(children) == num_circuits:
        raise ResultError(
            f"Job {record['id']} names {len(children)} circuit(s) instead of the {num_circuits} that it was "
            "sent. Report it to the service."
        )
    return children


def _child_records(service: Service, parent: str, wanted: Sequence[str]) -> dict[str, Record]:
    """The records of circuits, which end soon after their job does."""
    if not wanted:
        return {}
    records: dict[str, Record] = {
        each["id"]: each for each in service.jobs(parent_job_id=parent) if "id" in each
    }
    give_up = service.clock.now() + 60.0
    while True:
        open_ones = [child for child in wanted if records.get(child, {}).get("status") not in DONE]
        if not open_ones:
            return records
        fresh = together(service.job, open_ones)
        records |= {child: each for child, each in zip(open_ones, fresh, strict=True) if each is not None}
        if all(records.get(child, {}).get("status") in DONE for child in open_ones):
            return records
        if service.clock.now() > give_up:
            raise ResultError(f"Job {parent} has ended, and some of its circuits have not. Run again later.")
        service.clock.sleep(0.2)


def _failure(record: Record) -> Failure:
    # The failure of a job that somebody cancelled is null.
    told = record.get("failure")
    told = told if isinstance(told, dict) else {}
    code = told.get("code") or ("Canceled" if record.get("status") == "canceled" else "InternalError")
    message = told.get("message") or told.get("error") or "the service gives no reason"
    return Failure(str(code), " ".join(str(message).split())[:300])


def _send_again(
    service: Service, journal: Journal, policy: Policy, one: Sent, failed: dict[int, Failure]
) -> Sent:
    """Sends the circuits of a job that have no result again, and no others."""
    job_id = one.submission.job_id
    attempt = one.attempt
    if not one.submission.again:
        _check_may_repeat(journal, policy, one, failed)
        attempt += 1
    work = make_work(
        one.work.settings,
        one.work.num_qubits,
        [one.work.circuits[index] for index in failed],
        scope=one.work.fingerprint,
        service=job_id,
        draw="again",
    )
    began = service.clock.now()
    submission = ensure(service, journal, work, policy)
    positions = tuple(one.positions[index] for index in failed)
    return Sent(work, submission, positions, began, attempt)


def _check_may_repeat(journal: Journal, policy: Policy, one: Sent, failed: dict[int, Failure]) -> None:
    for failure in failed.values():
        if failure.code == "Canceled":
            if policy.on_canceled == "resubmit" and one.attempt < policy.max_attempts:
                continue
            journal.finish(one.work.fingerprint, "canceled")
            raise JobFailedError(
                f"Job {one.submission.job_id} was cancelled at the service, {len(failed)} of its "
                f"{len(one.work.circuits)} circuits without a result. Run again to send these again."
            )
        if failure.code not in {*PASSING_FAILURES, LOST} or one.attempt >= policy.max_attempts:
            journal.finish(one.work.fingerprint, "failed")
            raise JobFailedError(
                f"Job {one.submission.job_id} failed at the service ({failure.code}: {failure.message}), "
                f"{len(failed)} of its {len(one.work.circuits)} circuits without a result. Mend the cause, "
                "then run again to send these again."
            )
