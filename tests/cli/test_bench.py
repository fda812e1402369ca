"""`qjax bench`: what it shows is what was recorded, and killing it costs nothing but the time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qjax.errors import StoreError
from qjax.store import RunRecord, RunStore
from qjax.suite import mean_interval

from .commands import end, start, write_table

HEAD = """
seeds = {seeds}
datasets = ["rings"]

[defaults]
num_samples = 40
num_features = 2
num_qubits = 2
num_layers = 1
batch_size = 8
epochs = {epochs}

[latency]
seconds_per_job = 10
seconds_per_circuit = 0.5

[[models]]
name = "small"
"""
EXACT = """
[[methods]]
name = "exact"
gradient_method = "adjoint"
"""
SPSA = """
[[methods]]
name = "spsa"
gradient_method = "spsa_parallel"
shots_per_circuit = 20
"""


def write_suite(*methods: str, epochs: int = 2, seeds: tuple[int, ...] = (0,), **replaced: str) -> str:
    text = HEAD.format(epochs=epochs, seeds=list(seeds)) + "".join(methods)
    for old, new in replaced.items():
        assert old in text
        text = text.replace(old, new)
    Path("suite.toml").write_text(text, encoding="utf-8")
    return "suite.toml"


def records(folder: str = "runs") -> list[RunRecord]:
    """All runs, the oldest first; none before there is a store."""
    try:
        with RunStore.open(folder, create=False) as store:
            return store.runs()[::-1]
    except StoreError:
        return []


def numbers(report: Any) -> Any:
    """What does not depend on clock or identity."""
    return [
        {key: value for key, value in row.items() if key not in ("seconds", "runs")} for row in report["rows"]
    ]


def test_the_report_is_what_the_store_holds(qjax):
    report = qjax("bench", write_suite(EXACT, SPSA, seeds=(0, 1)), "--json").json
    runs = records()
    assert len(runs) == 2 * (2 + 1 + 2)  # seeds x (methods + frozen twin + classical baselines)
    assert {run.status for run in runs} == {"finished"}
    by_id = {run.id: run for run in runs}
    methods = [row["method"] for row in report["rows"]]
    assert methods == ["exact", "spsa", "frozen circuit", "logistic regression", "support vector machine"]
    for row in report["rows"]:
        summaries = [by_id[run].summary or {} for run in row["runs"]]
        scores = [summary["test_accuracy"] for summary in summaries]
        assert row["test_scores"] == scores
        expected = mean_interval(scores)
        assert row["test"] == {
            "mean": expected.mean,
            "half_width": expected.half_width,
            "num_values": 2,
        }
        assert row["train"]["mean"] == pytest.approx(np.mean([s["train_accuracy"] for s in summaries]))
        if row["circuits"] is not None:
            assert row["circuits"] == np.mean([s["gradient_circuits"] for s in summaries])
            assert row["jobs"] == np.mean([s["jobs"] for s in summaries])
    exact, spsa, frozen, *classical = report["rows"]
    assert exact["hardware_seconds"] is None  # adjoint cannot run there
    # 32 training samples in 4 batches, 2 epochs; SPSA measures each sample twice.
    assert (spsa["circuits"], spsa["jobs"]) == (128, 8)
    assert spsa["hardware_seconds"] == 8 * 10 + 128 * 0.5
    assert frozen["hardware_seconds"] == 8 * 10 + 64 * 0.5
    assert all(row["circuits"] is None for row in classical)
    assert json.loads(Path("runs/suite.json").read_text()) == report
    assert Path("runs/suite.png").read_bytes().startswith(b"\x89PNG")

    again = qjax("bench", "suite.toml")
    assert again.code == 0
    assert records() == runs  # nothing was trained again
    assert "Student t" in again.output
    for row in report["rows"]:
        interval = mean_interval(row["test_scores"])
        line = next(line for line in again.output.splitlines() if row["method"] in line)
        assert str(interval) in line
    assert "…" not in again.output

    # Another seed: what is there is kept, and only what is new is trained.
    moved = qjax("bench", write_suite(EXACT, seeds=(1, 2)), "--json").json
    assert moved["rows"][0]["runs"][0] == report["rows"][0]["runs"][1]
    assert len(records()) == len(runs) + 4


def test_a_killed_suite_goes_on_where_it_was(qjax):
    write_suite(EXACT, SPSA, epochs=1000)
    process = start("bench", "suite.toml", "--json")
    try:
        while process.poll() is None:
            runs = records()
            if len(runs) > 1 and runs[-1].status == "running" and runs[-1].steps > 0:
                break
            time.sleep(0.01)
    finally:
        process.kill()
    assert end(process).code < 0, "the suite ended before it could be killed"
    before = records()
    assert before[-1].status == "interrupted"
    report = qjax("bench", "suite.toml", "--json").json
    after = {run.id: run for run in records()}
    for run in before[:-1]:
        assert after[run.id] == run
    assert after[before[-1].id].status == "finished"
    assert len(after) == 5
    unbroken = qjax("bench", "suite.toml", "--json", "--runs-dir", "elsewhere").json
    assert numbers(report) == numbers(unbroken)


def test_changed_data_is_trained_again(qjax):
    write_table(Path("data.csv"))
    write_suite(EXACT, epochs=1, rings="data.csv", num_samples="#")
    assert qjax("bench", "suite.toml").code == 0
    first = len(records())
    write_table(Path("data.csv"), x0_3="0.25")
    assert qjax("bench", "suite.toml").code == 0
    assert len(records()) == 2 * first


def test_a_training_that_diverges_is_shown_and_the_others_go_on(qjax):
    diverging = EXACT + 'optimizer = "sgd"\nlearning_rate = 1e38\n'
    outcome = qjax("bench", write_suite(diverging, SPSA))
    assert outcome.code == 0
    assert "(1 failed)" in outcome.output
    report = json.loads(Path("runs/suite.json").read_text())
    assert report["rows"][0]["test"] is None
    assert "Lower `learning_rate`" in report["rows"][0]["failures"][0]
    assert report["rows"][1]["test"]["num_values"] == 1


GOOD = HEAD.format(epochs=1, seeds=[0]) + EXACT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["suite.toml", "`datasets`"]),
        ("datasets = [", ["not TOML"]),
        (
            GOOD.replace("epochs = 1", "epochs = 0"),
            ["suite.toml", "rings, small, exact", "`epochs`", "Raise it."],
        ),
        (GOOD.replace("epochs", "epoch"), ["[defaults]", "Did you mean `epochs`?"]),
        (GOOD.replace('"rings"', '"ring"'), ["ring, small, exact, seed 0", "rings"]),
        (GOOD.replace("batch_size = 8", "batch_size = 800"), ["`batch_size`", "at most"]),
    ],
)
def test_bad_suites_end_in_one_sentence(qjax, text, words):
    Path("suite.toml").write_text(text)
    complaint = qjax("bench", "suite.toml").complaint
    assert all(word in complaint for word in words), complaint
    assert not records()


def test_no_suite_is_a_sentence(qjax):
    assert "Check the path" in qjax("bench", "none.toml").complaint
