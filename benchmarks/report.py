"""The report: JSON for programs, Markdown for people, plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.profile import Profile
from benchmarks.rows import rows_of
from benchmarks.table import main_table, peers_table


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
    (folder / "results.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1))
    rows = rows_of(results)
    text = "\n\n".join(
        [
            _machine_line(machine, cores),
            main_table(rows, (*profile.cells, *profile.random), peers, cores),
            peers_table(peers),
        ]
    )
    (folder / "report.md").write_text(text + "\n")
    return text


def _machine_line(machine: dict[str, Any], cores: int) -> str:
    return (
        f"{machine['processor']}, {cores} core(s) ({', '.join(machine['instructions'])}; "
        f"native engine: {machine['native engine']}), Python {machine['python']}. "
        "Steady time of one call; in brackets the first call, which builds and compiles the circuit."
    )
