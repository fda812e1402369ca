"""Rows of results: what was measured of one peer at one cell."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

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
        timeout: seconds that it had for a first call or a measurement.
        rounds: the most rounds that it had.
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
    timeout: float = 0.0
    rounds: int = 0

    @property
    def name(self) -> str:
        """What is measured once."""
        return row_name(self.peer, self.cell, self.cores)

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready values; `Row(**values)` reads them back."""
        return asdict(self)


def row_name(peer: str, cell: str, cores: int) -> str:
    """The name under which a row is kept."""
    return f"row {peer} {cell} {cores}"


def rows_of(results: dict[str, Any]) -> list[Row]:
    """The rows among results."""
    return [Row(**value) for name, value in results.items() if name.startswith("row ")]
