"""From files, presets and `--set` to a configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qjax.errors import ArgumentError
from qjax.train import TrainingConfig, preset


def read_config(path: Path | None, preset_name: str | None, assignments: Sequence[str]) -> TrainingConfig:
    """Reads a configuration: defaults, then the preset, then the file, then `--set`.

    Args:
        path: a TOML file, or None.
        preset_name: name of a preset, or None.
        assignments: "key=value" texts; a value is read as TOML, or else as a string.

    Returns:
        The configuration.

    Raises:
        ArgumentError: if a file cannot be read, or a key or a value cannot work.

    Example:
        >>> read_config(None, "fast", ["epochs=3", "dataset=wine"]).dataset
        'wine'
    """
    values: dict[str, Any] = {}
    if preset_name is not None:
        values.update(preset(preset_name))
    if path is not None:
        values.update(_read_toml(path))
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key.strip():
            raise ArgumentError(
                "--set",
                "have the form KEY=VALUE",
                f"it is {assignment!r}",
                "Write, for example, `--set epochs=3`.",
            )
        values[key.strip()] = _parse(value.strip())
    return TrainingConfig.from_mapping(values)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem, cure = f"`{path}` cannot be read ({error.strerror})", "Check the path."
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem, cure = f"`{path}` is not TOML ({error})", "Correct the line it names."
    raise ArgumentError("CONFIG", "be a readable TOML file", problem, cure)


def _parse(text: str) -> Any:
    if text.lower() in ("none", "null"):
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
