"""Charts as SVG inside HTML: no file, no font and no script from elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal

import numpy as np

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 44
_MAX_POINTS = 800


@dataclass(frozen=True, eq=False)
class Series:
    """Points of a chart.

    Args:
        name: what the legend says.
        x: `[n]`.
        y: `[n]`; points that are not finite are left out.
        style: class of the style sheet, which gives the colour.
        kind: whether points are joined, joined and marked, or marked.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    style: str
    kind: Literal["line", "marked", "points"] = "line"


def chart(series: list[Series], x_label: str, y_label: str, *, diagonal: bool = False) -> str:
    """Draws a chart.

    Args:
        series: what to draw, the first one at the back; those without a finite point are left out.
        x_label: name of the horizontal axis.
        y_label: name of the vertical axis.
        diagonal: whether to draw where both axes are equal, and give both one range.

    Returns:
        An `svg` element, or a sentence where there is nothing to draw.

    Example:
        >>> line = Series("loss", np.array([1, 2]), np.array([0.5, 0.25]), "test")
        >>> chart([line], "step", "loss").startswith("<svg")
        True
    """
    finite = [_finite(each) for each in series]
    drawn = [each for each in finite if len(each.x)]
    if not drawn:
        return '<p class="empty">There is nothing to draw.</p>'
    x_range = _range(np.concatenate([each.x for each in drawn]), margin=0.0)
    y_range = _range(np.concatenate([each.y for each in drawn]), margin=0.05)
    if diagonal:
        x_range = y_range = min(x_range[0], y_range[0]), max(x_range[1], y_range[1])

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_range[0]) / (x_range[1] - x_range[0])
        up = (y - y_range[0]) / (y_range[1] - y_range[0])
        width, height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
        return round(_LEFT + across * width, 1), round(HEIGHT - _BOTTOM - up * height, 1)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y_label)} by {escape(x_label)}">'
    ]
    for value in ticks(*y_range):
        _, y = place(x_range[0], value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{_tick(value)}</text>')
    for value in ticks(*x_range):
        x, _ = place(value, y_range[0])
        parts.append(f'<text x="{x}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_tick(value)}</text>')
    base = HEIGHT - _BOTTOM
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>')
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="label" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>'
    )
    upright = f'transform="translate(13 {(_TOP + base) / 2}) rotate(-90)"'
    parts.append(f'<text class="label" {upright} text-anchor="middle">{escape(y_label)}</text>')
    if diagonal:
        (x1, y1), (x2, y2) = place(x_range[0], x_range[0]), place(x_range[1], x_range[1])
        parts.append(f'<line class="grid" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    for each in drawn:
        points = [place(x, y) for x, y in zip(each.x.tolist(), each.y.tolist(), strict=True)]
        if each.kind != "points":
            path = " ".join(f"{x},{y}" for x, y in points)
            parts.append(f'<polyline class="{escape(each.style)}" points="{path}"/>')
        if each.kind != "line" or len(points) == 1:
            parts += [f'<circle class="{escape(each.style)}" cx="{x}" cy="{y}" r="3"/>' for x, y in points]
    parts.append("</svg>")
    return "".join(parts) + _legend(drawn)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers inside a range.

    Args:
        low: its lower end.
        high: its upper end, above `low`.

    Returns:
        Three to eight numbers, multiples of 1, 2 or 5 times a power of ten.

    Example:
        >>> ticks(0.0, 1.0)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(first, last + 1)]


def _legend(series: list[Series]) -> str:
    entries = "".join(
        f'<span><i class="{escape(each.style)}"></i>{escape(each.name)}</span>'
        for each in series
        if each.name
    )
    return f'<div class="legend">{entries}</div>' if entries else ""


def _finite(series: Series) -> Series:
    x, y = np.asarray(series.x, float), np.asarray(series.y, float)
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    if series.kind == "line" and len(x) > _MAX_POINTS:
        # The least and the greatest of each part: no peak is lost, and the file stays small.
        edges = np.linspace(0, len(x), _MAX_POINTS // 2 + 1).astype(int)
        chosen = [
            first + at
            for first, stop in pairwise(edges)
            for at in sorted({int(y[first:stop].argmin()), int(y[first:stop].argmax())})
        ]
        x, y = x[chosen], y[chosen]
    return Series(series.name, x, y, series.style, series.kind)


def _range(values: np.ndarray, margin: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    spread = high - low
    if spread <= 1e-12 * max(abs(low), abs(high)):
        spread = max(abs(high), 1.0)
        return low - spread / 2, high + spread / 2
    return low - margin * spread, high + margin * spread


def _tick(value: float) -> str:
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.6g}"
