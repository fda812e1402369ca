"""`qjax plan`: what a run would come to on hardware, by gradient method. Nothing is sent."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

from qjax.cli.configuration import read_values
from qjax.cli.executors import described, reached
from qjax.cli.settings import apply_settings
from qjax.errors import ArgumentError, QjaxError
from qjax.executor import Estimate
from qjax.gradients import answer
from qjax.train import TrainingConfig
from qjax.train.config import SERVICES, SHOT_FREE_METHODS, defaults
from qjax.train.outside_loop import batch_at
from qjax.train.prepare import Prepared, dispatched, gradient_method, prepare
from qjax.train.run import run_keys

if TYPE_CHECKING:
    from hw import IonQ
    from hw.planning import Plan, Price

METHODS = ("spsa_subsampled", "spsa_parallel", "spsa", "parameter_shift")
USUAL_SUBSAMPLE = 2


def show_plan(
    *,
    config: Path | None,
    preset_name: str | None,
    assignments: list[str],
    executor: str | None,
    json_output: bool,
) -> None:
    """Prints circuits, jobs, shots, gates, cost and time.

    Args:
        config: TOML file, or None.
        preset_name: preset, or None.
        assignments: texts of `--set`.
        executor: the configuration's `executor`, or None.
        json_output: whether to print JSON.

    Raises:
        QjaxError: if the run cannot work, or not there.
    """
    if executor is not None:
        assignments = [*assignments, f"executor={executor}"]
    values = read_values(config, preset_name, assignments)
    if values.get("gradient_method", defaults()["gradient_method"]) in SHOT_FREE_METHODS:
        # It cannot run there, and every method that can is in the table.
        values |= {"gradient_method": "spsa_parallel", "gradient_subsample_size": None}
    training = TrainingConfig.from_mapping(values)
    if training.executor not in SERVICES:
        raise ArgumentError(
            "--executor",
            f"be {' or '.join(SERVICES)}",
            f"it is {training.executor}, where circuits cost nothing",
            "Name the service to plan for.",
        )
    apply_settings(training)
    executor_there: Any = described(training)
    prepared = prepare(training, executor_there)
    rows = {name: _planned(prepared, executor_there, name) for name in METHODS}
    evaluation = _evaluation(prepared, executor_there)
    price, reason = _price(prepared)
    if json_output:
        print(json.dumps(_report(prepared, rows, evaluation, price, reason)))
    else:
        # A number that is cut short is worse than a line that is too long.
        console = Console(width=max(Console().width, 100))
        _print(console, prepared, rows, evaluation, price, reason)


@dataclass
class _Counter:
    """An executor that answers zero to all and adds up what the real one would have to do."""

    executor: IonQ
    plan: Plan

    @property
    def exact(self) -> bool:
        return self.executor.exact

    @property
    def traceable(self) -> bool:
        return False

    def expectations(
        self, circuit: Any, params: Any, features: Any, observables: Any, *, mask: Any = None, **_: Any
    ) -> Estimate:
        plan = self.executor.plan(circuit, params, features, observables, mask=mask)
        self.plan = self.plan.plus(plan)
        mean = np.zeros((len(params), np.shape(features)[-2], len(observables)))
        return Estimate(
            jnp.asarray(mean), jnp.asarray(mean), jnp.asarray(plan.circuits), jnp.asarray(plan.jobs)
        )


def _planned(prepared: Prepared, executor: IonQ, method_name: str) -> Plan:
    """The gradients of a whole run: one full batch and one partial batch are planned and multiplied."""
    from hw.planning import Plan

    config = _with_method(prepared.config, method_name)
    method = gradient_method(config)
    assert method.parts is not None  # none of the methods differentiates the executor
    params = jax.jit(prepared.model.init)(run_keys(config.seed)[0])
    whole = Plan()
    with prepared.loader() as loader:
        last = loader.steps_per_epoch - 1
        for step, times in ((0, last * config.epochs), (last, config.epochs)):
            if not times:
                continue
            counter = _Counter(executor, Plan())
            objective = prepared.model.objective(dispatched(config, counter))
            batch = batch_at(loader, step)
            # Compiled as one, which is faster than each of its operations.
            request, _ = jax.jit(partial(method.parts.ask, method.init(params), objective))(
                params, batch, jax.random.key(config.seed)
            )
            answer(objective.executor, method.parts.circuit(objective), objective.observables, request)
            whole = whole.plus(counter.plan, times)
    return whole


def _with_method(config: TrainingConfig, name: str) -> TrainingConfig:
    size = None
    if name == "spsa_subsampled":
        size = min(config.gradient_subsample_size or USUAL_SUBSAMPLE, config.batch_size)
    return replace(config, gradient_method=name, gradient_subsample_size=size)


def _evaluation(prepared: Prepared, executor: IonQ) -> Plan:
    from hw.planning import Plan

    times = {"epoch": prepared.config.epochs, "end": 1, "never": 0}[prepared.config.evaluation]
    model = prepared.model
    params = jax.jit(model.init)(run_keys(prepared.config.seed)[0])
    plan = executor.plan(model.circuit, params.circuit[None], prepared.features, model.observables)
    return Plan().plus(plan, times)


def _price(prepared: Prepared) -> tuple[Price | None, str]:
    """What a circuit costs, as the service says; else None and why."""
    model = prepared.model
    try:
        with _somewhere(prepared.config) as executor:
            price = executor.price(model.circuit, model.observables)
    except QjaxError as error:
        if prepared.config.executor == "ionq-local":
            raise
        return None, str(error)
    return price, "" if price else "The service gives no estimate."


@contextmanager
def _somewhere(config: TrainingConfig) -> Iterator[IonQ]:
    with tempfile.TemporaryDirectory() as folder, reached(config, Path(folder)) as executor:
        yield executor


def _seconds(plan: Plan, steps: int, price: Price, depth: int) -> float:
    """How long so many steps take, where the jobs of `depth` more wait in the queue meanwhile."""
    if not steps:
        return 0.0
    running, waiting = plan.circuits * price.seconds / steps, plan.jobs * price.queue_seconds / steps
    return steps * max(running, (running + waiting) / (depth + 1))


def _report(
    prepared: Prepared, rows: dict[str, Plan], evaluation: Plan, price: Price | None, reason: str
) -> dict[str, Any]:
    config = prepared.config
    steps = prepared.loader().num_steps

    def row(plan: Plan, calls: int, depth: int) -> dict[str, Any]:
        return {
            **plan._asdict(),
            "cost": None if price is None else plan.circuits * price.cost,
            "seconds": None if price is None else _seconds(plan, calls, price, depth),
        }

    return {
        "executor": config.executor,
        "backend": config.backend,
        "qubits": config.num_qubits,
        "steps": steps,
        "shots_per_circuit": config.shots_per_circuit,
        "gradients": {name: row(plan, steps, config.pipeline_depth) for name, plan in rows.items()},
        "evaluation": row(evaluation, {"epoch": config.epochs, "end": 1, "never": 0}[config.evaluation], 0),
        "unit": None if price is None else price.unit,
        "cost_per_circuit": None if price is None else price.cost,
        "note": reason if price is None else price.note,
    }


def _print(
    console: Console,
    prepared: Prepared,
    rows: dict[str, Plan],
    evaluation: Plan,
    price: Price | None,
    reason: str,
) -> None:
    report = _report(prepared, rows, evaluation, price, reason)
    shots = "exact" if report["shots_per_circuit"] is None else f"{report['shots_per_circuit']} shots"
    console.print(
        f"{report['executor']}, {report['backend']}: {report['steps']} steps, {report['qubits']} qubits, "
        f"{shots} a circuit. Nothing was sent.",
        soft_wrap=True,
        highlight=False,
    )
    unit = report["unit"] or "cost"
    table = Table(box=None, pad_edge=False)
    for heading in ("", "circuits", "jobs", "shots", "1q gates", "2q gates", unit, "time"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, row in [*report["gradients"].items(), ("evaluation", report["evaluation"])]:
        counts = [f"{row[key]:,}" for key in ("circuits", "jobs", "shots", "gates_1q", "gates_2q")]
        cost = "-" if row["cost"] is None else f"{row['cost']:,.2f}"
        table.add_row(name, *counts, cost, _duration(row["seconds"]))
    console.print(table)
    if price is not None:
        console.print(
            "Costs and times are the service's estimate for the largest circuit, times their number. "
            f"{price.note}",
            soft_wrap=True,
        )
    else:
        console.print(f"No cost or time is known. {reason}", soft_wrap=True)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
