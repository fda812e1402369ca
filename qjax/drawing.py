"""Circuits as text: one line for each qubit, gates in columns, repeats as frames.

Drawing has three steps: `_Schedule` gives every gate a column, as early as possible; `_Canvas` paints the
columns; `draw` cuts the painting into blocks that fit the width.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qjax.checks import integer
from qjax.drawing_symbols import gate_symbols, repeat_label
from qjax.op import Op
from qjax.repeat import Repeat

if TYPE_CHECKING:
    from qjax.circuit import Circuit

_WIRE = "─"


def draw(circuit: Circuit, *, max_width: int | None = None) -> str:
    """Draws a circuit as text.

    Parameters are `θ0`, `θ1`, ..., features `x0`, `x1`, .... Gates stand as far left as they can. A repeat is
    drawn once, in a frame that says how often it is done and by how much its parameters and features move on.

    Args:
        circuit: the circuit.
        max_width: characters in a line, after which the drawing goes on in another block; by default the
            width of the terminal. A single gate or label that needs more gets it.

    Returns:
        The drawing, without a line break at its end.

    Raises:
        ArgumentError: if `max_width` is not an integer of 1 or more.

    Example:
        >>> from qjax import Angle, Circuit
        >>> layer = (Op("ry", (0,), Angle(param=0)), Op("rz", (1,), Angle(feature=0)), Op("cx", (0, 1)))
        >>> print(draw(Circuit(2, (Op("h", (0,)), Repeat(layer, times=3, param_stride=1)))))
               ╔ ×3 (θ+1) ╗
        q0: ─H─╫─RY(θ0)─●─╫─
               ║        │ ║
        q1: ───╫─RZ(x0)─⊕─╫─
               ╚══════════╝
    """
    if max_width is None:
        max_width = shutil.get_terminal_size().columns
    else:
        max_width = integer("max_width", max_width, 1, "Leave it out to use the width of the terminal.")
    schedule = _Schedule(circuit.num_qubits, _depth(circuit.ops))
    schedule.place(circuit.ops)
    canvas = _Canvas.paint(schedule)
    names = [f"q{qubit}: " for qubit in range(circuit.num_qubits)]
    margin = max(map(len, names))
    headers = [" " * margin] * schedule.num_lines
    for qubit, name in enumerate(names):
        headers[schedule.line(qubit)] = name.ljust(margin)
    blocks = []
    for start, stop in canvas.cuts(max_width - margin):
        cut = ["".join(line[start:stop]) for line in canvas.lines]
        lines = [(header + line).rstrip() for header, line in zip(headers, cut, strict=True)]
        blocks.append("\n".join(filter(None, lines)))  # lines between qubits stay where they hold something
    return "\n\n".join(blocks)


def _depth(ops: Sequence[Op | Repeat]) -> int:
    """How deep repeats are nested."""
    return max((1 + _depth(element.body) for element in ops if isinstance(element, Repeat)), default=0)


@dataclass(frozen=True)
class _Frame:
    """A repeat's frame: the columns and lines of its sides, and its label."""

    left: int
    right: int
    top: int
    bottom: int
    label: str


@dataclass
class _Schedule:
    """Where everything stands: lines from top to bottom, columns from left to right.

    A gap between qubits has a line for each frame that can be nested, and one at least for connections.
    """

    num_qubits: int
    depth: int
    symbols: list[tuple[int, int, str]] = field(default_factory=list)
    connections: list[tuple[int, int, int]] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)

    def __post_init__(self):
        self.num_lines = self.line(self.num_qubits - 1) + self.depth + 1
        self._next_column = [0] * self.num_lines

    def line(self, qubit: int) -> int:
        """The line of a qubit."""
        return self.depth + qubit * (max(self.depth, 1) + 1)

    def place(self, ops: Sequence[Op | Repeat]) -> None:
        """Places operations, each in the first column where its lines are free."""
        for element in ops:
            qubits = _qubits(element)
            if not qubits:
                continue  # a repeat of nothing
            top, bottom = self.line(min(qubits)), self.line(max(qubits))
            if isinstance(element, Repeat):
                margin = _depth((element,))
                self._place_frame(element, top - margin, bottom + margin)
                continue
            column = self._take(top, bottom)
            self.connections.append((column, top, bottom))
            for qubit, symbol in zip(element.qubits, gate_symbols(element), strict=True):
                self.symbols.append((column, self.line(qubit), symbol))

    def _place_frame(self, repeat: Repeat, top: int, bottom: int) -> None:
        left = self._take(top, bottom)
        self.place(repeat.body)
        self.frames.append(_Frame(left, self._take(top, bottom), top, bottom, f" {repeat_label(repeat)} "))

    def _take(self, top: int, bottom: int) -> int:
        lines = slice(top, bottom + 1)
        column = max(self._next_column[lines])
        self._next_column[lines] = [column + 1] * (bottom + 1 - top)
        return column


def _qubits(element: Op | Repeat) -> set[int]:
    if isinstance(element, Op):
        return set(element.qubits)
    return set().union(*(_qubits(inner) for inner in element.body))


@dataclass(frozen=True)
class _Canvas:
    """A painted schedule.

    Args:
        lines: characters of every line.
        starts: where each column starts (the character before it is a gap), and where the last one ends.
        joined: columns that must not be cut from the one before.
    """

    lines: list[list[str]]
    starts: list[int]
    joined: set[int]

    @staticmethod
    def paint(schedule: _Schedule) -> _Canvas:
        """Paints wires, then connections, frames and symbols over them."""
        widths = _column_widths(schedule)
        starts = [1]
        for width in widths:
            starts.append(starts[-1] + width + 1)
        middles = [start + (width - 1) // 2 for start, width in zip(starts, widths, strict=False)]
        wires = {schedule.line(qubit) for qubit in range(schedule.num_qubits)}
        lines = [[_WIRE if line in wires else " "] * starts[-1] for line in range(schedule.num_lines)]
        for column, top, bottom in schedule.connections:
            for line in range(top + 1, bottom):
                lines[line][middles[column]] = "┼" if line in wires else "│"
        for frame in schedule.frames:
            left, right = middles[frame.left], middles[frame.right]
            width = right - left - 1
            lines[frame.top][left : right + 1] = f"╔{frame.label.ljust(width, '═')}╗"
            lines[frame.bottom][left : right + 1] = f"╚{'═' * width}╝"
            for line in range(frame.top + 1, frame.bottom):
                for side in (left, right):
                    lines[line][side] = "╫" if line in wires else "║"
        for column, line, symbol in schedule.symbols:
            start = starts[column] + (widths[column] - len(symbol)) // 2
            lines[line][start : start + len(symbol)] = symbol
        joined = set()
        for frame in schedule.frames:
            label_end = middles[frame.left] + len(frame.label)
            joined.update(c for c in range(frame.left + 1, frame.right) if starts[c] <= label_end)
        return _Canvas(lines, starts, joined)

    def cuts(self, max_width: int) -> list[tuple[int, int]]:
        """First and last-plus-one character of each block."""
        edges = [start for column, start in enumerate(self.starts) if column not in self.joined]
        blocks = []
        start, stop = 0, edges[0]
        for edge in edges[1:]:
            if edge - start > max_width and stop > start + 1:
                blocks.append((start, stop))
                start = stop - 1  # the gap is seen on both sides of the cut
            stop = edge
        return [*blocks, (start, stop)]


def _column_widths(schedule: _Schedule) -> list[int]:
    right_sides = [frame.right for frame in schedule.frames]
    num_columns = 1 + max([column for column, *_ in schedule.connections] + right_sides, default=-1)
    widths = [1] * num_columns
    for column, _, symbol in schedule.symbols:
        widths[column] = max(widths[column], len(symbol))
    for frame in schedule.frames:  # inner frames come first, so an outer one sees how wide they are
        inside = widths[frame.left + 1 : frame.right]
        missing = len(frame.label) - sum(inside) - len(inside) - 1
        if missing > 0:
            widths[frame.right - 1] += missing
    return widths
