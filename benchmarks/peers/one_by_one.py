"""What peers share that run one circuit at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.peers.peer import Call
from benchmarks.problem import Problem

Values = Callable[[np.ndarray], np.ndarray]
"""From the angles `[N, A]` of N circuits to their values `[N]`."""

Slopes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the angles `[N, A]` to values `[N]` and their derivatives by the angles `[N, A]`."""


def task_call(problem: Problem, values: Values, slopes: Slopes | None = None) -> Call:
    """The task from a simulator of many circuits with numbers in them.

    Args:
        problem: the problem.
        values: gives values.
        slopes: gives derivatives too; None for a peer without gradients.

    Returns:
        The call.
    """
    flat, features = problem.flat, problem.features

    def run() -> np.ndarray:
        sets = problem.sets
        angles = flat.angles(sets[:, None, :], features[None]).reshape(-1, flat.num_angles)
        if problem.cell.task != "grad":
            return problem.answer(values(angles).reshape(len(sets), len(features)))
        assert slopes is not None  # a peer without gradients does not list the task
        results, by_angle = slopes(angles)
        return problem.gradient(results, flat.slopes(features, by_angle))

    return run
