"""How the tests compile: a program once in a session, and fast where little runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import pytest


def _with_settings(settings: Mapping[str, Any]) -> Iterator[None]:
    before = {name: jax.config.values[name] for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="package", autouse=True)
def _compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled programs are kept: many tests train the same model again."""
    yield from _with_settings(
        {
            "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("xla")),
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": 0,
        }
    )


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Programs compile faster and run slower."""
    yield from _with_settings({"jax_disable_most_optimizations": True})
