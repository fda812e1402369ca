from __future__ import annotations

from collections.abc import Iterator

import jax
import pytest

from tests.hw.standin import StandIn


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    for name in ("IONQ_API_KEY", "CIRQ_IONQ_API_KEY", "IONQ_REMOTE_HOST", "CIRQ_IONQ_REMOTE_HOST"):
        monkeypatch.delenv(name, raising=False)
    with StandIn() as running:
        yield running


@pytest.fixture
def double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
