"""A process that asks for the expectations of several steps and writes them down, until it is killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jax
import numpy as np

import hw
from qjax import Angle, Circuit, Op, PauliSum
from qjax.errors import QjaxError
from qjax.store import RunJournal

STEPS = 4
CIRCUIT = Circuit(
    2,
    (Op("ry", (0,), Angle(param=0)), Op("cx", (0, 1)), Op("rz", (1,), Angle(feature=0)), Op("h", (1,))),
)
OBSERVABLES = [PauliSum("Z0"), PauliSum("X0 X1")]
PER_STEP = 2 * 3 * 2


def inputs(step: int) -> tuple[np.ndarray, np.ndarray, jax.Array]:
    rng = np.random.default_rng(step)
    return rng.normal(size=(2, 1)), rng.normal(size=(3, 1)), jax.random.key(step)


def estimate(executor, step: int) -> list:
    params, features, key = inputs(step)
    found = executor.expectations(CIRCUIT, params, features, OBSERVABLES, key=key)
    return [np.asarray(found.mean).tolist(), np.asarray(found.variance).tolist()]


def main(url: str, folder: str, run_id: str, shots: str) -> None:
    ionq = hw.IonQ(
        shots=int(shots) or None,
        remote_host=url,
        api_key="local",
        journal=RunJournal(folder, run_id),
        on_unknown="resubmit",
        on_canceled="resubmit",
        lookup_seconds=1.0,
        max_attempts=20,
    )
    # What follows is what kills are to fall into.
    print("ready", flush=True)
    results = Path(folder) / "results.jsonl"
    # A record that a kill has cut short was not written.
    lines = results.read_text().splitlines(keepends=True) if results.exists() else []
    done = [line for line in lines if line.endswith("\n")]
    results.write_text("".join(done))
    for step in range(len(done), STEPS):
        # One step ahead, as a pipelined run has it: two batches are in flight.
        params, features, key = inputs(min(step + 1, STEPS - 1))
        ionq.submit(CIRCUIT, *inputs(step)[:2], OBSERVABLES, key=inputs(step)[2])
        ionq.submit(CIRCUIT, params, features, OBSERVABLES, key=key)
        found = estimate(ionq, step)
        with results.open("a") as file:
            file.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    try:
        main(*sys.argv[1:])
    except QjaxError as error:
        sys.exit(f"{type(error).__name__}: {error}")
