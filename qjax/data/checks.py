"""Checks of plain arguments, and the words that error messages share."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

from qjax.errors import ArgumentError


def check_integer(argument: str, value: Any, minimum: int) -> int:
    """Return `value` as an `int` of at least `minimum`.

    Args:
        argument: name of the argument, for the message.
        value: a Python or numpy integer; `bool` is refused.
        minimum: the smallest value allowed.

    Returns:
        The value as a Python `int`.

    Raises:
        ArgumentError: the value is not an integer, or is too small.

    Example:
        >>> check_integer("batch_size", 32, minimum=1)
        32
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < minimum:
        raise ArgumentError(
            argument,
            f"be a whole number of at least {minimum}",
            f"it is {shown(value)}",
            f"Pass {minimum} or more.",
        )
    return number


def check_real(argument: str, value: Any, minimum: float = -math.inf) -> float:
    """Return `value` as a finite `float` of at least `minimum`.

    Args:
        argument: name of the argument, for the message.
        value: a real number; `bool` and text are refused.
        minimum: the smallest value allowed.

    Returns:
        The value as a Python `float`.

    Raises:
        ArgumentError: the value is not a finite number, or is too small.

    Example:
        >>> check_real("noise", 0.1, minimum=0.0)
        0.1
    """
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < minimum:
        bound = "" if minimum == -math.inf else f" of at least {minimum:g}"
        raise ArgumentError(
            argument, f"be a finite number{bound}", f"it is {shown(value)}", f"Pass a number{bound}."
        )
    return number


def shown(value: object, limit: int = 120) -> str:
    r"""Quote a value of the user on one short line, whatever characters it holds.

    Args:
        value: anything that has a text form.
        limit: the longest text to keep, in characters.

    Returns:
        The text between backticks, with control characters escaped and the middle of a long text cut.

    Example:
        >>> print(shown("two" + chr(10) + "lines"))
        `two\nlines`
    """
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))
    if len(text) > limit:
        text = f"{text[: limit // 2]}...{text[-(limit // 2) :]}"
    return f"`{text}`"


def listed(names: Iterable[object], limit: int = 20) -> str:
    """Join names for a message, the first `limit` of them.

    Example:
        >>> listed(["age", "height"])
        '`age`, `height`'
    """
    quoted = [shown(name) for name in names]
    rest = len(quoted) - limit
    return ", ".join(quoted[:limit]) + (f" and {rest} more" if rest > 0 else "")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return a sentence that offers the closest choice, or nothing where none is close.

    Example:
        >>> did_you_mean("ring", ["rings", "parity"])
        ' Did you mean `rings`?'
        >>> did_you_mean("moons", ["wine"])
        ''
    """
    from difflib import get_close_matches

    originals = {choice.lower(): choice for choice in choices}
    close = get_close_matches(name.lower(), list(originals), n=1)
    return f" Did you mean {shown(originals[close[0]])}?" if close else ""
