"""What a run costs: circuits and jobs of every method, gradient and evaluation apart."""

from __future__ import annotations

from typing import Any

import pytest

from qjax.train import PRESETS, StepInfo, TrainingConfig, train
from qjax.train.prepare import prepare
from qjax.train.run import initial_state

from .problems import METHODS, Watcher, batch_at, step_of, tiny

pytestmark = pytest.mark.usefixtures("quick_compilation")


# Parameters of the tiny model, one gate each, and so two shifted circuits each.
NUM_PARAMS = 4
CIRCUITS_PER_SAMPLE = {
    "adjoint": 1,
    "parameter_shift": 2 * NUM_PARAMS + 1,
    "spsa": 2,
    "spsa_parallel": 2,
    "spsa_subsampled": 2,
    "frozen": 1,
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_to_the_end_and_counts_real_samples(name: str) -> None:
    config = tiny(**METHODS[name])
    assert prepare(config).model.circuit.num_params == NUM_PARAMS
    watcher = Watcher()
    result = train(config, observers=[watcher])
    samples = [8, 8, 6] if config.gradient_subsample_size is None else [3, 3, 3]
    expected = [CIRCUITS_PER_SAMPLE[config.gradient_method] * n for n in samples]
    assert watcher.infos.circuits.tolist() == expected
    one_by_one = config.gradient_method == "spsa"
    assert watcher.infos.jobs.tolist() == (expected if one_by_one else [1, 1, 1])
    assert (result.gradient_circuits, result.evaluation_circuits) == (sum(expected), 0)
    assert result.jobs == watcher.infos.jobs.sum()


def first_step(**changes: Any) -> StepInfo:
    prepared = prepare(tiny(**changes))
    return step_of(prepared)(initial_state(prepared), batch_at(prepared, 0))[1]


def jobs(info: StepInfo) -> tuple[int, int]:
    return int(info.circuits), int(info.jobs)


def test_spsa_takes_two_circuits_for_each_sample_and_direction() -> None:
    assert jobs(first_step(gradient_method="spsa_parallel", batch_size=10)) == (20, 1)
    subsampled = {"gradient_method": "spsa_subsampled", "gradient_subsample_size": 2, "batch_size": 10}
    assert jobs(first_step(**subsampled)) == (4, 1)
    assert jobs(first_step(**subsampled, shots_per_circuit=10, num_directions=2)) == (8, 1)


def test_circuits_that_measure_in_two_bases_count_twice_with_shots() -> None:
    both = {"gradient_method": "spsa_parallel", "observables": ["Z0", "X0"], "batch_size": 10}
    assert jobs(first_step(**both, shots_per_circuit=10)) == (40, 1)
    assert jobs(first_step(**both)) == (20, 1)


@pytest.mark.parametrize(
    ("shots", "sending", "num_jobs"),
    [
        (None, {"enable_circuit_batching": False}, 20),
        (None, {"max_parallel_circuits": 7, "enable_circuit_batching": False}, 20),
        (10, {"max_parallel_circuits": 7}, 3),
    ],
)
def test_how_circuits_are_sent_changes_jobs_and_nothing_else(
    shots: int | None, sending: dict[str, Any], num_jobs: int
) -> None:
    method = {"gradient_method": "spsa_parallel", "batch_size": 10, "shots_per_circuit": shots}
    together, grouped = first_step(**method), first_step(**method, **sending)
    assert jobs(together) == (20, 1)
    assert jobs(grouped) == (20, num_jobs)
    assert float(grouped.loss) == pytest.approx(float(together.loss), rel=1e-5)


def test_the_baseline_preset_sends_970_circuits_a_step_as_one_job() -> None:
    prepared = prepare(TrainingConfig.from_mapping(PRESETS["baseline"]))
    assert prepared.model.circuit.num_params == 48
    assert prepared.num_train == 100
    assert prepared.loader().num_steps == 50
    assert jobs(step_of(prepared)(initial_state(prepared), batch_at(prepared, 0))[1]) == (970, 1)
