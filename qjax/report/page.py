"""The page of a report, section by section; the same run gives the same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from qjax.drawing import draw
from qjax.models.tables import write_whole
from qjax.report.reading import Predictions, RunReport
from qjax.report.style import STYLE
from qjax.report.svg import Series, chart
from qjax.train.config import defaults

_DRAWING_WIDTH = 150
_MAX_CLASSES = 30

# Nothing may be loaded from anywhere, not even by a mistake in this file.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_report(report: RunReport, path: Path) -> None:
    """Writes a report to an HTML file.

    Args:
        report: what it says.
        path: the file; one that is there is replaced.

    Raises:
        DataError: it cannot be written.
    """
    write_whole(path, page(report))


def page(report: RunReport) -> str:
    """A report as HTML.

    Args:
        report: what it says.

    Returns:
        The whole file.
    """
    title = f"{report.record.name} · {report.record.id}"
    sections = [_header(report), _cards(report), _curves(report)]
    if report.predictions is not None:
        sections.append(_predictions(report.predictions))
    sections += [_circuit(report), _work(report), _configuration(report), _origin(report)]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style></head>\n'
        f"<body><main>\n{chr(10).join(sections)}\n</main></body></html>\n"
    )


def _header(report: RunReport) -> str:
    record = report.record
    seconds = (record.ended_at - record.created_at).total_seconds() if record.ended_at else None
    lasted = "" if seconds is None else f", {seconds:,.1f} s"
    return (
        f'<header><h1>{escape(record.name)}<span class="status {escape(record.status)}">'
        f"{escape(record.status)}</span></h1><p>Run {escape(record.id)}, "
        f"{escape(record.created_at.isoformat(sep=' ', timespec='seconds'))}{lasted}</p></header>"
    )


def _cards(report: RunReport) -> str:
    summary = report.record.summary or {}
    names = {
        "test_accuracy": "test accuracy",
        "test_r2": "test R²",
        "train_accuracy": "train accuracy",
        "train_r2": "train R²",
        "loss": "loss",
    }
    values = {name: _number(summary[key]) for key, name in names.items() if summary.get(key) is not None}
    values["steps"] = f"{report.record.steps:,}"
    values["circuits"] = f"{_circuits(report)[2]:,}"
    values["jobs"] = f"{int(report.metrics.n_jobs.sum()):,}"
    cards = (f'<div class="card"><b>{escape(v)}</b><span>{escape(k)}</span></div>' for k, v in values.items())
    return f'<div class="cards">{"".join(cards)}</div>'


def _curves(report: RunReport) -> str:
    metrics = report.metrics
    charts = []
    for name in ("loss", "accuracy"):
        series = [Series("batch", metrics.step + 1, getattr(metrics, name), "batch")]
        for split in ("train", "test"):
            found = [each for each in report.evaluations if each.split == split]
            x = np.array([each.step for each in found], float)
            y = np.array([_or_nan(getattr(each, name)) for each in found], float)
            series.append(Series(split, x, y, split, "marked"))
        if any(np.isfinite(each.y).any() for each in series):
            charts.append(f"<div><h3>{name.capitalize()}</h3>{chart(series, 'step', name)}</div>")
    norm = Series("", metrics.step + 1, metrics.gradient_norm, "batch")
    charts.append(f"<div><h3>Gradient</h3>{chart([norm], 'step', 'norm of the gradient')}</div>")
    return f'<section><h2>Training</h2><div class="columns charts">{"".join(charts)}</div></section>'


def _predictions(predictions: Predictions) -> str:
    count = len(predictions.targets)
    if not predictions.class_names:
        points = Series("", predictions.targets, predictions.predicted, "test", "points")
        drawing = chart([points], "target", "prediction", diagonal=True)
        body = f'<div class="columns"><div>{drawing}</div></div>'
    elif len(predictions.class_names) > _MAX_CLASSES:
        right = int(np.trace(predictions.confusion))
        body = f"<p>{right:,} right of {count:,}, in {len(predictions.class_names)} classes.</p>"
    else:
        body = _matrix(predictions)
    return (
        f"<section><h2>Predictions for the test part</h2>{body}"
        f'<p class="note">{count:,} samples that training did not see, by the model with exact '
        "expectation values.</p></section>"
    )


def _matrix(predictions: Predictions) -> str:
    matrix, names = predictions.confusion, [escape(name) for name in predictions.class_names]
    totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    rows = []
    for name, counts, shares in zip(names, matrix.tolist(), (matrix / totals).tolist(), strict=True):
        cells = (
            f'<td style="background: rgba(47, 111, 222, {0.04 + 0.66 * share:.2f})">{count:,}</td>'
            for count, share in zip(counts, shares, strict=True)
        )
        rows.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    heading = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'<table class="matrix confusion"><thead><tr><th>class \\ predicted</th>{heading}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _circuit(report: RunReport) -> str:
    circuit, most = report.circuit, max(report.gates.values(), default=1)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{count:,}</td>'
        f'<td><span class="bar" style="width: {100 * count / most:.0f}%"></span></td></tr>'
        for name, count in report.gates.items()
    )
    facts = {
        "qubits": circuit.num_qubits,
        "parameters": circuit.num_params,
        "encoded features": circuit.num_features,
        "gates": sum(report.gates.values()),
        "content hash": report.record.circuit_hash,
    }
    return (
        f"<section><h2>Circuit</h2><pre>{escape(draw(circuit, max_width=_DRAWING_WIDTH))}</pre>"
        f'<div class="columns"><div>{_facts(facts)}</div>'
        f'<table class="facts gates">{rows}</table></div></section>'
    )


def _work(report: RunReport) -> str:
    gradient, evaluation, total = _circuits(report)
    summary = report.record.summary or {}
    facts: dict[str, Any] = {
        "circuits for gradients": gradient,
        "circuits for evaluation": evaluation,
        "circuits in all": total,
        "jobs for gradients": int(report.metrics.n_jobs.sum()),
        "circuits a step": round(gradient / report.record.steps, 2),
        "shots of each circuit": report.record.config.get("shots_per_circuit") or "exact",
        "seconds in steps": round(float(np.nansum(report.metrics.circuit_time_ms)) / 1e3, 3),
    }
    costs = {key.replace("_", " "): value for key, value in summary.items() if "cost" in key}
    others = {
        key.replace("_", " "): value
        for key, value in summary.items()
        if "cost" not in key and "circuits" not in key and key not in ("run", "jobs")
    }
    return (
        '<section><h2>Work and results</h2><div class="columns">'
        f"<div>{_facts({**facts, **costs})}</div><div>{_facts(others)}</div></div></section>"
    )


def _configuration(report: RunReport) -> str:
    usual = defaults()
    chosen = {key for key, value in report.record.config.items() if value != usual.get(key)}
    items = list(report.record.config.items())
    middle = math.ceil(len(items) / 2)
    halves = "".join(f"<div>{_facts(dict(part), chosen)}</div>" for part in (items[:middle], items[middle:]))
    return (
        f'<section><h2>Configuration</h2><div class="columns">{halves}</div>'
        '<p class="note">What differs from its default is set in bold.</p></section>'
    )


def _origin(report: RunReport) -> str:
    environment = dict(report.record.environment)
    dataset = dict(environment.pop("dataset", {}))
    packages = dict(environment.pop("packages", {}))
    data = {
        "dataset": dataset.get("name", report.record.config.get("dataset")),
        "version": report.dataset_version or dataset.get("content_hash"),
        "training samples": dataset.get("train_samples"),
        "test samples": dataset.get("test_samples"),
        "model": report.model,
    }
    known = {key: value for key, value in data.items() if value is not None}
    return (
        '<section><h2>Data and environment</h2><div class="columns">'
        f"<div>{_facts(known)}</div><div>{_facts({**environment, **packages})}</div></div></section>"
    )


def _facts(facts: Mapping[str, Any], chosen: Iterable[str] = ()) -> str:
    marked = set(chosen)
    rows = (
        f'<tr{" class=chosen" if key in marked else ""}><th scope="row">{escape(key)}</th>'
        f"<td>{escape(_text(value))}</td></tr>"
        for key, value in facts.items()
    )
    return f'<table class="facts">{"".join(rows)}</table>'


def _circuits(report: RunReport) -> tuple[int, int, int]:
    gradient = int(report.metrics.n_circuits.sum())
    evaluation = sum(each.n_circuits for each in report.evaluations)
    return gradient, evaluation, gradient + evaluation


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1e4 else f"{value:.4g}"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
