"""What the command adds where a service is reached: how a run goes on, and how long jobs are waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw import IonQ, JobTimeoutError, RefusedError, ServiceError
from qjax.cli.executors import connected, described
from qjax.errors import ArgumentError
from qjax.store import RunStore
from qjax.train import TrainingConfig
from qjax.train.loop import StepTimeoutError
from qjax.train.prepare import prepare

from .commands import TINY

CONFIG = TrainingConfig.from_mapping(
    {**TINY, "executor": "ionq-local", "gradient_method": "spsa", "shots_per_circuit": 10}
)


@pytest.mark.parametrize("budget", [None, 1.0])
@pytest.mark.parametrize(
    "error", [JobTimeoutError("Too late."), RefusedError("No.", 402), ServiceError("Off.")]
)
def test_an_error_of_the_service_says_how_the_run_goes_on_and_not_to_start_anew(
    tmp_path: Path, error: ServiceError, budget: float | None
) -> None:
    before = str(error)
    with RunStore.open(tmp_path) as store:
        run = store.create_run({}, {}, "c0ffee", {}, name="rings")

    def fail() -> None:
        with connected(prepare(CONFIG, described(CONFIG)), tmp_path, budget) as executor_for:
            assert executor_for is not None
            executor_for(run)
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    told = str(caught.value)
    assert told.startswith(before)
    assert f"`qjax train --resume {run}" in told
    assert ("--budget" in told) == (budget is not None)
    error.args = (before,)


def test_before_a_run_has_begun_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with (
        pytest.raises(ServiceError, match=r"^Off\.$"),
        connected(prepare(CONFIG, described(CONFIG)), tmp_path),
    ):
        raise ServiceError("Off.")


def test_a_step_that_took_too_long_says_that_the_budget_is_to_be_named_again(tmp_path: Path) -> None:
    with (
        pytest.raises(StepTimeoutError, match="`--budget SUM`"),
        connected(prepare(CONFIG, described(CONFIG)), tmp_path, 1.0),
    ):
        raise StepTimeoutError("Too late.")


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("backend", {"backend": "Forte"}),
        ("noise", {"backend": "qpu.forte-1", "noise": "aria-1"}),
        ("debiasing", {"backend": "qpu.forte-1", "debiasing": True}),
    ],
)
def test_a_complaint_names_the_key_of_the_configuration(key: str, changes: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match=f"^Argument `{key}` must ") as caught:
        described(TrainingConfig.from_mapping({**vars(CONFIG), **changes}))
    assert caught.value.argument == key


@pytest.mark.parametrize("seconds", [1.0, 86_400.0])
def test_jobs_are_waited_for_as_long_as_a_step_may_wait(seconds: float) -> None:
    executor = described(TrainingConfig.from_mapping({**vars(CONFIG), "batch_submission_timeout": seconds}))
    assert isinstance(executor, IonQ)
    assert executor.timeout == max(7200.0, seconds)
