"""Loss and accuracy of a run as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qjax.errors import StoreError
from qjax.store import RunStore


def plot_path(runs_directory: Path, run: str) -> Path:
    """Where a run's picture goes by default."""
    return runs_directory / f"{run}.png"


def save_plot(store: RunStore, run: str, path: Path) -> None:
    """Draws loss and accuracy by step.

    Args:
        store: the store.
        run: full id of the run.
        path: the PNG file to write.

    Raises:
        StoreError: if the run has no step yet, or the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metrics, evaluations = store.metrics(run), store.evaluations(run)
    if not len(metrics):
        raise StoreError(f"Run {run} has no step yet, so there is nothing to draw. Train it further first.")
    has_accuracy = bool(np.isfinite(metrics.accuracy).any())
    figure = Figure(figsize=(7, 6 if has_accuracy else 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 if has_accuracy else 1, 1, sharex=True, squeeze=False)[:, 0]
    for axis, values, name in zip(axes, (metrics.loss, metrics.accuracy), ("loss", "accuracy"), strict=False):
        axis.plot(metrics.step + 1, values, color="0.75", linewidth=0.8, label="batch")
        for split, colour in (("train", "tab:blue"), ("test", "tab:orange")):
            points = [(e.step, getattr(e, name)) for e in evaluations if e.split == split]
            if points:
                axis.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=4, label=split)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
    axes[0].legend()
    axes[0].set_title(f"{store.run(run).name} ({run})")
    axes[-1].set_xlabel("step")
    try:
        figure.savefig(path, dpi=150, format="png")
    except OSError as error:
        raise StoreError(
            f"The plot cannot be written to {path} ({error.strerror}). Choose another path."
        ) from None
