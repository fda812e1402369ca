"""Which cells a run measures, and with what patience."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cell import CASES, SWEEPS, TASKS, Cell, main_cells, model, random_cells
from benchmarks.measure import Limits
from qjax.errors import ArgumentError

PARTS = ("cells", "random", *SWEEPS, "checks", "strategies")
"""What a run consists of, in order."""


@dataclass(frozen=True)
class Profile:
    """A choice of work.

    Args:
        parts: which of `PARTS`.
        cells: cells of the main table.
        random: random circuits.
        limits: patience with the main table and the random circuits.
        sweep_limits: patience with sweeps.
        check_limits: patience with what must hold.
    """

    parts: tuple[str, ...]
    cells: tuple[Cell, ...]
    random: tuple[Cell, ...]
    limits: Limits
    sweep_limits: Limits
    check_limits: Limits


def full() -> Profile:
    """Everything; hours."""
    return Profile(
        PARTS,
        tuple(main_cells(CASES, TASKS)),
        tuple(random_cells()),
        Limits(),
        Limits(timeout=60, rounds=3, round_seconds=0.1, patience=10),
        Limits(rounds=5, round_seconds=0.2, patience=20),
    )


def quick() -> Profile:
    """The README's table; minutes."""
    cells = (
        *(model(8, 2, 10, task) for task in TASKS),
        model(12, 4, 64, "spsa"),
        model(16, 8, 8, "grad"),
        model(20, 10, 1, "spsa"),
    )
    limits = Limits(timeout=20, rounds=3, round_seconds=0.1, patience=3)
    return Profile(("cells", "strategies"), cells, (), limits, limits, limits)


def chosen_cells(cases: Sequence[str], tasks: Sequence[str]) -> tuple[Cell, ...]:
    """Cells of cases and tasks that a person names.

    Args:
        cases: texts such as "8,2,10".
        tasks: names of tasks.

    Returns:
        Every task at every case.

    Raises:
        ArgumentError: if a text is no case, or a task is unknown.

    Example:
        >>> [cell.name for cell in chosen_cells(["8,2,10"], ["grad"])]
        ['model-8-2-10-grad']
    """
    for task in tasks:
        if task not in TASKS:
            raise ArgumentError("--tasks", f"be of {', '.join(TASKS)}", f"it is {task!r}", "Pick some.")
    return tuple(model(*_case(case), task) for case in cases for task in TASKS if task in tasks)


def _case(text: str) -> tuple[int, int, int]:
    try:
        num_qubits, depth, batch = (int(number) for number in text.split(","))
        if num_qubits >= 2 and depth >= 1 and batch >= 1:
            return num_qubits, depth, batch
    except ValueError:
        pass
    raise ArgumentError(
        "--cases", "be QUBITS,LAYERS,SAMPLES", f"it is {text!r}", 'Write "8,2,10", with 2 qubits or more.'
    )
