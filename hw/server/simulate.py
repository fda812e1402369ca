"""From circuits to answers: probabilities of the basis states, and counts where shots are drawn.

Circuits of a job mostly share their structure, so they are grouped by it and every group is simulated as one
batch of parameter sets. A batch is padded to a power of two, so that few shapes are compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
import orjson

from hw.server import states
from hw.server.circuits import ReadCircuit, Structure
from qjax import Simulator
from qjax.engine.density import MAX_QUBITS as MAX_DENSITY_QUBITS

MAX_STATES = 2**24
"""The most basis states that the circuits of one job may have together."""

SMALLEST = 1e-15
"""Probabilities below are rounding errors of zero."""

TRAJECTORIES = 200
"""How many trajectories a noisy circuit is averaged over where a density matrix is too large."""

_BATCH_STATES = 2**20


class Answer(NamedTuple):
    """What a circuit gave.

    Args:
        probabilities: JSON of the probability of each state that has one.
        histogram: JSON of the count of each state that was seen; None where no shots are drawn.
    """

    probabilities: bytes
    histogram: bytes | None


def answer(circuits: Sequence[ReadCircuit], noise: str, shots: int | None, seed: int) -> list[Answer]:
    """Runs circuits.

    Args:
        circuits: the circuits.
        noise: name of the noise model.
        shots: how often each is measured, or None for exact probabilities.
        seed: seed of the shots, and of noise that is drawn.

    Returns:
        An answer for each circuit, in order.
    """
    groups: dict[Structure, list[int]] = {}
    for index, circuit in enumerate(circuits):
        groups.setdefault(circuit.structure, []).append(index)
    answers: dict[int, Answer] = {}
    for structure, indices in groups.items():
        size = max(1, _BATCH_STATES // structure.num_states)
        for start in range(0, len(indices), size):
            part = indices[start : start + size]
            numbers = np.array([circuits[index].numbers for index in part], dtype=np.float64)
            rows = probabilities(structure, numbers.reshape(len(part), -1), noise, (seed, part[0]))
            for index, row in zip(part, rows, strict=True):
                answers[index] = _encoded(structure, row, shots, (seed, index))
    return [answers[index] for index in range(len(circuits))]


def probabilities(structure: Structure, numbers: np.ndarray, noise: str, seed: tuple[int, int]) -> np.ndarray:
    """Probabilities of circuits of one structure.

    They are exact, but for noise on circuits that are too large for a density matrix: then they are the
    average over some trajectories.

    Args:
        structure: what the circuits share.
        numbers: `[S, P]`, float64.
        noise: name of the noise model.
        seed: two numbers that seed trajectories.

    Returns:
        Probabilities `[S, 2**n]`, float64, states in the service's order.
    """
    num_sets = len(numbers)
    padded = np.zeros((1 << (num_sets - 1).bit_length(), numbers.shape[1]))
    padded[:num_sets] = numbers
    large = noise != "ideal" and len(structure.used) > MAX_DENSITY_QUBITS
    # The mode is this thread's own; a program that runs the server inside keeps its precision.
    with jax.enable_x64(True):
        simulator = Simulator(dtype="complex128", noise=noise)
        key = None
        if large:
            simulator = replace(simulator, noise_method="trajectories", num_trajectories=TRAJECTORIES)
            key = jax.random.fold_in(jax.random.key(seed[0]), seed[1])
        return np.asarray(simulator.probabilities(structure.circuit, padded, key=key))[:num_sets, 0]


def _encoded(structure: Structure, row: np.ndarray, shots: int | None, seed: tuple[int, int]) -> Answer:
    numbers = states.numbers(structure.used)
    if shots is None:
        return Answer(_json(numbers, row, row > SMALLEST), None)
    row = np.clip(row, 0.0, None)
    counts = np.random.default_rng(seed).multinomial(shots, row / row.sum())
    seen = counts > 0
    return Answer(_json(numbers, counts / shots, seen), _json(numbers, counts, seen))


def _json(numbers: Sequence[str], values: np.ndarray, kept: np.ndarray) -> bytes:
    if kept.all():
        return orjson.dumps(dict(zip(numbers, values.tolist(), strict=True)))
    indices = np.flatnonzero(kept).tolist()
    return orjson.dumps(dict(zip((numbers[i] for i in indices), values[kept].tolist(), strict=True)))
