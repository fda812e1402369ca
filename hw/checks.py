"""Settings of the executor on IonQ: what has a meaning, and what goes together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hw.client import find_host
from hw.limits import MAX_SHOTS
from hw.targets import DEBIASING_SHOTS, NOISE_MODELS, SIMULATOR, check_target
from qjax.errors import ArgumentError


def check_settings(settings: Mapping[str, Any]) -> None:
    """Checks the settings of an executor as far as that goes without the service.

    Args:
        settings: the executor's settings by name.

    Raises:
        ArgumentError: if one has no meaning, or two do not go together.
    """
    target = settings["target"]
    check_target(target)
    is_simulator = target == SIMULATOR
    for name, known in (
        ("gateset", ("qis", "native")),
        ("on_unknown", ("stop", "resubmit")),
        ("on_canceled", ("stop", "resubmit")),
        ("noise_model", (None, *NOISE_MODELS)),
    ):
        value = settings[name]
        if value not in known:
            raise ArgumentError(
                name, f"be one of {', '.join(map(str, known))}", f"it is {value!r}", "Pick one."
            )
    if settings["gateset"] == "native" and target == "qpu":
        raise ArgumentError(
            "target",
            "name a machine where circuits are compiled to its native gates",
            'it is "qpu"',
            'Write "qpu.forte-1", or `gateset="qis"`.',
        )
    if settings["noise_model"] is not None and not is_simulator:
        raise ArgumentError(
            "noise_model",
            "be None on a machine",
            f"the target is `{target}`",
            'Simulate noise on the target "simulator".',
        )
    for name in ("lookup_seconds", "timeout"):
        value = settings[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ArgumentError(
                name, "be a number of seconds, 0 or more", f"it is {value!r}", "Pass a number."
            )
    attempts = settings["max_attempts"]
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        raise ArgumentError("max_attempts", "be a positive integer", f"it is {attempts!r}", "Pass 3.")
    find_host(settings["remote_host"])
    _check_shots(settings, is_simulator)


def _check_shots(settings: Mapping[str, Any], is_simulator: bool) -> None:
    shots = settings["shots"]
    if shots is None:
        if is_simulator and settings["noise_model"] is None:
            return
        raise ArgumentError(
            "shots",
            "be given on machines and noisy simulators",
            "it is None",
            "Pass `shots=1000`, or use the ideal simulator.",
        )
    numbers = shots if isinstance(shots, tuple) else (shots,)
    for number in numbers or (0,):
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_SHOTS:
            raise ArgumentError(
                "shots",
                f"be None, an integer from 1 to {MAX_SHOTS:,}, or a tuple with one for each parameter set",
                f"it is {shots!r}",
                "Pass `shots=None` for exact results.",
            )
    if settings["debiasing"] and min(numbers) < DEBIASING_SHOTS:
        raise ArgumentError(
            "debiasing",
            f"be False for fewer than {DEBIASING_SHOTS} shots",
            f"there are {min(numbers)}",
            "Take more shots.",
        )
