"""Where circuits can run: the service's targets, their sizes, and settings that fit them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hw.errors import ServiceError
from hw.limits import SIMULATOR_QUBITS
from qjax.checks import shown
from qjax.errors import ArgumentError

SIMULATOR = "simulator"
NOISE_MODELS = ("harmony", "harmony-1", "harmony-2", "aria-1", "aria-2", "forte-1", "forte-enterprise-1")
DEBIASING_SHOTS = 500
"""The fewest shots of a circuit that the service debiases."""


def check_target(target: str) -> None:
    """Checks a target's name as far as that goes without the service.

    Args:
        target: the name.

    Raises:
        ArgumentError: if no target is called so.
    """
    if not isinstance(target, str) or not re.fullmatch(r"simulator|qpu(\.[a-z0-9-]+)?", target):
        raise ArgumentError(
            "target",
            'be "simulator" or a machine such as "qpu.forte-1"',
            f"it is {shown(target)}",
            "The service lists its machines at cloud.ionq.com/backends.",
        )


def num_qubits(target: str, backends: Sequence[Mapping[str, Any]]) -> int | None:
    """How many qubits a target has.

    Args:
        target: its name.
        backends: what the service says of its targets.

    Returns:
        The number; None if it is not known.

    Raises:
        ServiceError: if the service has no such target, or has retired it.

    Example:
        >>> num_qubits("qpu.forte-1", [{"backend": "qpu.forte-1", "qubits": 36, "status": "available"}])
        36
    """
    named = {str(each.get("backend")): each for each in backends}
    if target == "qpu":
        found = [each for name, each in named.items() if name.startswith("qpu")]
        return max((int(each.get("qubits") or 0) for each in found), default=None)
    if target not in named:
        if target == SIMULATOR or not named:
            return SIMULATOR_QUBITS if target == SIMULATOR else None
        known = ", ".join(f"`{name}`" for name in sorted(named))
        raise ServiceError(f"The service has no target `{target}`. It has {known}.")
    if named[target].get("status") == "retired":
        raise ServiceError(f"The service has retired `{target}`. Choose another target.")
    qubits = named[target].get("qubits")
    return int(qubits) if isinstance(qubits, int | float) else None
