"""A service and a store for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qjax.store import RunStore

from ..pinecone_server import pinecone  # noqa: F401  (a fixture)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def store(folder: Path) -> Iterator[RunStore]:
    with RunStore.open(folder) as opened:
        yield opened
