"""Settings of the process; a library must not touch them, a program may."""

from __future__ import annotations

import os
from pathlib import Path

import jax

from qjax.cli.garbage import end_startup
from qjax.train import TrainingConfig


def apply_settings(config: TrainingConfig) -> None:
    """Turns on what the configuration needs: 64-bit mode for complex128, and the compilation cache.

    With this the startup of a command ends, see `qjax.cli.garbage`.

    Args:
        config: the configuration.
    """
    end_startup()
    if config.dtype == "complex128":
        jax.config.update("jax_enable_x64", True)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_directory()))
    # Whatever a command compiles is read back sooner.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def cache_directory() -> Path:
    """Where compiled programs are kept: `qjax/xla` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "qjax" / "xla"
