"""What is measured: a circuit, a batch and a task, named by a few words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from qjax.errors import ArgumentError

Family = Literal["model", "random"]
Task = Literal["spsa", "grad", "pshift"]
TASKS: tuple[Task, ...] = get_args(Task)

NUM_RANDOM_GATES = 200


@dataclass(frozen=True, order=True)
class Cell:
    """One cell of the tables.

    Args:
        family: "model" is the variational model, "random" a random circuit over the whole gate table.
        num_qubits: its qubits.
        depth: layers of the model, or gates of the random circuit.
        batch: samples.
        task: "spsa" is the mean squared error at two parameter sets, "grad" its exact gradient at one,
            "pshift" the expectation values of all shifted parameter sets.

    Example:
        >>> Cell.parse("model-8-2-10-spsa").label
        '8 qubits, 2 layers, 10 samples: spsa'
    """

    family: Family
    num_qubits: int
    depth: int
    batch: int
    task: Task

    @property
    def name(self) -> str:
        """The cell in one word."""
        return f"{self.family}-{self.num_qubits}-{self.depth}-{self.batch}-{self.task}"

    @property
    def label(self) -> str:
        """The cell for people."""
        unit = "layers" if self.family == "model" else "random gates"
        samples = "1 sample" if self.batch == 1 else f"{self.batch} samples"
        return f"{self.num_qubits} qubits, {self.depth} {unit}, {samples}: {self.task}"

    @property
    def num_params(self) -> int:
        """Parameters of the model."""
        return 3 * self.num_qubits * self.depth

    @staticmethod
    def parse(name: str) -> Cell:
        """Reads what `name` wrote."""
        family, num_qubits, depth, batch, task = name.split("-")
        if (family != "model" and family != "random") or task not in TASKS:
            raise ArgumentError("cell", "be FAMILY-QUBITS-DEPTH-BATCH-TASK", f"it is {name!r}", "Correct it.")
        return Cell(family, int(num_qubits), int(depth), int(batch), task)


def model(num_qubits: int, depth: int, batch: int, task: Task = "spsa") -> Cell:
    """A cell of the variational model."""
    return Cell("model", num_qubits, depth, batch, task)


CASES = ((8, 2, 10), (8, 2, 256), (12, 4, 64), (16, 8, 8), (20, 10, 1), (24, 4, 1))
"""Qubits, layers and samples of the model."""

MAX_SHIFTED_CIRCUITS = 50_000
MAX_SHIFTED_AMPLITUDES = 1 << 28


def main_cells(cases: tuple[tuple[int, int, int], ...], tasks: tuple[Task, ...]) -> list[Cell]:
    """The cells of the main table.

    Tasks that nobody would run are left out: all shifted circuits where they are too many, and the gradient
    of the largest case.
    """
    cells = [model(*case, task) for case in cases for task in tasks]
    return [cell for cell in cells if _is_sensible(cell)]


def _is_sensible(cell: Cell) -> bool:
    if cell.task == "pshift":
        circuits = 2 * cell.num_params * cell.batch
        return circuits <= MAX_SHIFTED_CIRCUITS and circuits << cell.num_qubits <= MAX_SHIFTED_AMPLITUDES
    return cell.task == "spsa" or cell.num_qubits < 24


def random_cells() -> list[Cell]:
    """Random circuits over the whole gate table."""
    return [Cell("random", num_qubits, NUM_RANDOM_GATES, 16, "spsa") for num_qubits in (10, 14, 18)]


def sweep_by_depth() -> list[Cell]:
    """The small model, ever deeper."""
    return [model(8, depth, 10) for depth in (2, 4, 8, 16, 32, 64, 128, 256, 512)]


def sweep_by_batch() -> list[Cell]:
    """The small model, ever more samples."""
    return [model(8, 2, batch) for batch in (1, 4, 16, 64, 256, 1024, 4096)]


def sweep_by_qubits() -> list[Cell]:
    """A model of four layers and one sample, ever wider."""
    return [model(num_qubits, 4, 1) for num_qubits in range(4, 27, 2)]


SWEEPS = {"depth": sweep_by_depth, "batch": sweep_by_batch, "qubits": sweep_by_qubits}
