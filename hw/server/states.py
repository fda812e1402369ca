"""How basis states are numbered: the one place where the service's order meets that of `qjax`.

The service writes a state as a decimal number in which qubit 0 is the least significant bit. In `qjax` wire 0
is the most significant. So the highest qubit becomes wire 0, and indices are numbers; nothing is permuted.
Qubits that no gate touches stay 0 and are not simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np


def wires(used: Sequence[int]) -> Mapping[int, int]:
    """Which wire of the simulated circuit each qubit of a request is.

    Args:
        used: the qubits that gates touch, ascending.

    Returns:
        The wire of each.

    Example:
        >>> wires((0, 1, 4))
        {0: 2, 1: 1, 4: 0}
    """
    return {qubit: len(used) - 1 - position for position, qubit in enumerate(used)}


@lru_cache(maxsize=64)
def numbers(used: tuple[int, ...]) -> tuple[str, ...]:
    """The service's number of each basis state of the simulated circuit.

    Args:
        used: the qubits that gates touch, ascending.

    Returns:
        `2**len(used)` decimal numbers, as keys of a JSON object.

    Example:
        >>> numbers((0, 2))
        ('0', '1', '4', '5')
    """
    indices = np.arange(2 ** len(used), dtype=np.int64)
    states = np.zeros_like(indices)
    for position, qubit in enumerate(used):
        states |= ((indices >> position) & 1) << qubit
    return tuple(map(str, states.tolist()))


def bits(number: str, num_qubits: int) -> str:
    """A state as a bit string, qubit 0 last.

    Args:
        number: the service's decimal number.
        num_qubits: length of the string.

    Returns:
        The string.

    Example:
        >>> bits("1", 3)
        '001'
    """
    return format(int(number), f"0{num_qubits}b")
