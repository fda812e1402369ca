"""`qjax train`: a run from the command line, watched live."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from qjax.cli.budget import check_budget
from qjax.cli.clock import seconds_since_start
from qjax.cli.configuration import read_config, resumed_config
from qjax.cli.executors import connected, described
from qjax.cli.plot import plot_path, save_plot
from qjax.cli.progress import LiveProgress
from qjax.cli.settings import apply_settings
from qjax.cli.sinks import check_sink, open_sink, replicated
from qjax.errors import ArgumentError
from qjax.store import RunRecord, RunStore
from qjax.train import summary, train
from qjax.train.baselines import Baseline, run_baselines
from qjax.train.config import SERVICES
from qjax.train.prepare import Prepared, prepare


def run_training(
    *,
    config: Path | None,
    preset_name: str | None,
    assignments: list[str],
    executor: str | None,
    budget: float | None,
    resubmit: bool,
    resume: str | None,
    with_baselines: bool,
    with_plot: bool,
    sink_name: str | None,
    json_output: bool,
    runs_directory: Path,
) -> None:
    """Trains, records, and prints what came of it.

    Args:
        config: TOML file, or None.
        preset_name: preset, or None.
        assignments: texts of `--set`.
        executor: the configuration's `executor`, or None.
        budget: what the run may cost, or None.
        resubmit: whether a job is sent again of which it cannot be found out whether the service has it.
        resume: run to go on with, or None.
        with_baselines: whether to train the baselines too.
        with_plot: whether to draw the run.
        sink_name: where to replicate it, or None.
        json_output: whether to print JSON.
        runs_directory: folder of the store.

    Raises:
        QjaxError: if anything a person gave cannot work.
    """
    # A service manager stops a process by SIGTERM: end as by Ctrl-C, with the run marked and resumable.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    if executor is not None:
        assignments = [*assignments, f"executor={executor}"]
    if resume is None:
        training = read_config(config, preset_name, assignments)
        name = config.stem if config else preset_name or "train"
    elif config or preset_name:
        raise ArgumentError(
            "--resume",
            "stand without CONFIG and --preset",
            "a configuration was given too",
            "A run goes on with the configuration it was started with: leave the other out.",
        )
    else:
        record = _recorded(runs_directory, resume)
        training = resumed_config(record.config, assignments)
        name, resume = record.name, record.id
    if budget is not None:
        check_budget(budget, training.executor)
    apply_settings(training)
    sink = None if sink_name is None else open_sink(sink_name)
    executor_there = described(training)
    prepared = prepare(training, executor_there)
    if sink is not None:
        check_sink(sink, prepared, console)
    # The store is opened no sooner, so that a misspelt word or a wrong key leaves no empty one behind.
    with (
        connected(prepared, runs_directory, budget, resubmit) as executor_for,
        RunStore.open(runs_directory) as store,
    ):
        if not json_output:
            _print_header(console, prepared)
        seconds_before = seconds_since_start()
        try:
            with (
                replicated(runs_directory, sink, console) as started,
                LiveProgress(console, prepared.loader().num_steps, _score_name(prepared)) as progress,
            ):
                result = train(
                    training,
                    store=store,
                    resume=resume,
                    name=name,
                    observers=[progress],
                    prepared=prepared,
                    started=started,
                    executor_for=executor_for,
                )
        except KeyboardInterrupt:
            # A budget holds for one command, and what goes on without it is not bounded.
            again = "--resume latest" if budget is None else f"--resume latest --budget {budget:g}"
            console.print(f"Interrupted. `qjax train {again}` goes on from the last checkpoint.")
            sys.exit(130)
        report = summary(result, prepared.model.task)
        report["seconds_to_first_step"] += seconds_before
        if with_baselines:
            baselines = run_baselines(prepared)
            report["baselines"] = [baseline.to_json() for baseline in baselines]
        else:
            baselines = []
        if with_plot:
            report["plot"] = str(plot_path(runs_directory, result.run))
            save_plot(store, result.run, plot_path(runs_directory, result.run))
        report["seconds"] = seconds_since_start()
    if json_output:
        print(json.dumps(report))
    else:
        _print_report(console, prepared, report, baselines)


def _recorded(runs_directory: Path, wanted: str) -> RunRecord:
    with RunStore.open(runs_directory, create=False) as store:
        return store.run(wanted)


def _print_header(console: Console, prepared: Prepared) -> None:
    config, circuit = prepared.config, prepared.model.circuit
    console.print(
        f"[bold]{prepared.dataset.name}[/]: {prepared.num_train} training and "
        f"{prepared.test_set.num_samples} test samples, {prepared.preprocessing.num_components} features"
    )
    shots = f"{config.shots_per_circuit} shots" if config.shots_per_circuit else "exact"
    console.print(
        f"[bold]{config.ansatz}[/]: {circuit.num_qubits} qubits, {circuit.num_params} circuit parameters, "
        f"{config.gradient_method}, {shots}, {config.optimizer}"
    )
    if config.executor in SERVICES:
        when = {"epoch": "after each epoch", "end": "at the end only", "never": "never"}[config.evaluation]
        console.print(
            f"[bold]{config.executor}[/]: {config.backend}, up to {config.pipeline_depth + 1} step(s) in "
            f"flight; all samples are evaluated {when}"
        )


def _print_report(
    console: Console, prepared: Prepared, report: dict[str, Any], baselines: list[Baseline]
) -> None:
    score = _score_name(prepared)
    key = "r2" if prepared.model.task == "regression" else "accuracy"
    table = Table(box=None, pad_edge=False)
    for heading in ("", f"train {score}", f"test {score}"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("[bold]this model", _number(report[f"train_{key}"]), _number(report[f"test_{key}"]))
    for baseline in baselines:
        table.add_row(baseline.name, _number(baseline.train_score), _number(baseline.test_score))
    console.print(table)
    console.print(
        f"{report['circuits']:,} circuits ({report['gradient_circuits']:,} for gradients in "
        f"{report['jobs']:,} jobs, {report['evaluation_circuits']:,} for evaluation)"
    )
    console.print(
        f"{report['seconds']:.1f} s in all, {report['seconds_training']:.2f} s of it training"
        f"; run {report['run']}"
    )
    if "plot" in report:
        console.print(f"plot: {report['plot']}", soft_wrap=True)


def _score_name(prepared: Prepared) -> str:
    return "R²" if prepared.model.task == "regression" else "accuracy"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
