"""Lowers a `Circuit` once to a flat program that engines execute.

The lowering collects one-qubit gates into layers (one matrix for each qubit), merges neighbouring
permutations into one, and turns angles into two tables: those that features enter and those that they do
not. The second kind is the same for every sample of a batch, so an engine computes it once. Repeats stay
loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from qjax import gates
from qjax.circuit import Angle, Circuit, Op, Repeat

if TYPE_CHECKING:
    from qjax.engine.explain import Explanation
    from qjax.observables import PauliSum


@dataclass(frozen=True)
class AngleSlot:
    """Where a step finds one of its angles: a position in one of the two angle tables.

    Args:
        index: position, counted from the start of the innermost loop's iteration.
        uses_features: whether it is in the table of angles that features enter.
    """

    index: int
    uses_features: bool


@dataclass(frozen=True)
class Factor:
    """One gate whose matrix enters a step."""

    op: Op
    slots: tuple[AngleSlot, ...]


@dataclass(frozen=True)
class LayerStep:
    """Applies a one-qubit matrix to each of some qubits: the product of its factors, the first one first.

    Args:
        factors: for each qubit, ascending, the qubit and its factors.
    """

    factors: tuple[tuple[int, tuple[Factor, ...]], ...]


@dataclass(frozen=True)
class MatrixStep:
    """Applies the matrix of one gate on two qubits or more."""

    qubits: tuple[int, ...]
    factor: Factor


@dataclass(frozen=True)
class DiagonalStep:
    """Multiplies by the diagonal of one gate on two qubits or more."""

    qubits: tuple[int, ...]
    factor: Factor


@dataclass(frozen=True)
class PauliRotationStep:
    """Applies `exp(-i theta P / 2)` for a Pauli string `P`."""

    pauli: tuple[tuple[int, str], ...]
    slot: AngleSlot


@dataclass(frozen=True)
class PermutationStep:
    """Permutes basis states by a sequence of x, cx, swap, ccx and cswap."""

    ops: tuple[Op, ...]


@dataclass(frozen=True)
class LoopStep:
    """Runs a body several times.

    Args:
        body: the steps of one iteration.
        times: how many iterations.
        start: position in each table (shared, per sample) of the first iteration's first angle.
        num_slots: how many angles of each table one iteration takes.
    """

    body: tuple[Step, ...]
    times: int
    start: tuple[int, int]
    num_slots: tuple[int, int]


Step = LayerStep | MatrixStep | DiagonalStep | PauliRotationStep | PermutationStep | LoopStep


@dataclass(frozen=True, eq=False)
class AngleTable:
    """Angles in the order of execution, `scale * params[param] * features[feature] + offset`.

    Args:
        param: parameter indices `[K]`, int32; the circuit's number of parameters stands for "none".
        feature: feature indices `[K]`, int32; the circuit's number of features stands for "none".
        scale: factors `[K]`, float64.
        offset: constants `[K]`, float64.
    """

    param: np.ndarray
    feature: np.ndarray
    scale: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Program:
    """A lowered circuit.

    Args:
        circuit: the circuit.
        num_qubits: number of qubits.
        num_params: length of the parameter vector.
        num_features: length of the feature vector.
        steps: what to do, in order.
        shared: table of the angles that no feature enters.
        per_sample: table of the angles that features enter.
    """

    circuit: Circuit
    num_qubits: int
    num_params: int
    num_features: int
    steps: tuple[Step, ...]
    shared: AngleTable
    per_sample: AngleTable

    @property
    def num_stored_states(self) -> int:
        """States that reverse mode keeps at the same time: one for each step and iteration."""
        return _stored_states(self.steps)

    def explain(
        self, observables: Sequence[PauliSum], num_sets: int = 1, num_samples: int = 1, **options: Any
    ) -> Explanation:
        """Tells what a batch takes before it is run: passes, operations, memory, time.

        Args:
            observables: what is measured.
            num_sets: S parameter sets.
            num_samples: B samples of each.
            **options: `engine`, `dtype` and `gradient`, as in `qjax.engine.explain.explain`.

        Returns:
            The explanation; printed, it is a table.

        Example:
            >>> from qjax import Op, PauliSum
            >>> print(lower(Circuit(3, (Op("h", (0,)),))).explain([PauliSum("Z0")], num_samples=64))
            circuits             64 of 3 qubits and 1 gates
            ...
        """
        from qjax.engine.explain import explain

        return explain(self.circuit, observables, num_sets, num_samples, **options)


@lru_cache(maxsize=1024)
def lower(circuit: Circuit) -> Program:
    """Lowers a circuit.

    Args:
        circuit: the circuit.

    Returns:
        The program; the same object for equal circuits while it is cached.

    Example:
        >>> from qjax import Circuit, Op
        >>> program = lower(Circuit(2, (Op("h", (0,)), Op("t", (0,)), Op("cx", (0, 1)))))
        >>> [type(step).__name__ for step in program.steps]
        ['LayerStep', 'PermutationStep']
    """
    lowering = _Lowering()
    steps = lowering.lower(circuit.ops)
    shared: list[Angle] = []
    per_sample: list[Angle] = []
    for op in circuit.unrolled():
        for angle in op.angles:
            (shared if angle.feature is None else per_sample).append(angle)
    return Program(
        circuit=circuit,
        num_qubits=circuit.num_qubits,
        num_params=circuit.num_params,
        num_features=circuit.num_features,
        steps=steps,
        shared=_table(shared, circuit),
        per_sample=_table(per_sample, circuit),
    )


def _table(angles: Sequence[Angle], circuit: Circuit) -> AngleTable:
    return AngleTable(
        param=np.array([circuit.num_params if a.param is None else a.param for a in angles], np.int32),
        feature=np.array(
            [circuit.num_features if a.feature is None else a.feature for a in angles], np.int32
        ),
        # A constant has neither factor: its product is absent, not one.
        scale=np.array([0.0 if a.is_constant else a.scale for a in angles], np.float64),
        offset=np.array([a.offset for a in angles], np.float64),
    )


class _Lowering:
    """Lowers one body; counts the angles of each table as it goes."""

    def __init__(self):
        self.counts = [0, 0]

    def lower(self, ops: Sequence[Op | Repeat]) -> tuple[Step, ...]:
        steps: list[Step] = []
        # One-qubit gates wait here until a larger gate needs the qubit of any; then all go as one layer.
        pending: dict[int, list[Factor]] = {}

        def flush() -> None:
            if pending:
                steps.append(LayerStep(tuple((q, tuple(factors)) for q, factors in sorted(pending.items()))))
                pending.clear()

        for element in ops:
            if isinstance(element, Repeat):
                flush()
                steps.append(self._loop(element))
                continue
            factor = Factor(element, self._slots(element))
            if len(element.qubits) == 1 and element.gate != gates.PAULI_ROTATION:
                pending.setdefault(element.qubits[0], []).append(factor)
                continue
            if any(qubit in pending for qubit in element.qubits):
                flush()
            steps.append(_step(factor))
        flush()
        return _merge_permutations(steps)

    def _loop(self, repeat: Repeat) -> LoopStep:
        inner = _Lowering()
        body = inner.lower(repeat.body)
        start = (self.counts[0], self.counts[1])
        for table in (0, 1):
            self.counts[table] += inner.counts[table] * repeat.times
        return LoopStep(body, repeat.times, start, (inner.counts[0], inner.counts[1]))

    def _slots(self, op: Op) -> tuple[AngleSlot, ...]:
        slots = []
        for angle in op.angles:
            uses_features = angle.feature is not None
            slots.append(AngleSlot(self.counts[uses_features], uses_features))
            self.counts[uses_features] += 1
        return tuple(slots)


def _step(factor: Factor) -> Step:
    op = factor.op
    row = gates.GATES[op.gate]
    pauli = op.pauli or row.pauli
    if pauli is not None:
        return PauliRotationStep(tuple(zip(op.qubits, pauli, strict=True)), factor.slots[0])
    if row.kind == "permutation":
        return PermutationStep((op,))
    if row.kind == "diagonal":
        return DiagonalStep(op.qubits, factor)
    return MatrixStep(op.qubits, factor)


def _merge_permutations(steps: Sequence[Step]) -> tuple[Step, ...]:
    merged: list[Step] = []
    for step in steps:
        if merged and isinstance(step, PermutationStep) and isinstance(merged[-1], PermutationStep):
            merged[-1] = PermutationStep(merged[-1].ops + step.ops)
        else:
            merged.append(step)
    return tuple(merged)


def _stored_states(steps: Sequence[Step]) -> int:
    body = [_stored_states(step.body) for step in steps if isinstance(step, LoopStep)]
    times = sum(step.times for step in steps if isinstance(step, LoopStep))
    # Loop bodies are checkpointed: their inside is kept for one iteration at a time.
    return 1 + len(steps) + times + max(body, default=0)
