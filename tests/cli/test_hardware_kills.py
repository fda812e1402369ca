"""Training on a service, stopped at any instant: gone on with, and nothing is paid twice."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from hw.server import LatencyModel, LocalServer, ServerConfig
from qjax.errors import StoreError
from qjax.store import RunRecord, RunStore
from qjax.train import TrainingConfig, train
from tests.train.problems import Watcher

from .charges import read_charges
from .commands import TINY, Outcome, end, settings, start

# Twelve steps of 16 or 12 circuits, and an evaluation of 28.
RUN = {"gradient_method": "spsa_parallel", "epochs": 4}
CIRCUITS = 4 * (16 + 16 + 12) + 28


@lru_cache
def expected(depth: int) -> np.ndarray:
    """Losses of a run that nobody disturbs, on the simulator."""
    values = {**TINY, **RUN, "evaluate": "never", "pipeline_depth": depth}
    watcher = Watcher()
    train(TrainingConfig.from_mapping(values), observers=[watcher])
    return np.asarray(watcher.infos.loss)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A service in this process whose jobs take a while; gives its database."""
    database = tmp_path / "service.sqlite"
    with LocalServer(ServerConfig(database, latency=LatencyModel(queue_seconds=0.3))) as server:
        monkeypatch.setenv("IONQ_REMOTE_HOST", server.url)
        monkeypatch.setenv("IONQ_API_KEY", server.api_key)
        yield database


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def losses(folder: Path | str) -> np.ndarray:
    with RunStore.open(folder, create=False) as store:
        return store.metrics(store.run("latest").id).loss


def the_run() -> RunRecord | None:
    try:
        with RunStore.open("runs", create=False) as store:
            return next(iter(store.runs()), None)
    except StoreError:  # the process has not got so far
        return None


def reaches(steps: int, process: subprocess.Popen[str]) -> bool:
    """Waits until so many steps are recorded; False if the process ends before."""
    while process.poll() is None:
        record = the_run()
        if record is not None and record.steps >= steps:
            return True
        time.sleep(0.02)
    return False


def finish_and_check(wanted: np.ndarray, database: Path, words: list[str]) -> None:
    outcome: Outcome = end(start("train", *words, "--json"))
    assert outcome.code == 0, outcome.errors
    np.testing.assert_allclose(losses("runs"), wanted, atol=1e-5)
    charges = read_charges(database)
    assert charges.twice == 0
    assert charges.circuits.total() == CIRCUITS
    assert charges.undone == 0


def test_a_stopped_run_finds_its_jobs_again(service: Path, processes: list[subprocess.Popen[str]]) -> None:
    words = settings(**RUN, executor="ionq", pipeline_depth=1)
    for how, steps in ((signal.SIGTERM, 2), (signal.SIGKILL, 5)):
        process = start("train", *words)
        processes.append(process)
        assert reaches(steps, process), end(process)
        # Jobs of two steps are in the queue.
        process.send_signal(how)
        outcome = end(process)
        if how is signal.SIGTERM:
            assert outcome.code == 130
            assert "--resume latest" in outcome.errors
            assert "Traceback" not in outcome.errors
        record = the_run()
        assert record is not None
        assert record.status == "interrupted"
        assert steps <= record.steps < 12
        words = ["--resume", "latest"]
    # A process that was killed between its note and its request leaves it open whether there was one.
    finish_and_check(expected(1), service, [*words, "--resubmit"])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("executor", ["ionq", "ionq-local"])
def test_a_run_killed_at_any_instant_pays_for_nothing_twice_campaign(
    service: Path,
    processes: list[subprocess.Popen[str]],
    executor: str,
    seed: int,
) -> None:
    """The process alone dies, or the local server within it as well."""
    instants, depth = random.Random(f"{executor} {seed}"), seed % 2
    first = settings(**RUN, executor=executor, pipeline_depth=depth)
    for _ in range(4):
        record = the_run()
        if record is not None and record.status == "finished":
            break
        process = start("train", *(first if record is None else ["--resume", "latest"]))
        processes.append(process)
        # From the first import on, or surely while jobs are under way.
        if instants.random() < 0.3:
            time.sleep(instants.uniform(0, 6))
        elif reaches((0 if record is None else record.steps) + 1, process):
            time.sleep(instants.uniform(0, 0.7))
        process.kill()
        end(process)
    # A process that died between its note and its request leaves it open whether there was one.
    words = first if the_run() is None else ["--resume", "latest", "--resubmit"]
    database = service if executor == "ionq" else Path("runs/ionq-local.sqlite")
    finish_and_check(expected(depth), database, words)
