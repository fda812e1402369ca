"""The report: JSON for programs, Markdown for people, plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.cell import SWEEPS
from benchmarks.checks import CHECKS
from benchmarks.checks.goals import compare
from benchmarks.findings import Finding, findings_table
from benchmarks.plots import draw_sweeps
from benchmarks.profile import Profile
from benchmarks.rows import rows_of
from benchmarks.strategies import Strategy, strategies_table
from benchmarks.table import main_table, peers_table, summary_table


def write_report(
    folder: Path,
    results: dict[str, Any],
    profile: Profile,
    peers: tuple[str, ...],
    machine: dict[str, Any],
    cores: int,
) -> str:
    """Writes `results.json`, `report.md` and the plots.

    Args:
        folder: where.
        results: everything that was measured under the present conditions.
        profile: what was asked for.
        peers: whom.
        machine: where it was measured.
        cores: on how many cores.

    Returns:
        The Markdown text.
    """
    text = "\n\n".join(_sections(folder, results, profile, peers, machine, cores)) + "\n"
    document = {"machine": machine, "cores": cores, "results": results}
    (folder / "results.json").write_text(json.dumps(document, indent=1))
    (folder / "report.md").write_text(text)
    return text


def _sections(
    folder: Path,
    results: dict[str, Any],
    profile: Profile,
    peers: tuple[str, ...],
    machine: dict[str, Any],
    cores: int,
) -> list[str]:
    rows = rows_of(results)
    sections = [_machine_line(machine, cores), peers_table(peers)]
    tables = {"cells": profile.cells, "random": profile.random} | {n: tuple(f()) for n, f in SWEEPS.items()}
    for part in profile.parts:
        if part in tables:
            shown = rows, tables[part], peers, cores
            sections += [f"## {_TITLES[part]}", summary_table(*shown), main_table(*shown)]
    paths = draw_sweeps(folder, rows, peers, cores)
    sections += [f"![{path.stem}]({path.name})" for path in paths]
    if "strategies" in results:
        strategies = [Strategy(**value) for value in results["strategies"]]
        sections += ["## Gradient strategies", strategies_table(strategies)]
    checked = [Finding(**value) for name in CHECKS for value in results.get(f"check {name}", [])]
    if findings := compare(rows, cores) + checked:
        sections += ["## What must hold", findings_table(findings)]
    return sections


_TITLES = {
    "cells": "The model",
    "random": "Random circuits over the whole gate table",
    "depth": "By depth",
    "batch": "By batch",
    "qubits": "By qubits",
}


def _machine_line(machine: dict[str, Any], cores: int) -> str:
    return (
        f"{machine['processor']}, {cores} core(s) for everybody ({', '.join(machine['instructions'])}; "
        f"native engine: {machine['native engine']}), Python {machine['python']}. Steady time of one call; "
        "in brackets the first call, from the circuit and its numbers to the answer. Each peer was measured "
        "in turn with qjax, and the ratio is the median over the turns; answers were compared before."
    )
