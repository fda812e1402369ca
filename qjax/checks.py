"""Checks of single values that callers pass, and how error messages show them."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy as np

from qjax.errors import ArgumentError

_MAX_LENGTH = 100
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: Any) -> str:
    """A value as an error message shows it: its `repr`, shortened and on one line.

    Args:
        value: anything.

    Returns:
        The text.

    Example:
        >>> shown(np.eye(2))
        'array([[1., 0.], [0., 1.]])'
    """
    text = " ".join(_SHORT.repr(value).split())
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 4]} ..."


def as_integer(value: Any) -> int | None:
    """A value as an int: Python's and NumPy's integers, but not booleans; None for anything else.

    Example:
        >>> as_integer(np.int64(3)), as_integer(3.0)
        (3, None)
    """
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def as_finite(value: Any) -> float | None:
    """A value as a float: finite real numbers and arrays of shape `[]` that hold one; None for anything else.

    Example:
        >>> as_finite(np.float32(0.5)), as_finite("0.5"), as_finite(math.inf)
        (0.5, None, None)
    """
    try:
        if not isinstance(value, int | float):
            array = np.asarray(value)
            if array.shape != () or array.dtype.kind not in "iuf":
                return None
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # traced by JAX, not an array, or beyond all floats
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def integer(argument: str, value: Any, minimum: int | None = None, cure: str = "Pass an int.") -> int:
    """Checks an integer.

    Args:
        argument: name of the argument, for the message.
        value: what was passed.
        minimum: the smallest value that is accepted, or None for no bound.
        cure: what to do otherwise.

    Returns:
        The value as an int.

    Raises:
        ArgumentError: if it is not an integer, or too small.

    Example:
        >>> integer("times", 3, 1)
        3
    """
    number = as_integer(value)
    if number is None or (minimum is not None and number < minimum):
        bound = "" if minimum is None else f" of {minimum} or more"
        raise ArgumentError(argument, f"be an integer{bound}", f"it is {shown(value)}", cure)
    return number


def finite(argument: str, value: Any, cure: str = "Pass a finite number.") -> float:
    """Checks a finite real number.

    Args:
        argument: name of the argument, for the message.
        value: what was passed.
        cure: what to do otherwise.

    Returns:
        The value as a float.

    Raises:
        ArgumentError: if it is not a number, or complex, infinite or NaN.

    Example:
        >>> finite("scale", 2)
        2.0
    """
    number = as_finite(value)
    if number is None:
        raise ArgumentError(argument, "be a finite real number", f"it is {shown(value)}", cure)
    return number
