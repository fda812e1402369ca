"""A running server, and a client that speaks plain HTTP with it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from hw.server import LocalServer, ServerConfig
from tests.hw.server.client import connected


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[LocalServer]:
    config = ServerConfig(tmp_path_factory.mktemp("server") / "jobs.sqlite")
    with LocalServer(config) as running:
        yield running


@pytest.fixture(scope="module")
def client(server) -> Iterator[httpx.Client]:
    with connected(server) as one:
        yield one
