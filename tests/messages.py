"""The form that every message about an argument has."""

from __future__ import annotations

import re

from qjax.errors import ArgumentError

FORM = re.compile(r"Argument `[a-z_]+` must .+, but .+\. [A-Z].+[.?]")


def check_message(error: ArgumentError, argument: str | None = None) -> None:
    message = str(error)
    assert FORM.fullmatch(message), message  # without DOTALL, so on one line
    assert len(message) < 400, message
    if argument is not None:
        assert error.argument == argument, message
        assert f"`{argument}`" in message
