"""A suite's scores as a picture."""

from __future__ import annotations

from pathlib import Path

from qjax.errors import StoreError
from qjax.suite.report import Report


def save_plot(report: Report, path: Path) -> None:
    """Draws test scores with their intervals, one panel for each dataset.

    Args:
        report: the report.
        path: the PNG file to write.

    Raises:
        StoreError: if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    datasets = list(dict.fromkeys(row.dataset for row in report.rows))
    kinds = list(dict.fromkeys((row.model, row.method) for row in report.rows))
    models = list(dict.fromkeys(model for model, _ in kinds))
    height = 1.2 + 0.28 * len(kinds)
    figure = Figure(figsize=(2.5 + 3.2 * len(datasets), height), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(datasets), sharey=True, squeeze=False)[0]
    for panel, dataset in zip(panels, datasets, strict=True):
        for row in report.rows:
            if row.dataset != dataset or row.test is None:
                continue
            position = kinds.index((row.model, row.method))
            colour = f"C{models.index(row.model)}"
            panel.plot(row.test_scores, [position] * len(row.test_scores), ".", color=colour, alpha=0.35)
            panel.errorbar(
                row.test.mean, position, xerr=row.test.half_width or None, fmt="o", color=colour, capsize=3
            )
            panel.set_xlabel("test R²" if row.score_name == "r2" else "test accuracy")
        panel.set_title(dataset)
        panel.grid(alpha=0.3)
    panels[0].set_yticks(range(len(kinds)), [f"{method}, {model}" for model, method in kinds])
    panels[0].invert_yaxis()
    figure.suptitle(report.suite.name)
    try:
        figure.savefig(path, dpi=150, format="png")
    except OSError as error:
        raise StoreError(
            f"The plot cannot be written to {path} ({error.strerror}). Choose another path."
        ) from None
