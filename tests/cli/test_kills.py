"""Training processes stopped at any instant: what was done is kept, and going on changes no number."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qjax.cli.configuration import read_config
from qjax.errors import StoreError
from qjax.store import RunRecord, RunStore
from qjax.train import train

from .commands import Outcome, end, settings, start

# Five steps an epoch and an evaluation after each: a thousand chunks, which are written a few dozen times.
LONG = {"num_samples": 50, "evaluate": "epoch", "epochs": 1000}
METHODS = {
    "adjoint": {"gradient_method": "adjoint"},
    "shots": {"gradient_method": "spsa_subsampled", "gradient_subsample_size": 2, "shots_per_circuit": 20},
    "spsa": {"gradient_method": "spsa_parallel", "optimizer": "lion", "schedule": "spall"},
}


def words_for(method: str) -> list[str]:
    return settings(**LONG, **METHODS[method])


def numbers(folder: Path | str) -> dict[str, Any]:
    """All that the one run of a store has recorded, but for what depends on the clock."""
    with RunStore.open(folder) as store:
        (record,) = store.runs()
        metrics, checkpoint = store.metrics(record.id), store.latest_checkpoint(record.id)
        assert record.summary is not None
        return {
            "status": record.status,
            "summary": {
                key: value
                for key, value in record.summary.items()
                if key != "run" and not key.startswith("seconds")
            },
            "metrics": {
                name: column.tobytes() for name, column in vars(metrics).items() if name != "circuit_time_ms"
            },
            "evaluations": store.evaluations(record.id),
            "checkpoint": checkpoint,
            "indices": store.batches(record.id).indices.tolist(),
            "snapshots": store.snapshots(record.id),
        }


def unbroken(method: str, folder: Path) -> dict[str, Any]:
    with RunStore.open(folder) as store:
        train(read_config(None, None, words_for(method)[1::2]), store=store)
    return numbers(folder)


def the_run(folder: Path = Path("runs")) -> RunRecord | None:
    """The run as a reader sees it, None before there is one."""
    try:
        with RunStore.open(folder, create=False) as store:
            return next(iter(store.runs()), None)
    except StoreError:
        return None


def reaches(steps: int, process: subprocess.Popen[str]) -> bool:
    """Waits until a run has so many steps; False if its process ended before."""
    while process.poll() is None:
        record = the_run()
        if record is not None and record.status == "running" and record.steps >= steps:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that the test started, which do not outlive it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def check_interrupted(steps_before: int) -> int:
    """What a stopped run holds is whole and no less than was seen of it; returns its steps."""
    record = the_run()
    assert record is not None
    assert record.status == "interrupted"
    assert record.steps >= steps_before
    with RunStore.open("runs") as store:
        assert store.metrics(record.id).step.tolist() == list(range(record.steps))
        assert len(store.batches(record.id).indices) == record.steps
        checkpoint = store.latest_checkpoint(record.id)
        assert (checkpoint.step if checkpoint else 0) == record.steps
        for evaluation in store.evaluations(record.id):
            assert evaluation.step <= record.steps
    return record.steps


def stop_and_check(process: subprocess.Popen[str], how: signal.Signals) -> Outcome:
    record = the_run()
    assert record is not None
    process.send_signal(how)
    outcome = end(process)
    check_interrupted(record.steps)
    return outcome


@pytest.mark.parametrize(
    ("method", "stops"),
    [
        ("shots", [signal.SIGINT, signal.SIGKILL]),
        ("adjoint", [signal.SIGTERM]),
    ],
)
def test_a_stopped_process_is_gone_on_with(
    tmp_path: Path, processes: list[subprocess.Popen[str]], method: str, stops: list[signal.Signals]
) -> None:
    expected = unbroken(method, tmp_path / "unbroken")
    words, steps, instants = words_for(method), 0, random.Random(len(stops))
    for how in stops:
        process = start("train", *words)
        processes.append(process)
        assert reaches(steps + 1, process), end(process)
        time.sleep(instants.uniform(0, 0.2))
        outcome = stop_and_check(process, how)
        if how is signal.SIGKILL:
            assert outcome.code == -signal.SIGKILL
        else:
            assert outcome.code == 130
            assert "Interrupted." in outcome.errors
            assert "Traceback" not in outcome.errors
        words, steps = ["--resume", "latest"], check_interrupted(steps + 1)
    result = end(start("train", "--resume", "latest", "--json")).json
    assert numbers("runs") == expected
    assert result["test_accuracy"] == expected["summary"]["test_accuracy"]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("method", METHODS)
def test_a_process_killed_at_any_instant_is_gone_on_with_campaign(
    tmp_path: Path, processes: list[subprocess.Popen[str]], method: str, seed: int
) -> None:
    expected = unbroken(method, tmp_path / "unbroken")
    instants, steps = random.Random(f"{method} {seed}"), 0
    for _ in range(3):
        record = the_run()
        if record is not None and record.status == "finished":
            break
        process = start("train", *(words_for(method) if record is None else ["--resume", "latest"]))
        processes.append(process)
        # At any time from the first import on, or surely while steps are being done.
        if instants.random() < 0.4:
            time.sleep(instants.uniform(0, 6))
        elif reaches(steps + 1, process):
            time.sleep(instants.uniform(0, 0.5))
        process.kill()
        end(process)
        record = the_run()
        if record is not None and record.status != "finished":
            steps = check_interrupted(steps)
    words = words_for(method) if the_run() is None else ["--resume", "latest"]
    assert end(start("train", *words, "--json")).code == 0
    assert numbers("runs") == expected
