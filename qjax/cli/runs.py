"""`qjax runs`: what the store holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from qjax.circuit import Circuit
from qjax.cli.plot import plot_path, save_plot
from qjax.store import RunRecord, RunStore


def list_runs(runs_directory: Path, json_output: bool) -> None:
    """Prints all runs, newest first.

    Args:
        runs_directory: folder of the store.
        json_output: whether to print a JSON list.
    """
    with RunStore.open(runs_directory, create=False) as store:
        records = store.runs()
    if json_output:
        print(json.dumps([_to_json(record) for record in records]))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "status", "steps", "loss", "accuracy", "name", "method", "dataset"):
        # Where the terminal is narrow the last columns give way; the id is what people copy.
        table.add_column(heading, no_wrap=True, min_width=20 if heading == "run" else None)
    for record in records:
        results = record.summary or {}
        table.add_row(
            record.id,
            record.status,
            str(record.steps),
            _number(results.get("loss")),
            _number(results.get("test_accuracy")),
            record.name,
            str(record.config.get("gradient_method", "")),
            str(record.config.get("dataset", "")),
        )
    Console().print(table)


def show_run(runs_directory: Path, wanted: str, json_output: bool) -> None:
    """Prints one run.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        json_output: whether to print a JSON object.
    """
    with RunStore.open(runs_directory, create=False) as store:
        record = store.run(wanted)
        evaluations = store.evaluations(record.id)
    circuit = Circuit.from_json(dict(record.circuit))
    if json_output:
        details = {
            "config": dict(record.config),
            "circuit": dict(record.circuit),
            "circuit_hash": record.circuit_hash,
            "environment": dict(record.environment),
            "evaluations": [vars(evaluation) for evaluation in evaluations],
        }
        print(json.dumps({**_to_json(record), **details}))
        return
    console = Console()
    console.print(f"[bold]{record.id}[/]  {record.name}  {record.status}  {record.steps} steps")
    console.print(
        "\n".join(f"{key} = {json.dumps(value)}" for key, value in record.config.items()), highlight=False
    )
    print(circuit)
    for evaluation in evaluations:
        console.print(
            f"step {evaluation.step}: {evaluation.split} loss {evaluation.loss:.4f}, "
            f"accuracy {_number(evaluation.accuracy)}"
        )
    for key, value in (record.summary or {}).items():
        console.print(f"{key}: {value}", highlight=False)


def plot_run(runs_directory: Path, wanted: str, output: Path | None) -> None:
    """Draws one run to a PNG file and prints where it is.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        output: the file; None for one beside the store.
    """
    with RunStore.open(runs_directory, create=False) as store:
        run = store.run(wanted).id
        path = output or plot_path(runs_directory, run)
        save_plot(store, run, path)
    print(path)


def _to_json(record: RunRecord) -> dict[str, Any]:
    return {
        "run": record.id,
        "name": record.name,
        "status": record.status,
        "created_at": record.created_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "steps": record.steps,
        "summary": dict(record.summary) if record.summary else None,
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
