"""How many times faster than the best peer of each cell this project has to be."""

from __future__ import annotations

from benchmarks.cell import Cell, model, random_cells
from benchmarks.findings import Finding
from benchmarks.rows import Row
from benchmarks.table import best, number, ratio_entry

GOALS: dict[Cell, float] = {
    model(8, 2, 10, "spsa"): 25,
    model(8, 2, 10, "grad"): 25,
    model(8, 2, 10, "pshift"): 30,
    model(12, 4, 64, "spsa"): 20,
    model(12, 4, 64, "grad"): 10,
    model(16, 8, 8, "spsa"): 12,
    model(16, 8, 8, "grad"): 40,
    model(20, 10, 1, "spsa"): 6,
    model(20, 10, 1, "grad"): 12,
    model(24, 4, 1, "spsa"): 4,
    **dict.fromkeys(random_cells(), 3),
}
"""Steady time of the best peer over this project's."""


def compare(rows: list[Row], cores: int) -> list[Finding]:
    """The goals whose cells were measured.

    A peer that gave nothing in its time is named, and not counted as beaten.

    Args:
        rows: all rows.
        cores: on how many cores.

    Returns:
        A finding for each such cell.
    """
    findings = []
    for cell, goal in GOALS.items():
        found = [row for row in rows if row.cell == cell.name and row.cores == cores]
        if not any(row.status == "measured" for row in found):
            continue
        fastest = best(found)
        silent = [row.peer for row in found if row.status in ("timeout", "failed")]
        without = f"; nothing from {', '.join(silent)}" if silent else ""
        holds = None if fastest is None else (fastest.ratio or 0.0) >= goal
        findings.append(Finding(cell.label, f"{number(goal)}x", ratio_entry(fastest) + without, holds))
    return findings
