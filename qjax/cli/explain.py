"""`qjax explain`: what a step of a configuration takes on this machine, before it is run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import jax
from rich.console import Console

from qjax.cli.configuration import read_config
from qjax.cli.settings import apply_settings
from qjax.engine.program import lower
from qjax.errors import ArgumentError
from qjax.gradients import Batch, Objective
from qjax.train.prepare import Prepared, prepare


def show_explanation(
    *, config: Path | None, preset_name: str | None, assignments: list[str], json_output: bool
) -> None:
    """Prints what the circuits of one training step take.

    Args:
        config: TOML file, or None.
        preset_name: preset, or None.
        assignments: texts of `--set`.
        json_output: whether to print JSON.

    Raises:
        QjaxError: if the configuration cannot work, or its circuits do not run here.
    """
    training = read_config(config, preset_name, assignments)
    if training.executor != "simulator":
        raise ArgumentError(
            "executor",
            "be simulator where a simulation is explained",
            f"it is {training.executor}",
            "Use `qjax plan` for circuits that run elsewhere.",
        )
    apply_settings(training)
    prepared = prepare(training)
    num_sets, num_samples = _size_of_step(prepared)
    model = prepared.model
    explanation = lower(model.circuit).explain(
        model.observables,
        num_sets,
        num_samples,
        engine=training.engine,
        dtype=training.dtype,
        gradient=prepared.method.parts is None,
    )
    if json_output:
        print(json.dumps({"parameter_sets": num_sets, "samples": num_samples, **asdict(explanation)}))
        return
    console = Console(highlight=False)
    sets = f"{num_sets} parameter set{'' if num_sets == 1 else 's'}"
    console.print(f"one step of {training.gradient_method}: {sets} x {num_samples} samples")
    console.print(str(explanation))


def _size_of_step(prepared: Prepared) -> tuple[int, int]:
    """Parameter sets and samples of a step's circuits."""
    size = prepared.config.batch_size
    if prepared.method.parts is None:
        return 1, size
    chunk = prepared.loader().chunk(0, 1)
    batch = Batch(*(array[0] for array in (chunk.features, chunk.targets, chunk.weights)))
    model = prepared.model
    objective: Objective = model.objective(prepared.executor)
    ask = prepared.method.parts.ask

    def request():
        init_key, step_key = jax.random.split(jax.random.key(0))
        params = model.init(init_key)
        return ask(prepared.method.init(params), objective, params, batch, step_key)[0]

    asked = jax.eval_shape(request)
    return asked.params.shape[0], asked.features.shape[-2]
