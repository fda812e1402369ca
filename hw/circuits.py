"""The circuits that serve a call, in the service's form, and the jobs that they go out in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hw.batch import Grid
from hw.limits import LIMITS, Limits, Load, split
from hw.native import Entangler, compile_native
from hw.template import basis_change, circuit_texts, translate
from qjax.errors import ArgumentError

Serving = tuple[tuple[int, ...], ...]
"""For each row of a grid and each measurement group, which circuit serves it."""


class ServiceCircuit(NamedTuple):
    """A circuit in the service's form.

    Attributes:
        text: its JSON form.
        gates_1q: its gates on one qubit.
        gates_2q: its gates on two.
        seed: integers from its key, by which its shots are drawn; empty without a key.
    """

    text: str
    gates_1q: int
    gates_2q: int
    seed: tuple[int, ...] = ()


class Part(NamedTuple):
    """The circuits of one job.

    Attributes:
        shots: how often each is measured; None to say nothing.
        positions: which circuits.
    """

    shots: int | None
    positions: tuple[int, ...]


def write_circuits(
    grid: Grid, entangler: Entangler | None, *, merge: bool
) -> tuple[list[ServiceCircuit], Serving]:
    """Writes the circuits that serve a grid.

    Args:
        grid: what is asked for.
        entangler: the entangling gate of the machine to compile for; None for the gates of `qis`.
        merge: whether equal circuits become one: where the service's answer is exact.

    Returns:
        The circuits, and which one serves what.
    """
    columns = _columns(grid, entangler)
    circuits: list[ServiceCircuit] = []
    known: dict[str, int] = {}
    serving: list[tuple[int, ...]] = []
    for row in range(len(grid.rows)):
        serves: list[int] = []
        for group, column in enumerate(columns):
            circuit = column[row]
            position = known.get(circuit.text) if merge else None
            if position is None:
                position = known[circuit.text] = len(circuits)
                seed = (*grid.seeds[row], group) if grid.seeds else ()
                circuits.append(circuit._replace(seed=seed))
            serves.append(position)
        serving.append(tuple(serves))
    return circuits, tuple(serving)


def shots_of_rows(grid: Grid, shots: int | tuple[int, ...]) -> tuple[int, ...]:
    """How often the circuits of each row are measured.

    Args:
        grid: what is asked for.
        shots: a number, or one for each parameter set.

    Returns:
        One number for each row.

    Raises:
        ArgumentError: if there are not as many as parameter sets.
    """
    if isinstance(shots, int):
        return (shots,) * len(grid.rows)
    if len(shots) != grid.shape[0]:
        raise ArgumentError(
            "shots",
            f"hold one number for each of the {grid.shape[0]} parameter set(s)",
            f"it holds {len(shots)}",
            "Pass one integer to use it for all.",
        )
    return tuple(shots[s] for s, _ in grid.rows)


def plan_jobs(
    grid: Grid,
    circuits: Sequence[ServiceCircuit],
    serving: Serving,
    shots: tuple[int, ...] | None,
    *,
    merged: bool,
    limits: Limits = LIMITS,
) -> Iterator[Part]:
    """Parts circuits into jobs: one, unless the limits or different numbers of shots ask for more.

    Args:
        grid: what is asked for.
        circuits: the circuits.
        serving: which one serves what.
        shots: for each row, how often its circuits are measured; None for exact results.
        merged: whether a circuit may serve several rows; its answer is exact then, whatever the shots.
        limits: what a job may hold.

    Yields:
        The jobs.
    """
    members: dict[int | None, list[int]] = {}
    if merged:
        common = set(shots or ())
        members[common.pop() if len(common) == 1 else None] = list(range(len(circuits)))
    else:
        for row, number in zip(serving, shots or (), strict=True):
            members.setdefault(number, []).extend(row)
    # What a circuit's number of qubits takes in the metadata.
    digits = len(str(grid.circuit.num_qubits)) + 1
    for number, positions in members.items():
        loads = [
            Load(each.gates_1q + each.gates_2q, len(each.text) + 1 + digits, digits)
            for each in (circuits[position] for position in positions)
        ]
        for part in split(loads, limits):
            yield Part(number, tuple(positions[index] for index in part))


def seed_digest(circuits: Sequence[ServiceCircuit]) -> str:
    """What tells the shots of circuits from others of the same circuits.

    Args:
        circuits: the circuits.

    Returns:
        SHA-256 of their seeds, in hexadecimal.
    """
    return hashlib.sha256(repr([each.seed for each in circuits]).encode("ascii")).hexdigest()


def _columns(grid: Grid, entangler: Entangler | None) -> list[list[ServiceCircuit]]:
    """For each measurement group the circuits of all rows."""
    template = translate(grid.circuit)
    angles = template.angles(grid.params, grid.features)
    angles = np.broadcast_to(angles, (*grid.shape, angles.shape[-1]))[grid.rows[:, 0], grid.rows[:, 1]]
    changes = [basis_change(group) for group in grid.groups]
    if entangler is not None:
        gates, num_qubits = template.gates, template.num_qubits
        compiled = [compile_native(num_qubits, (*gates, *each), angles, entangler) for each in changes]
        return [[ServiceCircuit(*each) for each in column] for column in compiled]
    prefixes = template.texts(angles)
    two = sum(len(gate.qubits) == 2 for gate in template.gates)
    # A circuit without gates is sent with one.
    ones = [max(len(template.gates) - two + len(each), int(not two)) for each in changes]
    return [
        [ServiceCircuit(text, one, two) for text in circuit_texts(prefixes, each)]
        for each, one in zip(changes, ones, strict=True)
    ]
