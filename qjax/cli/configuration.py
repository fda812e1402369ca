"""From files, presets and `--set` to a configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qjax.errors import ArgumentError
from qjax.train import TrainingConfig, preset


def read_config(path: Path | None, preset_name: str | None, assignments: Sequence[str]) -> TrainingConfig:
    """Reads a configuration: defaults, then the preset, then the file, then `--set`.

    Args:
        path: a TOML file, or None.
        preset_name: name of a preset, or None.
        assignments: "key=value" texts; a value is read as TOML, or else as a string; "none" means no value
            except where it is the name of a choice.

    Returns:
        The configuration.

    Raises:
        ArgumentError: if a file cannot be read, or a key or a value cannot work.

    Example:
        >>> read_config(None, "fast", ["epochs=3", "dataset=wine"]).dataset
        'wine'
    """
    return TrainingConfig.from_mapping(read_values(path, preset_name, assignments))


def read_values(path: Path | None, preset_name: str | None, assignments: Sequence[str]) -> dict[str, Any]:
    """Reads the keys that are set, as `read_config` does, without looking whether they fit together.

    Args:
        path: a TOML file, or None.
        preset_name: name of a preset, or None.
        assignments: "key=value" texts.

    Returns:
        Keys and values.

    Raises:
        ArgumentError: if a file cannot be read, or an assignment is none.
    """
    values: dict[str, Any] = {}
    if preset_name is not None:
        values.update(preset(preset_name))
    if path is not None:
        values.update(_read_toml(path))
    values.update(_assigned(assignments))
    return values


def resumed_config(recorded: Mapping[str, Any], assignments: Sequence[str]) -> TrainingConfig:
    """The configuration to go on with: the recorded one, where only what changes no number may be set.

    Args:
        recorded: the configuration that the run was started with.
        assignments: "key=value" texts.

    Returns:
        The configuration.

    Raises:
        ArgumentError: if another key is set, or a value cannot work.

    Example:
        >>> resumed_config({"epochs": 3}, ["batch_submission_timeout=900"]).batch_submission_timeout
        900.0
    """
    values = _assigned(assignments)
    for key in values:
        if key != _MAY_CHANGE:
            raise ArgumentError(
                "--set",
                f"name nothing but `{_MAY_CHANGE}` where a run is resumed",
                f"it names `{key}`",
                "A run goes on with the configuration it was started with: start another one to change more.",
            )
    return TrainingConfig.from_mapping({**recorded, **values})


_MAY_CHANGE = "batch_submission_timeout"


def _assigned(assignments: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, value = assignment.partition("=")
        if not separator or not key.strip():
            raise ArgumentError(
                "--set",
                "have the form KEY=VALUE",
                f"it is {assignment!r}",
                "Write, for example, `--set epochs=3`.",
            )
        values[key.strip()] = _parse(key.strip(), value.strip())
    return values


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problem, cure = f"`{path}` cannot be read ({error.strerror})", "Check the path."
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        problem, cure = f"`{path}` is not TOML ({error})", "Correct the line it names."
    raise ArgumentError("CONFIG", "be a readable TOML file", problem, cure)


_NONE_IS_A_NAME = ("encoding", "head", "scaling")


def _parse(key: str, text: str) -> Any:
    if text.lower() == "null" or (text.lower() == "none" and key not in _NONE_IS_A_NAME):
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
