"""The planner: every circuit once, in order, within every limit, in as few jobs as that allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.limits import Limits, Load, split
from qjax.errors import ArgumentError

SMALL = Limits(circuits=7, gates=40, body=300, metadata=30, overhead=20)
LOADS = st.lists(st.builds(Load, st.integers(1, 40), st.integers(1, 280), st.integers(1, 30)), max_size=60)


def holds(loads: list[Load], limits: Limits) -> bool:
    return (
        len(loads) <= limits.circuits
        and sum(load.gates for load in loads) <= limits.gates
        and sum(load.body for load in loads) + limits.overhead <= limits.body
        and sum(load.metadata for load in loads) <= limits.metadata
    )


@given(LOADS)
def test_every_circuit_is_in_one_job_in_order_and_within_every_limit(loads: list[Load]) -> None:
    parts = split(loads, SMALL)
    assert [index for part in parts for index in part] == list(range(len(loads)))
    assert all(part and holds([loads[index] for index in part], SMALL) for part in parts)


@given(LOADS)
def test_no_split_that_keeps_the_order_has_fewer_jobs(loads: list[Load]) -> None:
    fewest = [0]
    for end in range(1, len(loads) + 1):
        starts = [start for start in range(end) if holds(loads[start:end], SMALL)]
        fewest.append(1 + min(fewest[start] for start in starts))
    assert len(split(loads, SMALL)) == fewest[-1]


@given(LOADS, st.sampled_from(["circuits", "gates", "body", "metadata"]))
def test_a_wider_limit_never_takes_more_jobs(loads: list[Load], name: str) -> None:
    wider = replace(SMALL, **{name: 2 * getattr(SMALL, name)})
    assert len(split(loads, wider)) <= len(split(loads, SMALL))


@pytest.mark.parametrize(
    ("loads", "jobs"),
    [
        ([Load(1, 10, 3)] * 5_000, 1),
        ([Load(1, 10, 3)] * 5_001, 2),
        ([Load(30, 10, 3)] * 5_000, 1),
        ([Load(30, 10, 3)] * 4_999 + [Load(31, 10, 3)], 2),
        ([Load(100, 6_000, 2)] * 970, 1),
        ([Load(1, 5_000_000, 2)] * 2, 2),
        ([Load(1, 10, 41)] * 970, 1),
        ([Load(1, 10, 44)] * 970, 2),
    ],
)
def test_the_limits_are_those_of_the_service(loads: list[Load], jobs: int) -> None:
    assert len(split(loads)) == jobs


@pytest.mark.parametrize(
    ("load", "told"), [(Load(150_001, 9, 2), "150,000 gates"), (Load(1, 10_000_001, 2), "10,000,000 bytes")]
)
def test_a_circuit_that_fits_no_job_is_refused(load: Load, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        split([Load(1, 1, 1), load])
