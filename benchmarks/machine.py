"""What the figures depend on: the machine, its cores, and the versions of everything."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS, load
from qjax.engine import native
from qjax.engine.native.library import load as load_native
from qjax.machine import num_cores

_FLAGS = ("avx2", "fma", "avx512f", "asimd")


def usable_cores(count: int) -> tuple[int, ...]:
    """The first cores that this process may run on.

    Args:
        count: how many.

    Returns:
        Their numbers; fewer where there are fewer.
    """
    return tuple(sorted(os.sched_getaffinity(0))[:count])


def describe_machine() -> dict[str, Any]:
    """Processor, system, and versions of this project and of every installed peer."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    names = {key.strip(): value.strip() for key, value in fields.items()}
    flags = names.get("flags", names.get("Features", "")).split()
    versions: dict[str, str] = {}
    for peer in PEERS:
        versions |= load(peer).versions or {}
    return {
        "processor": names.get("model name", platform.processor()),
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "cores": num_cores(),
        "system": platform.system(),
        "python": platform.python_version(),
        "native engine": native.isa(),
        "native library": _digest(),
        "versions": dict(sorted(versions.items())),
    }


def conditions(machine: dict[str, Any]) -> str:
    """A digest of all that decides a row besides its key."""
    text = json.dumps(machine, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _digest() -> str | None:
    """Digest of the compiled kernel: another build is another subject."""
    if native.isa() is None:
        return None
    return hashlib.blake2b(Path(load_native().handle._name).read_bytes(), digest_size=8).hexdigest()
