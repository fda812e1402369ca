"""The numbers of a cell: circuit, parameters, features and targets, the same for every peer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.cell import Cell
from benchmarks.flat import FlatCircuit, flatten
from benchmarks.random_circuits import random_circuit
from qjax import Circuit, PauliSum, ansatz

PERTURBATION = 0.1
_SEED = 20240229


@dataclass(frozen=True, eq=False)
class Problem:
    """A cell's circuit and numbers.

    Args:
        cell: the cell.
        circuit: the circuit; the observable is Z on its last qubit.
        params: `[P]`, float64, radians.
        signs: `[P]`, the direction of the SPSA pair.
        features: `[B, F]`, float64.
        targets: `[B]`, float64.
    """

    cell: Cell
    circuit: Circuit
    params: np.ndarray
    signs: np.ndarray
    features: np.ndarray
    targets: np.ndarray

    @property
    def num_qubits(self) -> int:
        """Qubits of the circuit."""
        return self.circuit.num_qubits

    @property
    def observable(self) -> PauliSum:
        """Z on the last qubit."""
        return PauliSum(f"Z{self.num_qubits - 1}")

    @cached_property
    def flat(self) -> FlatCircuit:
        """The circuit without repeats, for peers that know none."""
        return flatten(self.circuit)

    @cached_property
    def sets(self) -> np.ndarray:
        """Parameter sets of the task `[S, P]`: the SPSA pair, the one point, or all shifts by +-pi/2."""
        if self.cell.task == "spsa":
            return self.params + PERTURBATION * np.stack([self.signs, -self.signs])
        if self.cell.task == "grad":
            return self.params[None]
        eye = np.eye(self.params.size)
        return self.params + 0.5 * math.pi * np.stack([eye, -eye], axis=1).reshape(-1, self.params.size)

    def losses(self, values: np.ndarray) -> np.ndarray:
        """Mean squared errors `[S]` of values `[S, B]`."""
        return np.mean((values - self.targets) ** 2, axis=-1)

    def answer(self, values: np.ndarray) -> np.ndarray:
        """What the task asks for, from the values `[S, B]` of its parameter sets: not for "grad"."""
        return self.losses(values) if self.cell.task == "spsa" else values

    def gradient(self, values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Gradient `[P]` of the loss, from values `[B]` and their gradients `[B, P]`."""
        return 2 * np.mean((values - self.targets)[:, None] * slopes, axis=0)


def make_problem(cell: Cell) -> Problem:
    """Draws a cell's numbers; the same cell has the same ones everywhere.

    Args:
        cell: the cell.

    Returns:
        The problem.
    """
    rng = np.random.default_rng([_SEED, cell.num_qubits, cell.depth, cell.batch])
    if cell.family == "model":
        circuit = ansatz.hardware_efficient(
            cell.num_qubits, cell.depth, rotations=("rx", "ry", "rz"), entangler="cx", topology="linear"
        )
    else:
        circuit = random_circuit(rng, cell.num_qubits, cell.depth)
    return Problem(
        cell=cell,
        circuit=circuit,
        params=rng.uniform(-math.pi, math.pi, circuit.num_params),
        signs=rng.choice([-1.0, 1.0], circuit.num_params),
        features=rng.uniform(-math.pi, math.pi, (cell.batch, circuit.num_features)),
        targets=rng.choice([-1.0, 1.0], cell.batch),
    )
