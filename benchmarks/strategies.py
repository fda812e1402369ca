"""The old system's table: what each gradient strategy costs in circuits, jobs and time, here and on a cloud.

The old system sent every circuit of a parameter-shift gradient by itself: 2 x 48 parameters x 10 samples, 960
circuits a step. Its figures on a cloud are modelled, not measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.cell import model
from benchmarks.measure import Limits
from benchmarks.problem import PERTURBATION, make_problem
from benchmarks.process import pinned, worker_environment
from benchmarks.table import duration
from benchmarks.worker import measure
from qjax import Simulator, gradients
from qjax.dispatch import Dispatch
from qjax.gradients import Batch, GradientMethod, Objective, Params

QUEUE_SECONDS = 2.0
CIRCUIT_SECONDS = 0.25
_SUBSAMPLE = 5


@dataclass(frozen=True)
class Strategy:
    """One step of a way to estimate the gradient.

    Args:
        name: how it is set in a configuration.
        circuits: circuits of a step.
        jobs: submissions of a step.
        steady: seconds of a step on this machine's simulator.
        cloud: seconds of a step on a cloud, jobs one after another; None for what hardware cannot do.
        cloud_together: the same with all jobs of a step queued at once.
    """

    name: str
    circuits: int
    jobs: int
    steady: float
    cloud: float | None
    cloud_together: float | None


def cloud_seconds(circuits: int, jobs: int, concurrent_jobs: int) -> float:
    """Models a step on a cloud where every job waits in a queue and the machine runs one circuit at a time.

    Args:
        circuits: circuits of the step.
        jobs: submissions that they are sent in.
        concurrent_jobs: how many jobs may wait at once.

    Returns:
        Seconds: one wait for every group of concurrent jobs, and all circuits in sequence.

    Example:
        >>> cloud_seconds(960, 960, 1), cloud_seconds(20, 1, 1)
        (2160.0, 7.0)
    """
    waits = -(-jobs // concurrent_jobs)
    return waits * QUEUE_SECONDS + circuits * CIRCUIT_SECONDS


def measure_strategies(limits: Limits) -> list[Strategy]:
    """Runs one step of each strategy on the 8-qubit model of two layers with a batch of ten.

    Args:
        limits: how long to measure.

    Returns:
        The strategies, the old system's first.
    """
    simulator = Simulator(engine="native")
    one_by_one = Dispatch(simulator, batching=False)
    shift, pair = gradients.parameter_shift(), gradients.spsa(PERTURBATION)
    few = gradients.spsa(PERTURBATION, subsample_size=_SUBSAMPLE)
    return [
        _measure("parameter_shift, circuits one by one (the old system)", shift, one_by_one, limits),
        _measure("parameter_shift, one batch", shift, simulator, limits),
        _measure("spsa (one by one)", pair, one_by_one, limits),
        _measure("spsa_parallel", pair, simulator, limits),
        _measure(f"spsa_subsampled ({_SUBSAMPLE} of 10 samples)", few, simulator, limits),
        _measure("adjoint", gradients.adjoint(), simulator, limits, on_hardware=False),
    ]


def _measure(
    name: str, method: GradientMethod, executor: Any, limits: Limits, *, on_hardware: bool = True
) -> Strategy:
    problem = make_problem(model(8, 2, 10, "grad"))
    features, targets, theta = (
        jnp.asarray(array, "float32") for array in (problem.features, problem.targets, problem.params)
    )
    # A loss linear in the outputs, as the old system's count assumes: it needs no unshifted circuits.
    objective = Objective(
        executor,
        problem.circuit,
        (problem.observable,),
        lambda _, outputs, targets, weights: jnp.mean(weights * targets * outputs[:, 0]),
        is_linear=True,
    )
    params, batch = Params(theta), Batch(features, targets, jnp.ones_like(targets))
    state, key = method.init(params), jax.random.key(0)
    step = jax.jit(lambda params, key: method.estimate(state, objective, params, batch, key))
    info = step(params, key)[2]
    rounds = [
        measure(lambda: jax.block_until_ready(step(params, key)), limits.round_seconds, 100_000)["seconds"]
        for _ in range(limits.rounds)
    ]
    circuits, jobs = int(info.circuits), int(info.jobs)
    return Strategy(
        name,
        circuits,
        jobs,
        min(rounds),
        cloud_seconds(circuits, jobs, 1) if on_hardware else None,
        cloud_seconds(circuits, jobs, jobs) if on_hardware else None,
    )


def strategies_table(strategies: list[Strategy]) -> str:
    """The table in Markdown, with what the model assumes."""
    lines = [
        "| strategy | circuits a step | jobs a step | time here | on a cloud, modelled | all jobs at once |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for each in strategies:
        cloud = [f"{seconds:,g} s" if seconds else "-" for seconds in (each.cloud, each.cloud_together)]
        entries = [each.name, f"{each.circuits:,}", f"{each.jobs:,}", duration(each.steady), *cloud]
        lines.append("| " + " | ".join(entries) + " |")
    lines += [
        "",
        f"8 qubits, 2 layers, 48 parameters, a batch of 10. Modelled: {QUEUE_SECONDS:g} s in a queue for "
        f"every job and {CIRCUIT_SECONDS:g} s for every circuit, circuits in sequence; jobs one after "
        "another, or all jobs of a step queued at once.",
    ]
    return "\n".join(lines)


def run_pinned(cores: tuple[int, ...], limits: Limits) -> list[dict[str, Any]]:
    """Measures the strategies in a process of their own.

    Args:
        cores: the cores that it may run on.
        limits: how long to measure.

    Returns:
        The strategies, ready for JSON.
    """
    command = [sys.executable, "-m", "benchmarks.strategies", str(limits.rounds), str(limits.round_seconds)]
    done = subprocess.run(
        command, env=worker_environment(len(cores)), check=True, stdout=subprocess.PIPE, **pinned(cores)
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    chosen = Limits(rounds=int(sys.argv[1]), round_seconds=float(sys.argv[2]))
    print(json.dumps([asdict(strategy) for strategy in measure_strategies(chosen)]))
