"""Reports: nothing from elsewhere, the right values, no name that breaks them, looked at in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.circuit import Circuit
from qjax.errors import DataError, StoreError
from qjax.models import load
from qjax.report import RunReport, read_report, write_report
from qjax.report.page import page
from qjax.report.svg import Series, chart, ticks
from qjax.store import RunStore
from qjax.train import TrainingConfig, train

NASTY = """</style><script src="https://evil.example/x.js"></script>&"'<img src=x>"""
_VOID = {"meta", "link", "line", "circle", "polyline"}


class Page(HTMLParser):
    """A page read: its elements in balance, its addresses, its tables and its text."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        names = ("src", "href", "data", "action", "srcset", "poster", "xlink:href", "xmlns")
        self.addresses += [value or "" for name, value in attrs if name in names]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    @property
    def facts(self) -> dict[str, str]:
        """Rows of a name and a value."""
        return {row[0]: row[1] for row in self.rows if len(row) >= 2}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunReport]]:
    tiny = TrainingConfig(
        dataset="rings", num_samples=40, num_features=2, num_qubits=2, num_layers=1, epochs=3, batch_size=8
    )
    with RunStore.open(tmp_path_factory.mktemp("runs")) as store:
        found = {}
        for name, config in (
            ("classes", tiny),
            ("numbers", replace(tiny, dataset="diabetes", evaluate="never")),
        ):
            train(config, store=store, name=name)
            found[name] = read_report(store, "latest")
        dataset = store.data(found["classes"].record.id)
        model = load(store, found["classes"].record.id)
        tests = dataset.order[dataset.num_train :]
        pairs = zip(dataset.targets[tests], model.predict(dataset.features[tests]), strict=True)
        expected = Counter((dataset.class_names[target], name) for target, name in pairs)
        names = dataset.class_names
        matrix = np.array([[expected[one, other] for other in names] for one in names])
        assert found["classes"].predictions is not None
        assert np.array_equal(found["classes"].predictions.confusion, matrix)
        with pytest.raises(StoreError, match="no step yet"):
            read_report(store, store.create_run({}, {}, "", {}, "new"))
        yield found


@pytest.mark.parametrize("name", ["classes", "numbers"])
def test_a_report_asks_nobody_and_says_what_was_recorded(reports: dict[str, RunReport], name: str) -> None:
    report = reports[name]
    html = page(report)
    found = Page(html)
    assert found.addresses == ["data:,"]
    assert found.tags["script"] == found.tags["img"] == found.tags["iframe"] == 0
    assert not re.search(r"https?:|//[a-z]|url\(|@import", html)
    assert "default-src 'none'" in html
    summary, facts = report.record.summary or {}, found.facts
    assert facts["circuits for gradients"] == f"{summary['gradient_circuits']:,}"
    assert facts["circuits in all"] == f"{summary['circuits']:,}"
    assert facts["jobs for gradients"] == f"{summary['jobs']:,}"
    assert facts["content hash"] == report.record.circuit_hash
    assert facts["version"] == report.dataset_version
    assert facts["version"] == report.record.environment["dataset"]["content_hash"]
    assert facts["model"] == report.model
    assert facts["batch_size"] == "8"
    assert facts["noise"] == "-"
    circuit = Circuit.from_json(dict(report.record.circuit))
    for gate, count in Counter(op.gate for op in circuit.unrolled()).items():
        assert facts[gate] == str(count)
    drawing = next(text for text in found.texts if text.startswith("  ") or "q0:" in text)
    assert "RY(x0)" in drawing
    assert "finished" in found.texts
    if report.predictions is not None and report.predictions.class_names:
        names = report.predictions.class_names
        for row, counts in zip(names, report.predictions.confusion.tolist(), strict=True):
            assert [row, *(f"{count:,}" for count in counts)] in found.rows
    assert found.tags["svg"] == 3
    # Losses and accuracies of batches and both parts, and the gradient; or losses and gradient of batches.
    assert found.tags["polyline"] == (7 if name == "classes" else 2)


def test_the_same_run_gives_the_same_bytes(reports: dict[str, RunReport], tmp_path: Path) -> None:
    for name in ("one.html", "other.html"):
        write_report(reports["classes"], tmp_path / name)
    one, other = ((tmp_path / name).read_bytes() for name in ("one.html", "other.html"))
    assert one == other
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "other.html"]
    with pytest.raises(DataError, match="cannot be written"):
        write_report(reports["classes"], tmp_path / "nowhere" / "report.html")


def test_no_name_breaks_out_of_its_place(reports: dict[str, RunReport]) -> None:
    report = reports["classes"]
    assert report.predictions is not None
    record = replace(
        report.record,
        name=NASTY,
        config={**report.record.config, "dataset": NASTY, NASTY: [NASTY]},
        environment={**report.record.environment, NASTY: NASTY, "dataset": {"name": NASTY}},
        summary={**(report.record.summary or {}), NASTY: NASTY, "total_cost": NASTY},
    )
    spoilt = replace(
        report,
        record=record,
        gates={NASTY: 3, **report.gates},
        predictions=replace(report.predictions, class_names=(NASTY, f"{NASTY}2")),
    )
    found = Page(page(spoilt))
    assert found.tags["script"] == found.tags["img"] == 0
    assert found.addresses == ["data:,"]
    assert found.facts[NASTY]
    assert sum(NASTY in text for row in found.rows for text in row) >= 8


numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


@settings(max_examples=40, deadline=None)
@given(
    points=st.lists(st.tuples(st.integers(0, 10**6), numbers), max_size=40),
    kind=st.sampled_from(["line", "marked", "points"]),
)
def test_a_chart_stays_inside_its_frame(points, kind) -> None:
    x, y = np.array([p[0] for p in points], float), np.array([p[1] for p in points], float)
    found = Page(chart([Series("a & b", x, y, "test", kind)], "x", "y"))
    drawn = int(np.isfinite(y).sum())
    assert (found.tags["svg"] == 1) == (drawn > 0)
    svg = chart([Series("", x, y, "test", kind)], "x", "y")
    places = re.findall(r'cx="([-\d.e]+)" cy="([-\d.e]+)"', svg)
    places += [
        pair.split(",")
        for line in re.findall(r'polyline [^>]*points="([^"]*)"', svg)
        for pair in line.split()
    ]
    assert all(0 <= float(px) <= 560 and 0 <= float(py) <= 300 for px, py in places)
    assert (len(places) > 0) == (drawn > 0)


@settings(max_examples=40, deadline=None)
@given(low=st.floats(-1e9, 1e9), width=st.floats(1e-3, 1e9))
def test_ticks_are_few_and_inside(low: float, width: float) -> None:
    found = ticks(low, low + width)
    assert 2 <= len(found) <= 8
    assert all(low - 1e-6 * width <= value <= low + width * (1 + 1e-6) for value in found)


def test_a_long_run_keeps_its_peaks_in_a_small_file() -> None:
    y = np.random.default_rng(0).normal(size=100_000)
    y[31_415] = 50.0
    svg = chart([Series("batch", np.arange(100_000), y, "batch")], "step", "loss")
    (line,) = re.findall(r'points="([^"]*)"', svg)
    heights = [float(pair.split(",")[1]) for pair in line.split()]
    assert len(svg) < 50_000
    assert heights.index(min(heights)) == pytest.approx(len(heights) * 0.31415, abs=2)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium here")
def test_a_browser_shows_it(reports: dict[str, RunReport], tmp_path: Path) -> None:
    write_report(reports["classes"], tmp_path / "report.html")
    command = [
        *(
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
        ),
        *("--enable-logging=stderr", "--window-size=1200,2600"),
    ]
    address = (tmp_path / "report.html").as_uri()
    seen = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=120)
    assert seen.returncode == 0, seen.stderr
    # What the page itself is blamed for, such as something that its policy forbids.
    assert "CONSOLE" not in seen.stderr
    shown = Page(seen.stdout)
    assert shown.facts == Page(page(reports["classes"])).facts
    picture = tmp_path / "report.png"
    subprocess.run(
        [*command, f"--screenshot={picture}", address], capture_output=True, timeout=120, check=True
    )
    import matplotlib.image

    pixels = np.asarray(matplotlib.image.imread(picture))[..., :3]
    colours = Counter(map(tuple, np.round(pixels[::3, ::3] * 255).astype(int).reshape(-1, 3).tolist()))
    # White sections on a light ground, and both lines of the curves.
    assert colours[(255, 255, 255)] > colours.total() / 2
    for colour in ((47, 111, 222), (226, 113, 29)):
        assert colours[colour] > 3
