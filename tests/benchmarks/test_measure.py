"""Peers that are silent, end, raise, err or are absent have their row, and nothing is measured twice."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.answers import TOLERANCE
from benchmarks.cell import model
from benchmarks.journal import Journal
from benchmarks.measure import Bench, Limits
from benchmarks.peers import SUBJECT
from benchmarks.process import Worker
from benchmarks.rows import rows_of
from qjax.engine import native

CELL = model(2, 1, 2)
CORE = min(os.sched_getaffinity(0))
LIMITS = Limits(timeout=20, rounds=2, round_seconds=0.01, patience=1)

pytestmark = pytest.mark.skipif(native.isa() is None, reason="no native engine")


@pytest.fixture(scope="module")
def right_answer():
    with Worker(SUBJECT, CELL, (CORE,)) as worker:
        assert worker.started["affinity"] == [CORE]
        return worker.ask({"do": "prepare"}, 60)["answer"]


@pytest.fixture
def bench(tmp_path, monkeypatch, right_answer):
    bench = Bench(Journal(tmp_path / "results.jsonl", "here"), (CORE,), LIMITS, lambda line: None)
    monkeypatch.setattr(bench, "reference", lambda cell: right_answer)
    return bench


@pytest.mark.parametrize(
    ("peer", "status", "note"),
    [
        ("silent", "timeout", "nothing in 1 s"),
        ("dying", "failed", "signal 9"),
        ("raising", "failed", "out of luck"),
        ("wrong", "wrong", "off by"),
        ("absent", "absent", "no-such-package-anywhere"),
    ],
)
def test_a_peer_that_gives_nothing_right_has_its_row(bench, peer, status, note):
    bench.limits = replace(LIMITS, timeout=1.0 if status == "timeout" else LIMITS.timeout)
    (row,) = bench.run([CELL], [f"tests.benchmarks.peers.{peer}"])
    assert (row.status, row.steady, row.ratio) == (status, None, None)
    assert note in row.note
    with pytest.raises(ChildProcessError):  # its process is gone
        os.waitpid(-1, os.WNOHANG)


def test_a_peer_is_measured_in_turn_with_the_subject(bench):
    (row,) = bench.run([CELL], ["tests.benchmarks.peers.slow"])
    assert (row.status, row.timeout, row.rounds) == ("measured", LIMITS.timeout, LIMITS.rounds)
    assert row.deviation is not None
    assert row.deviation < TOLERANCE
    assert row.steady is not None
    assert row.steady > 0.02  # it sleeps as long
    assert row.ratio is not None
    assert row.ratio > 1


def test_what_is_measured_is_not_measured_again_unless_with_more_patience(bench, monkeypatch, tmp_path):
    measured = bench.run([CELL], ["tests.benchmarks.peers.absent", "tests.benchmarks.peers.wrong"])
    again = Bench(Journal(tmp_path / "results.jsonl", "here"), (CORE,), LIMITS, lambda line: None)
    monkeypatch.setattr(Bench, "_measure", lambda *_: pytest.fail("measured again"))
    assert again.run([CELL], ["tests.benchmarks.peers.absent", "tests.benchmarks.peers.wrong"]) == measured
    timeout = replace(measured[0], peer=SUBJECT, status="timeout", timeout=20.0)
    again.journal.add(timeout.name, timeout.to_json())
    assert again.run([CELL], [SUBJECT]) == [timeout]
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        again.with_limits(replace(LIMITS, timeout=21.0)).run([CELL], [SUBJECT])


def test_a_sweep_does_not_go_on_with_a_peer_that_gave_nothing(bench):
    rows = bench.run([CELL, model(2, 2, 2)], ["tests.benchmarks.peers.dying"], is_sweep=True)
    assert [row.status for row in rows] == ["failed", "not tried"]


def test_ctrl_c_keeps_what_was_measured(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--cases", "2,1,2", "--tasks", "spsa", "--cores", "1"]
    command += ["--peers", "tests.benchmarks.peers.silent", "--output", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "Silent" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        report, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from here" in words
    assert "| 2 qubits, 1 layers, 2 samples: spsa |" in report
    conditions = (tmp_path / "results.jsonl").read_text().split('"conditions": "')[1].split('"')[0]
    (row,) = rows_of(Journal(tmp_path / "results.jsonl", conditions).results)
    assert (row.peer, row.status) == (SUBJECT, "measured")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cases", "8,two"), "`--cases` must be QUBITS,LAYERS,SAMPLES"),
        (("--cases", "8,2,0"), "`--cases` must be QUBITS,LAYERS,SAMPLES"),
        (("--tasks", "fly"), "`--tasks` must be of spsa, grad, pshift"),
        (("--peers", "nobody"), "`--peers` must be of qjax-native"),
        (("--parts", "all"), "`--parts` must be of cells"),
    ],
)
def test_a_wrong_option_ends_in_one_sentence(tmp_path, arguments, message):
    command = [sys.executable, "-m", "benchmarks", *arguments, "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
