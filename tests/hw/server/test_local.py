"""A server inside a process leaves the rest of the process alone."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from hw.server import start


def test_the_handlers_of_the_process_stay_open(tmp_path: Path) -> None:
    closed = []

    class Handler(logging.StreamHandler):
        def close(self) -> None:
            closed.append(self)
            super().close()

    handler = Handler(io.StringIO())
    with start(tmp_path / "jobs.sqlite"):
        pass
    assert not closed
    handler.close()
