"""`qjax runs diff`: what two runs do not share, side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from qjax.circuit import Circuit
from qjax.store import RunRecord, RunStore

Sections = dict[str, dict[str, Any]]

_OF_THE_CLOCK = ("run", "seconds_training", "seconds_to_first_step")


def diff_runs(runs_directory: Path, one: str, other: str, everything: bool, json_output: bool) -> None:
    """Prints where two runs differ.

    Args:
        runs_directory: folder of the store.
        one: id, beginning of an id, or "latest".
        other: the same.
        everything: whether to print what they share as well.
        json_output: whether to print a JSON object.
    """
    with RunStore.open(runs_directory, create=False) as store:
        records = store.run(one), store.run(other)
        parted = first_different_step(*(store.metrics(record.id).loss for record in records))
    found = compare(*(describe(record) for record in records), everything=everything)
    if json_output:
        names = {"runs": [record.id for record in records], "first_different_step": parted}
        print(json.dumps({**names, **found}))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("", *(record.id for record in records)):
        table.add_column(heading, overflow="fold", min_width=20)
    for section, lines in found.items():
        table.add_row(f"[bold]{section}[/]")
        for key, values in lines.items():
            table.add_row(f"  {key}", *(_shown(value) for value in values))
    console = Console()
    console.print(table)
    if parted is None:
        console.print("The losses of all steps are the same to the bit.")
    else:
        console.print(f"The losses differ first at step {parted:,}.")


def describe(record: RunRecord) -> Sections:
    """A run as sections of named values.

    Args:
        record: the run.

    Returns:
        Configuration, circuit, dataset, environment and results.
    """
    circuit = Circuit.from_json(dict(record.circuit))
    gates = Counter(op.gate for op in circuit.unrolled())
    environment = dict(record.environment)
    dataset = environment.pop("dataset", {})
    packages = environment.pop("packages", {})
    return {
        "configuration": dict(record.config),
        "circuit": {
            "hash": record.circuit_hash,
            "qubits": circuit.num_qubits,
            "parameters": circuit.num_params,
            **{f"{name} gates": count for name, count in sorted(gates.items())},
        },
        "dataset": dict(dataset),
        "environment": {**environment, **packages},
        "results": {"status": record.status, "steps": record.steps, **(record.summary or {})},
    }


def compare(one: Sections, other: Sections, *, everything: bool = False) -> dict[str, dict[str, list[Any]]]:
    """Puts two runs side by side.

    Args:
        one: what `describe` gave.
        other: the same.
        everything: whether to keep what they share.

    Returns:
        Pairs of values by section and name; None stands for what a run does not have. Sections without any
        are left out.

    Example:
        >>> compare({"configuration": {"seed": 0, "epochs": 5}}, {"configuration": {"seed": 1, "epochs": 5}})
        {'configuration': {'seed': [0, 1]}}
    """
    found = {}
    for section in dict.fromkeys([*one, *other]):
        pairs = dict(_pairs(one.get(section, {}), other.get(section, {}), everything))
        if pairs:
            found[section] = pairs
    return found


def _pairs(
    one: Mapping[str, Any], other: Mapping[str, Any], everything: bool
) -> Iterator[tuple[str, list[Any]]]:
    for key in dict.fromkeys([*one, *other]):
        values = [one.get(key), other.get(key)]
        if key not in _OF_THE_CLOCK and (everything or values[0] != values[1]):
            yield key, values


def first_different_step(one: np.ndarray, other: np.ndarray) -> int | None:
    """The first step whose losses are not the same to the bit.

    Args:
        one: losses `[n]`.
        other: losses `[m]`.

    Returns:
        The step; where one run is the beginning of the other, the first that only one has; None if all are
        the same.

    Example:
        >>> first_different_step(np.array([0.5, 0.25]), np.array([0.5, 0.125]))
        1
    """
    shared = min(len(one), len(other))
    bad = np.flatnonzero(one[:shared] != other[:shared])
    if bad.size:
        return int(bad[0])
    return None if len(one) == len(other) else shared


def _shown(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)
