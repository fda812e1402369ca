r"""The nearest vectors on a service that ranks by cosine.

A cosine sees a global phase, and fidelity must not. With the real and imaginary parts of amplitudes side by
side, the cosine of two states is the real part of their overlap, and with one state turned by i its imaginary
part:

$$|\langle a | b \rangle|^2 = \cos(v_a, v_b)^2 + \cos(v_{ia}, v_b)^2.$$

So the service is asked for what is nearest to `v_a`, `-v_a`, `v_{ia}` and `-v_{ia}`; candidates are fetched
and ranked exactly. What no answer holds has at most the lowest score of each answer, which bounds its
fidelity: more is asked for until nothing left out could belong to the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from qjax.sinks.requests import check_width
from qjax.sinks.service import MAX_FETCHED_IDS, Match, VectorService

MAX_MATCHES = 10_000
"""The most that the service gives for one query."""


class Nearest(NamedTuple):
    """What was found.

    Attributes:
        matches: the nearest, best first; the score is the fidelity or the cosine.
        is_certain: whether nothing nearer can be on the service.
    """

    matches: list[Match]
    is_certain: bool


def nearest_by_cosine(
    service: VectorService, namespace: str, values: np.ndarray, count: int, where: Mapping[str, Any]
) -> Nearest:
    """Finds the vectors of the largest cosine.

    Args:
        service: the service.
        namespace: "samples" or "states".
        values: real `[d]`, or amplitudes `[2**n]`, complex.
        count: how many are wanted.
        where: values that metadata must have.

    Returns:
        What was found.
    """
    query = _padded(_side_by_side(values), service.dimension())
    return Nearest(service.query(namespace, query, count, dict(where) or None), True)


def nearest_by_fidelity(
    service: VectorService, amplitudes: np.ndarray, count: int, where: Mapping[str, Any], *, first: int = 50
) -> Nearest:
    """Finds the states of the largest fidelity.

    Args:
        service: the service.
        amplitudes: complex `[2**n]`.
        count: how many are wanted.
        where: values that metadata must have.
        first: how many candidates each query gives at first.

    Returns:
        What was found.
    """
    state = np.asarray(amplitudes, np.complex128) / np.linalg.norm(amplitudes)
    dimension = service.dimension()
    turned = [_padded(_side_by_side(phase * state), dimension) for phase in (1, -1, 1j, -1j)]
    asked = max(first, count)
    known: dict[str, Match] = {}
    while True:
        asked = min(asked, MAX_MATCHES)
        answers = [service.query("states", query, asked, dict(where) or None) for query in turned]
        missing = {match.id: match for answer in answers for match in answer if match.id not in known}
        known |= _with_fidelity(service, missing, state)
        best = sorted(known.values(), key=lambda match: (-match.score, match.id))[:count]
        if any(len(answer) < asked for answer in answers):
            return Nearest(best, True)  # one answer holds all that there are
        lowest = [answer[-1].score for answer in answers]
        bound = max(lowest[0], lowest[1], 0.0) ** 2 + max(lowest[2], lowest[3], 0.0) ** 2
        if len(best) == count and best[-1].score >= bound:
            return Nearest(best, True)
        if asked == MAX_MATCHES:
            return Nearest(best, False)
        asked *= 4


def _with_fidelity(
    service: VectorService, matches: Mapping[str, Match], state: np.ndarray
) -> dict[str, Match]:
    found = {}
    ids = list(matches)
    for start in range(0, len(ids), MAX_FETCHED_IDS):
        stored = service.fetch("states", ids[start : start + MAX_FETCHED_IDS])
        for identifier, vector in stored.items():
            dimension = int(vector.metadata.get("dimension", 0))
            if dimension != 2 * len(state):
                continue  # a state of another number of qubits has no fidelity with this one
            values = np.asarray(vector.values[:dimension], np.float64)
            other = values[: dimension // 2] + 1j * values[dimension // 2 :]
            fidelity = abs(np.vdot(state, other)) ** 2 / np.vdot(other, other).real
            found[identifier] = Match(identifier, float(fidelity), matches[identifier].metadata)
    return found


def _side_by_side(values: np.ndarray) -> np.ndarray:
    return np.concatenate([np.real(values), np.imag(values)]) if np.iscomplexobj(values) else values


def _padded(values: np.ndarray, dimension: int) -> Sequence[float]:
    check_width(len(values), dimension)
    return np.pad(values.astype(np.float32), (0, dimension - len(values))).tolist()
