"""Tables say what was measured."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cell import CASES, TASKS, Cell, main_cells, model
from benchmarks.checks.goals import GOALS, compare
from benchmarks.findings import Finding
from benchmarks.machine import describe_machine
from benchmarks.measure import Limits
from benchmarks.profile import full
from benchmarks.report import write_report
from benchmarks.rows import Row, Status, rows_of
from benchmarks.strategies import cloud_seconds, measure_strategies
from benchmarks.table import best, duration, main_table
from qjax.engine import native

CELL = model(8, 2, 10, "spsa")


def row(
    peer: str, ratio: float | None, status: Status = "measured", cell: Cell = CELL, note: str = ""
) -> Row:
    steady = None if ratio is None else ratio * 1e-5
    return Row(peer, cell.name, 2, status, note, 1.5, steady, 1e-5, ratio, 1e-7, 1 << 20, 300.0, 7)


@given(st.floats(1e-7, 1e4))
def test_a_duration_reads_back(seconds):
    value, unit = duration(seconds).split()
    scale = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    assert float(value) * scale == pytest.approx(seconds, rel=0.06, abs=5e-8)


@given(st.lists(st.tuples(st.sampled_from(["qulacs", "aer", "qsim"]), st.floats(0.1, 1e3)), min_size=1))
def test_the_best_peer_is_the_fastest_that_is_not_this_project(peers):
    rows = [row(peer, ratio) for peer, ratio in peers]
    mixed = [
        row("qjax-native", 1.0),
        row("qjax-xla", 0.01),
        *rows,
        row("tensorcircuit", None, "timeout"),
        None,
    ]
    fastest = best(mixed)
    assert fastest is not None
    assert fastest.ratio == min(ratio for _, ratio in peers)


def test_every_goal_is_a_cell_that_the_full_run_measures():
    profile = full()
    assert set(GOALS) <= {*profile.cells, *profile.random}


@pytest.mark.parametrize(("ratio", "holds"), [(25.1, True), (24.9, False)])
def test_a_goal_holds_when_the_best_peer_is_as_much_slower(ratio, holds):
    rows = [row("qjax-native", 1.0), row("qulacs", ratio), row("qsim", 400.0)]
    (finding,) = compare(rows, 2)
    assert finding.holds is holds


def test_a_peer_that_gave_nothing_is_named_and_not_counted_as_beaten():
    rows = [row("qjax-native", 1.0), row("tensorcircuit", None, "timeout", note="nothing in 300 s")]
    (finding,) = compare(rows, 2)
    assert finding.holds is None
    assert "nothing from tensorcircuit" in finding.found
    table = main_table(rows, [CELL], ["qjax-native", "qjax-xla"], 2)
    assert "none gave an answer" in table


def test_rows_and_cells_read_back():
    cells = [*main_cells(CASES, TASKS), Cell("random", 10, 200, 16, "spsa")]
    assert [Cell.parse(cell.name) for cell in cells] == cells
    rows = [row("aer", 2.0), row("qsim", None, "failed")]
    assert rows_of({r.name: json.loads(json.dumps(r.to_json())) for r in rows} | {"check x": []}) == rows


def test_the_report_is_whole(tmp_path):
    results: dict[str, Any] = {r.name: r.to_json() for r in (row("qjax-native", 1.0), row("qjax-xla", 3.25))}
    sweep = [row("qjax-native", 1.0, cell=model(8, depth, 10)) for depth in (2, 4, 8)]
    results |= {r.name: r.to_json() for r in sweep}
    results["check batch"] = [Finding("cost | of a circuit", "at most 1", "0.9", True).to_json()]
    text = write_report(tmp_path, results, full(), ("qjax-native", "qjax-xla"), describe_machine(), 2)
    assert (tmp_path / "report.md").read_text() == text
    assert json.loads((tmp_path / "results.json").read_text())["results"] == results
    assert (tmp_path / "depth.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "batch.png").exists()
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


@pytest.mark.skipif(native.isa() is None, reason="no native engine")
def test_the_old_system_sends_960_circuits_and_its_heirs_20():
    strategies = measure_strategies(Limits(rounds=1, round_seconds=0.0))
    counts = {each.name.split()[0]: (each.circuits, each.jobs) for each in reversed(strategies)}
    assert counts["parameter_shift,"] == (960, 960)
    assert counts["spsa_parallel"] == (20, 1)
    assert (strategies[1].circuits, strategies[1].jobs) == (960, 1)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000))
def test_the_cloud_is_never_faster_with_less_at_once(circuits, jobs, concurrent):
    jobs = min(jobs, circuits)
    assert cloud_seconds(circuits, jobs, concurrent + 1) <= cloud_seconds(circuits, jobs, concurrent)
    assert cloud_seconds(circuits, jobs, jobs) == 2.0 + 0.25 * circuits
