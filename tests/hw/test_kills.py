"""Random schedules of faults and kills: every run ends with the numbers of an undisturbed one, paid once."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import jax
import numpy as np
import pytest

import hw
from hw.server.config import ServerConfig
from hw.server.faults import Fault
from hw.server.latency import LatencyModel
from hw.server.local import LocalServer
from qjax.store import RunStore
from tests.hw import worker
from tests.hw.standin import KEY, StandIn

SLICE = 3
CAMPAIGN = 200


def schedule(rng: random.Random) -> list[Fault]:
    """A few faults of every kind that there is, none for ever."""
    kinds = [
        *("rate_limit", "error_before", "error_after", "drop_before", "drop_after", "slow"),
        *("late_listing", "fail_children", "cancel", "reorder", "next_null"),
    ]
    return [
        Fault(
            kind,
            probability=rng.choice([0.3, 0.6, 1.0]),
            skip=rng.randrange(4),
            times=rng.randrange(1, 4),
            seconds=rng.uniform(0.02, 0.3),
            count=rng.randrange(1, 4),
            code=rng.choice(["SimulationError", "InternalError", "SystemCancel"]),
        )
        for kind in rng.sample(kinds, rng.randrange(2, 7))
    ]


def undisturbed(shots: int) -> list:
    """What the steps give by a service that nothing is wrong with."""
    with jax.enable_x64(True), StandIn() as service:
        ionq = hw.IonQ(shots=shots or None, remote_host=service.url, api_key=KEY)
        return [worker.estimate(ionq, step) for step in range(worker.STEPS)]


def checked(database: Path) -> None:
    """Reads nothing but the server's database: every circuit of every step completed and charged once."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT child.state, child.charged_cost, child.position, parent.payload FROM jobs AS child "
            "JOIN jobs AS parent ON child.parent_job_id = parent.id"
        ).fetchall()
    completed: Counter[str] = Counter()
    for state, charged, position, payload in rows:
        circuit = json.dumps(json.loads(payload)["input"]["circuits"][position])
        assert (state == "completed") == bool(charged), (state, charged)
        completed[circuit] += state == "completed"
    assert set(completed.values()) == {1}
    assert len(completed) == worker.STEPS * worker.PER_STEP


def one_schedule(seed: int, folder: Path) -> None:
    rng = random.Random(seed)
    database = folder / "server.sqlite"
    latency = LatencyModel(rng.choice([0.0, 0.05, 0.2]), rng.choice([0.0, 0.01]))
    shots = rng.choice([0, 200])
    with RunStore.open(folder) as store:
        run_id = store.create_run({}, {}, "c0ffee", {}, name="test")
    config = ServerConfig(database, latency=latency, faults=tuple(schedule(rng)), seed=seed)
    with LocalServer(config) as server:
        command = [sys.executable, "-m", "tests.hw.worker", server.url, str(folder), run_id, str(shots)]
        for _ in range(40):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.communicate(timeout=rng.uniform(0.0, 1.0) if rng.random() < 0.6 else 120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            # A service that is out for too long stops a run with a sentence; it is begun again all the same.
            if process.returncode == 0:
                break
        else:
            pytest.fail("the run never ended")
        time.sleep(0.3)
    found = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    np.testing.assert_allclose(found, undisturbed(shots), atol=1e-12)
    checked(database)


@pytest.mark.parametrize("seed", range(SLICE))
def test_a_slice_of_the_schedules(seed: int, tmp_path: Path) -> None:
    one_schedule(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(SLICE, CAMPAIGN))
def test_all_schedules(seed: int, tmp_path: Path) -> None:
    one_schedule(seed, tmp_path)
