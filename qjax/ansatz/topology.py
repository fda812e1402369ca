"""Which pairs of qubits a layer entangles."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from qjax.ansatz.checks import check_count, check_name

Edge = tuple[int, int]


def edges(topology: str, num_qubits: int) -> tuple[Edge, ...]:
    """The pairs of a topology, in the order in which gates are placed on them.

    - "linear": `(0, 1), (1, 2), ...`, a path.
    - "ring": the path and, from three qubits on, the pair `(n - 1, 0)` that closes it. (Two qubits have one
      pair; a second gate on it would be another circuit, not a ring.)
    - "full": every pair `(i, j)` with `i < j`, ascending.
    - "brick": the pairs of the path, first those that start at an even qubit and then the others, so that
      the gates fit in two time steps.

    Args:
        topology: one of these names.
        num_qubits: number of qubits, 1 or more.

    Returns:
        Pairs of different qubits, none twice; none at all for one qubit.

    Raises:
        ArgumentError: if the name is unknown or the number of qubits is less than one.

    Example:
        >>> edges("ring", 4)
        ((0, 1), (1, 2), (2, 3), (3, 0))
        >>> edges("brick", 5)
        ((0, 1), (2, 3), (1, 2), (3, 4))
    """
    name = check_name("topology", topology, TOPOLOGIES)
    return tuple(TOPOLOGIES[name](check_count("num_qubits", num_qubits)))


def _linear(num_qubits: int) -> list[Edge]:
    return [(qubit, qubit + 1) for qubit in range(num_qubits - 1)]


def _ring(num_qubits: int) -> list[Edge]:
    closing = [(num_qubits - 1, 0)] if num_qubits > 2 else []
    return _linear(num_qubits) + closing


def _full(num_qubits: int) -> list[Edge]:
    return list(combinations(range(num_qubits), 2))


def _brick(num_qubits: int) -> list[Edge]:
    return sorted(_linear(num_qubits), key=lambda edge: edge[0] % 2)


TOPOLOGIES: dict[str, Callable[[int], list[Edge]]] = {
    "linear": _linear,
    "ring": _ring,
    "full": _full,
    "brick": _brick,
}
"""The known topologies by name."""
