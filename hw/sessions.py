"""Sessions of the service: a machine kept for one user's jobs, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from hw.ionq import IonQ
from qjax.errors import ArgumentError


@contextmanager
def session(
    executor: IonQ,
    *,
    max_jobs: int | None = None,
    max_minutes: int | None = None,
    max_cost: float | None = None,
    unit: str = "usd",
) -> Iterator[IonQ]:
    """Opens a session on an executor's target, and ends it after the block, whatever happens in it.

    Work is the same work in any session: a run that goes on in another one finds what it sent before.

    Args:
        executor: its target is a machine.
        max_jobs: how many jobs the session takes; None for no bound of its own.
        max_minutes: how long it lasts.
        max_cost: what it may cost.
        unit: what the cost is counted in.

    Yields:
        The executor, within the session.

    Raises:
        ArgumentError: if the executor has a session already, or a bound is not positive.
        ServiceError: if the service refuses, or cannot be reached.
    """
    if executor.session is not None:
        but = f"it is in {executor.session}"
        raise ArgumentError("executor", "have no session yet", but, "Leave `session` out.")
    for name, bound in (("max_jobs", max_jobs), ("max_minutes", max_minutes), ("max_cost", max_cost)):
        if bound is not None and not bound > 0:
            raise ArgumentError(name, "be positive", f"it is {bound!r}", "Leave it out for no bound.")
    cost = None if max_cost is None else {"unit": unit, "value": max_cost}
    bounds = {"job_count_limit": max_jobs, "duration_limit_min": max_minutes, "cost_limit": cost}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    service = executor.service(1)
    identifier = service.open_session(executor.target, given)
    within = replace(executor, session=identifier)
    try:
        yield within
    finally:
        within.close()
        service.end_session(identifier)
