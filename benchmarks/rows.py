"""Rows of results: what was measured of one peer at one cell, and the file that keeps them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Status = Literal["measured", "timeout", "wrong", "failed", "absent", "no way", "not tried"]


@dataclass(frozen=True)
class Row:
    """One peer at one cell.

    Args:
        peer: name of the peer.
        cell: name of the cell.
        cores: number of cores.
        status: "measured"; "timeout" if nothing came in the limit; "wrong" if the answer is; "failed" if the
            process ended; "absent" if the peer is not installed; "no way" if it has none for the task; "not
            tried" if a smaller cell of the same sweep gave nothing.
        note: what a person should know: a limit, a message, a deviation.
        first: seconds of the first call, from circuit and numbers to the answer.
        steady: seconds of a steady call, the shortest.
        subject_steady: the same for this project, measured in turn with it.
        ratio: steady time over this project's, the median over rounds.
        deviation: largest deviation from the reference's answer, over the answer's scale.
        peak_rss: most memory that the process held, bytes.
    """

    peer: str
    cell: str
    cores: int
    status: Status
    note: str = ""
    first: float | None = None
    steady: float | None = None
    subject_steady: float | None = None
    ratio: float | None = None
    deviation: float | None = None
    peak_rss: int | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """What is measured once."""
        return self.peer, self.cell, self.cores


class RowFile:
    """Rows in a file, one a line, appended as they come.

    Rows of another machine, of other versions or limits stay in the file and do not count.

    Args:
        path: the file; need not exist.
        conditions: digest of what the rows depend on besides their keys.
    """

    def __init__(self, path: Path, conditions: str):
        self._path, self._conditions = path, conditions
        self.rows: dict[tuple[str, str, int], Row] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                if (row := self._read(line)) is not None:
                    self.rows[row.key] = row

    def add(self, row: Row) -> None:
        """Keeps a row, on the disk too."""
        line = json.dumps({"conditions": self._conditions, **asdict(row)}) + "\n"
        with self._path.open("a+b") as file:
            # A line that a broken-off write left without its end must not swallow this one.
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self.rows[row.key] = row

    def _read(self, line: str) -> Row | None:
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            return None
        return Row(**values) if values.pop("conditions", None) == self._conditions else None
