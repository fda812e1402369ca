"""Who writes a run: a process id together with the moment that process started.

A process id alone says little, because the system hands it out again after the process has ended.
"""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Writer(NamedTuple):
    """A process that writes a run.

    Args:
        process_id: id of the process.
        process_start: text that no other process with the same id has.

    Example:
        >>> Writer.this_process().is_alive()
        True
    """

    process_id: int
    process_start: str

    @classmethod
    def this_process(cls) -> Writer:
        """Names the process that calls.

        Returns:
            Its id and its start.

        Example:
            >>> Writer.this_process() == Writer.this_process()
            True
        """
        process_id = os.getpid()
        return cls(process_id, _own_start(process_id))

    def is_alive(self) -> bool:
        """Tells whether the very process still runs.

        Where a system tells nothing about other processes, they count as ended. That is safe:
        `RunStore.append` refuses a process whose run another one has resumed.

        Returns:
            True while it runs.

        Example:
            >>> Writer(os.getpid(), "another start").is_alive()
            False
        """
        return self == Writer.this_process() or self.process_start == process_start(self.process_id)


@cache
def _own_start(process_id: int) -> str:
    return process_start(process_id) or ""


# What a fork inherits is about another process.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_own_start.cache_clear)


def process_start(process_id: int) -> str | None:
    """Gives a text that tells a living process from later ones with the same id.

    On Linux that is the boot of the system and the clock tick at which the process started (field
    22 of `/proc/<pid>/stat`); elsewhere the start time that `ps` prints.

    Args:
        process_id: id of a process.

    Returns:
        The text, or None if no such process is alive or the system does not tell.

    Example:
        >>> process_start(os.getpid()) == process_start(os.getpid())
        True
    """
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    try:
        if boot_id.exists():
            stat = Path(f"/proc/{process_id}/stat").read_text(errors="replace")
            # The second field is the program's name in parentheses and may itself hold both.
            state, *rest = stat.rpartition(")")[2].split()
            return None if state in "ZX" else f"{boot_id.read_text().strip()}:{rest[18]}"
        command = ["ps", "-o", "lstart=", "-p", str(process_id)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
    except OSError:
        return None
