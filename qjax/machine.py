"""The machine that this process runs on."""

from __future__ import annotations

import os


def num_cores() -> int:
    """Cores that this process may use.

    A container or a job scheduler often allows fewer than the machine has.

    Returns:
        Their number, 1 where it cannot be found out.

    Example:
        >>> num_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
