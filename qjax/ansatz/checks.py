"""Checks of the arguments that the ansatz families share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qjax.errors import ArgumentError


def check_count(argument: str, value: Any, minimum: int = 1) -> int:
    """A whole number of at least `minimum`, as an `int`.

    Args:
        argument: name of the argument, for the message.
        value: a Python or NumPy integer.
        minimum: the smallest value allowed.

    Returns:
        The number.

    Raises:
        ArgumentError: if it is no integer or too small.

    Example:
        >>> check_count("num_layers", 3)
        3
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ArgumentError(
            argument, f"be an integer of {minimum} or more", f"it is {value!r}", f"Pass {minimum} or more."
        )
    return int(value)


def check_name(argument: str, value: Any, known: Iterable[str]) -> str:
    """One of some known names.

    Args:
        argument: name of the argument, for the message.
        value: what the caller wrote.
        known: the names that have a meaning.

    Returns:
        The name.

    Raises:
        ArgumentError: if it is none of them; the message lists them and names the closest.

    Example:
        >>> check_name("topology", "rnig", ("linear", "ring"))
        Traceback (most recent call last):
        ...
        qjax.errors.ArgumentError: Argument `topology` must be one of linear, ring, but it is 'rnig'. Did you
        mean `ring`?
    """
    names = list(known)
    if isinstance(value, str) and value in names:
        return value
    close = difflib.get_close_matches(str(value).lower(), names, n=1)
    cure = f"Did you mean `{close[0]}`?" if close else "Pick one of these names."
    raise ArgumentError(argument, f"be one of {', '.join(names)}", f"it is {value!r}", cure)


def check_rotations(rotations: Sequence[str]) -> tuple[str, ...]:
    """One, two or three names of one-qubit rotations.

    Args:
        rotations: a sequence of "rx", "ry" and "rz", in the order of application.

    Returns:
        The names.

    Raises:
        ArgumentError: if it is a bare string, has another length, or holds an unknown name.

    Example:
        >>> check_rotations(["ry", "rz"])
        ('ry', 'rz')
    """
    if isinstance(rotations, str) or not isinstance(rotations, Sequence) or not 1 <= len(rotations) <= 3:
        raise ArgumentError(
            "rotations",
            "be a sequence of one, two or three rotations",
            f"it is {rotations!r}",
            'Write `rotations=("ry", "rz")`.',
        )
    return tuple(check_name("rotations", rotation, ROTATIONS) for rotation in rotations)


ROTATIONS: tuple[str, ...] = ("rx", "ry", "rz")
"""The one-qubit rotations that layers and encodings are made of."""
