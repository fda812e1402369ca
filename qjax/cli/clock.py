"""How long this process has been running."""

from __future__ import annotations

import os
import time

_IMPORTED = time.perf_counter()


def seconds_since_start() -> float:
    """Seconds since the process began, interpreter and imports included.

    Where the system does not tell (it does on Linux), seconds since this module was imported.
    """
    try:
        with open("/proc/self/stat", encoding="ascii") as file:
            # The second field, the name, may hold spaces; what follows it does not.
            ticks = int(file.read().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return time.perf_counter() - _IMPORTED
