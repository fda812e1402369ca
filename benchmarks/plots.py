"""Plots of the sweeps: steady time and first call of every peer."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cell import SWEEPS, Cell
from benchmarks.peers import load
from benchmarks.rows import Row

_AXES = {"depth": "layers", "batch": "samples", "qubits": "qubits"}
_TITLES = {
    "depth": "8 qubits, 10 samples, two parameter sets",
    "batch": "8 qubits, 2 layers, two parameter sets",
    "qubits": "4 layers, 1 sample, two parameter sets",
}
_SIZE = (10, 4)


def draw_sweeps(folder: Path, rows: list[Row], peers: tuple[str, ...], cores: int) -> list[Path]:
    """Draws every sweep that was measured.

    Args:
        folder: where.
        rows: all rows.
        peers: whom, in order.
        cores: which rows.

    Returns:
        The files, one for each sweep with a row.
    """
    measured = {(row.peer, row.cell): row for row in rows if row.status == "measured" and row.cores == cores}
    paths = []
    for name, cells in SWEEPS.items():
        lines = {
            peer: [
                (_place(name, cell), measured[peer, cell.name])
                for cell in cells()
                if (peer, cell.name) in measured
            ]
            for peer in peers
        }
        if max(map(len, lines.values()), default=0) > 1:
            paths.append(_draw(folder / f"{name}.png", name, lines))
    return paths


def _place(sweep: str, cell: Cell) -> int:
    return {"depth": cell.depth, "batch": cell.batch, "qubits": cell.num_qubits}[sweep]


def _draw(path: Path, sweep: str, lines: dict[str, list[tuple[int, Row]]]) -> Path:
    # Without a display: the figure is made apart from pyplot, which would look for one.
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    figure.suptitle(_TITLES[sweep])
    for axes, field, title in zip(
        figure.subplots(1, 2), ("steady", "first"), ("steady call", "first call"), strict=True
    ):
        for peer, points in lines.items():
            style = {"linewidth": 2.5} if peer.startswith("qjax-") else {"linewidth": 1.0}
            places, times = [place for place, _ in points], [getattr(row, field) for _, row in points]
            axes.plot(places, times, marker="o", markersize=3, label=load(peer).title, **style)
        axes.set(title=title, xlabel=_AXES[sweep], ylabel="seconds", yscale="log")
        if sweep != "qubits":
            axes.set_xscale("log", base=2)
        axes.grid(alpha=0.3)
    figure.axes[-1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=150)
    return path
