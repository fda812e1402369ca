"""The form that every message about an argument has."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from qjax.errors import ArgumentError

FORM = re.compile(r"Argument `[a-z_]+` must .+, but .+\. [A-Z].+[.?]")


def check_message(error: ArgumentError, argument: str | None = None) -> None:
    message = str(error)
    assert FORM.fullmatch(message), message  # without DOTALL, so on one line
    assert len(message) < 400, message
    if argument is not None:
        assert error.argument == argument, message
        assert f"`{argument}`" in message


def faults(
    argument: str, make: Callable[[Any], object], *values: Any
) -> list[tuple[str, Callable[[], object]]]:
    """Calls that must fail with a message about an argument: one for each value, whatever its type."""
    return [(argument, partial(make, value)) for value in values]
