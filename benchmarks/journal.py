"""Results in a file, one a line, written as they come, so that nothing measured is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """Results by name.

    Results of another machine, of other versions or other limits stay in the file and do not count.

    Args:
        path: the file; need not exist.
        conditions: digest of what results depend on besides their names.
    """

    def __init__(self, path: Path, conditions: str):
        self._path, self._conditions = path, conditions
        self.results: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                self._read(line)

    def add(self, name: str, result: Any) -> None:
        """Keeps a result, on the disk too.

        Args:
            name: its name; a later result of the same name replaces an earlier one.
            result: the result, ready for JSON.
        """
        line = json.dumps({"conditions": self._conditions, "name": name, "result": result})
        with self._path.open("a+b") as file:
            # What a broken-off write left without its end must not swallow this line.
            if file.tell() and _last_byte(file) != b"\n":
                line = "\n" + line
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.results[name] = result

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
            if entry["conditions"] == self._conditions:
                self.results[entry["name"]] = entry["result"]
        except (json.JSONDecodeError, KeyError, TypeError):
            pass  # a line that was broken off


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)
