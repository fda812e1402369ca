"""Rows as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmarks.cell import Cell
from benchmarks.peers import SUBJECT, load
from benchmarks.rows import Row

_WORDS = {"wrong": "wrong answer", "no way": "-", "absent": "not installed"}


def duration(seconds: float | None) -> str:
    """A duration in the unit that suits it, with two or three digits.

    Example:
        >>> [duration(s) for s in (3.57e-6, 0.000173, 0.0112, 1.6, 176.3)]
        ['3.6 µs', '173 µs', '11.2 ms', '1.60 s', '176 s']
    """
    if seconds is None:
        return "-"
    for factor, unit in ((1e6, "µs"), (1e3, "ms"), (1.0, "s")):
        value = seconds * factor
        if value < 999.5 or unit == "s":
            digits = 0 if value >= 99.5 else 1 if value >= 9.95 else 2
            return f"{value:.{1 if unit == 'µs' and digits == 2 else digits}f} {unit}"
    raise AssertionError  # the last unit takes everything


def main_table(rows: Iterable[Row], cells: Sequence[Cell], peers: Sequence[str], cores: int) -> str:
    """A line for each cell, a column for each peer: steady time and, in brackets, the first call.

    Args:
        rows: all rows.
        cells: the cells, in order.
        peers: the peers, in order; those that are not installed get no column.
        cores: which rows.

    Returns:
        The table.
    """
    by_key = {(row.peer, row.cell, row.cores): row for row in rows}
    shown = [p for p in peers if load(p).versions is not None]
    lines = [
        _line(["circuit", *(_heading(peer) for peer in shown), "best peer / qjax"]),
        _line(["---", *("--:" for _ in shown), "--:"]),
    ]
    for cell in cells:
        found = in_turns([by_key.get((peer, cell.name, cores)) for peer in shown])
        lines.append(_line([cell.label, *(entry(row) for row in found), ratio_entry(best(found))]))
    return "\n".join(lines)


def summary_table(rows: Iterable[Row], cells: Sequence[Cell], peers: Sequence[str], cores: int) -> str:
    """A line for each cell: this project and the fastest of the peers.

    Args:
        rows: all rows.
        cells: the cells, in order.
        peers: the peers.
        cores: which rows.

    Returns:
        The table.
    """
    lines = [
        _line(["circuit", "qjax", "fastest peer", "it takes", "nothing in the time given"]),
        _line(["---", "--:", "---", "--:", "---"]),
    ]
    for cell in cells:
        of_cell = [row for row in rows if (row.cell, row.cores) == (cell.name, cores) and row.peer in peers]
        found = [row for row in in_turns(of_cell) if row]
        subject = next((row for row in found if row.peer == SUBJECT), None)
        fastest = best(found)
        silent = [load(row.peer).title for row in found if row.status in ("timeout", "failed", "not tried")]
        other = "-" if fastest is None else f"{load(fastest.peer).title}: {entry(fastest)}"
        times = "-" if fastest is None else f"{number(fastest.ratio)}x"
        lines.append(_line([cell.label, entry(subject), other, times, ", ".join(silent)]))
    return "\n".join(lines)


def in_turns(rows: Sequence[Row | None]) -> list[Row | None]:
    """The rows of a cell, this project's with the shortest of its times beside any of the peers."""
    shortest = min((row.subject_steady for row in rows if row and row.subject_steady), default=None)
    return [
        replace(row, steady=shortest) if row and row.peer == SUBJECT and row.steady else row for row in rows
    ]


def best(rows: Iterable[Row | None]) -> Row | None:
    """The fastest of the measured rows that are not this project's."""
    others = [row for row in rows if row and row.ratio and not row.peer.startswith("qjax-")]
    return min(others, key=lambda row: row.ratio or 0.0, default=None)


def entry(row: Row | None) -> str:
    """What stands in a cell of the table."""
    if row is None:
        return ""
    if row.status == "measured":
        return f"{duration(row.steady)} ({duration(row.first)})"
    if row.status == "timeout":
        return f"> {row.note.removeprefix('nothing in ')}"
    return _WORDS.get(row.status, row.status)


def ratio_entry(row: Row | None) -> str:
    """How many times as long the best peer takes."""
    if row is None:
        return "none gave an answer"
    return f"{number(row.ratio)}x ({load(row.peer).title})"


def number(value: float | None) -> str:
    """A ratio with two digits or more.

    Example:
        >>> number(0.97), number(8.24), number(25.6)
        ('0.97', '8.2', '26')
    """
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 1.95 else f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def _heading(name: str) -> str:
    peer = load(name)
    return f"{peer.title}{' (double)' if peer.precision == 'double' else ''}"


def _line(entries: Iterable[str]) -> str:
    return "| " + " | ".join(entries) + " |"


def peers_table(peers: Sequence[str]) -> str:
    """Who is compared, in which version, precision and form."""
    lines = [_line(["peer", "version", "precision", "form"]), _line(["---"] * 4)]
    for name in peers:
        peer = load(name)
        versions = peer.versions
        text = "not installed" if versions is None else ", ".join(f"{k} {v}" for k, v in versions.items())
        lines.append(_line([peer.title, text, peer.precision, peer.form]))
    return "\n".join(lines)
