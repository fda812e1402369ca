"""The command called in this process, with what it changes put back after each test."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pytest

from qjax.cli import main

from ..pinecone_server import pinecone  # noqa: F401  (a fixture)
from .commands import Outcome

_CHANGED = (
    "jax_enable_x64",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this session keeps compiled programs, for this process and for those that it starts."""
    return tmp_path_factory.mktemp("xla")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = {name: getattr(jax.config, name) for name in _CHANGED}
    handler, thresholds = signal.getsignal(signal.SIGTERM), gc.get_threshold()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(cache))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("COLUMNS", "80")
    jax.config.update("jax_compilation_cache_dir", str(cache))
    yield
    signal.signal(signal.SIGTERM, handler)
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    atexit.unregister(gc.freeze)
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture
def qjax(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Calls the command as the shell would."""

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["qjax", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        code = exited.value.code
        assert isinstance(code, int)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
