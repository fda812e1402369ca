"""`qjax ionq serve`: what a person can get wrong ends in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from qjax.cli.ionq import serve
from qjax.errors import QjaxError

GOOD: dict[str, Any] = {
    "port": 0,
    "api_key": "local",
    "queue_seconds": 0.0,
    "seconds_per_circuit": 0.0,
    "concurrency": None,
    "virtual_clock": False,
    "seed": 0,
    "faults": [],
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"port": 70_000}, "Port 70000 cannot be used"),
        ({"api_key": ""}, "must hold a key"),
        ({"queue_seconds": -1.0}, "`queue_seconds` must be 0 or more"),
        ({"seconds_per_circuit": float("nan")}, "`seconds_per_circuit` must be 0 or more"),
        ({"concurrency": 0}, "`concurrency` must be 1 or more"),
        ({"faults": ["nonsense"]}, "`fault.kind` must be one of rate_limit"),
        ({"faults": ["slow:speed=1"]}, "must have keys that are known"),
    ],
)
def test_an_option_without_a_meaning_is_refused_before_anything_is_served(tmp_path, change, reason):
    with pytest.raises(QjaxError, match=reason) as refused:
        serve(**GOOD | change, database=tmp_path / "jobs.sqlite")
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(QjaxError, match="cannot be opened"):
        serve(**GOOD, database=tmp_path)
