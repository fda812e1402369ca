"""Finds, loads and registers the compiled kernel."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jax

from qjax.engine.native.lowering import TABLE_VERSION
from qjax.errors import ArgumentError

ISA_VARIABLE = "QJAX_NATIVE_ISA"
"""Environment variable that forces a variant of the library: v2, v3, v4 or generic."""

CURE = "Install a C++ compiler (g++ 10 or newer) and run `pip install --force-reinstall --no-deps qjax`."

_LIBRARIES = Path(__file__).parent / "lib"
# From the widest registers to the narrowest, with the processor level that each needs.
_LEVELS = {"v4": 4, "v3": 3, "v2": 2, "generic": 0}


@dataclass(frozen=True)
class Library:
    """The loaded kernel.

    Args:
        isa: instruction set it was compiled for.
        handle: its symbols.
    """

    isa: str
    handle: ctypes.CDLL


@cache
def available() -> tuple[str, ...]:
    """The variants that are installed and that this processor runs, the fastest first."""
    installed = {isa: path for isa in _LEVELS if (path := _path(isa)).exists()}
    if not installed:
        return ()
    # Every variant answers this one question with instructions that all processors have.
    level = _open(next(reversed(installed.values()))).qjax_processor_level()
    return tuple(isa for isa in installed if _LEVELS[isa] <= level)


def isa() -> str | None:
    """The variant that runs here: v4, v3, v2 (of x86-64) or generic; None where there is none."""
    return load().isa if available() else None


@cache
def load() -> Library:
    """Loads the best variant and makes it known to JAX.

    Returns:
        The library; the same at every call.

    Raises:
        ArgumentError: if there is none, or not the one that `QJAX_NATIVE_ISA` asks for.
    """
    variants = available()
    wanted = os.environ.get(ISA_VARIABLE)
    if not variants:
        raise ArgumentError(
            "engine", 'be "auto" or "xla" here', "the native engine was not built with this install", CURE
        )
    if wanted and wanted not in variants:
        raise ArgumentError(
            ISA_VARIABLE, f"be one of {', '.join(variants)} on this machine", f"it is {wanted!r}", "Unset it."
        )
    isa = wanted or variants[0]
    handle = _open(_path(isa))
    if (version := handle.qjax_abi_version()) != TABLE_VERSION:
        raise ArgumentError(
            "engine",
            'be "xla" until the install is repaired',
            f"the native library has version {version} and this package needs {TABLE_VERSION}",
            CURE,
        )
    for name in ("evaluate", "differentiate", "pull_back", "statevector", "probabilities"):
        jax.ffi.register_ffi_target(
            target_name(name), jax.ffi.pycapsule(getattr(handle, f"qjax_{name}")), platform="cpu"
        )
    return Library(isa, handle)


def target_name(name: str) -> str:
    """The name under which JAX knows a handler.

    JAX's persistent cache outlives the library, so the name holds the version.
    """
    return f"qjax_{name}_v{TABLE_VERSION}"


def _path(isa: str) -> Path:
    return _LIBRARIES / f"libqjax_{isa}.so"


@cache
def _open(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))
