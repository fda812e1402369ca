"""The machine and the packages a run was made with."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path
from typing import Any

from qjax.machine import num_cores

_PACKAGES = ("qjax", "jax", "jaxlib", "numpy", "optax", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Describes Python, the machine and the package versions, without importing JAX.

    Returns:
        JSON data with the keys `python`, `platform`, `cpu`, `cores` (cores this process may use)
        and `packages` (name to version, None where a package is not installed).

    Example:
        >>> environment = describe_environment()
        >>> sorted(environment)
        ['cores', 'cpu', 'packages', 'platform', 'python']
        >>> environment["cores"] >= 1
        True
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": num_cores(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


# Kept for the process, of which it is true as long as it lives; finding it out takes milliseconds.
@cache
def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


@cache
def _version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
