"""A run whose every number follows from its step, and a process that writes it until it is killed.

Run as a script: `example_run.py FOLDER NAME LAST_STEP`. It prints "ready", waits for a line, then
opens the store, writes, and prints each step once `append` has returned from it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable

import numpy as np

from qjax.store import Evaluation, RunStore, StepMetrics, to_bytes


def steps_between(first: int, last: int) -> StepMetrics:
    step = np.arange(first, last)
    accuracy = np.where(step % 3 == 0, np.nan, step / (step + 1.0))
    return StepMetrics(
        step, step // 7, step % 7, np.cos(step), np.sqrt(step), accuracy, 2 * step, step % 5, step * 0.1
    )


def payload_at(step: int) -> bytes:
    size = 200 + 97 * (step % 50)
    return to_bytes([np.array([step, step + 1], dtype=np.uint32), np.sin(np.arange(size) * (step + 1))])


def evaluations_at(step: int) -> tuple[Evaluation, ...]:
    return tuple(Evaluation(step, split, np.sin(step), 1 / (step + 1), 10) for split in ("test", "train"))


def next_stop(step: int) -> int:
    """The checkpoint after `step`: irregular distances, the same in every attempt."""
    return step + 1 + hashlib.sha256(str(step).encode()).digest()[0] % 9


def write(
    store: RunStore, run_id: str, step: int, last_step: int, report: Callable[[int], object] = id
) -> None:
    while step < last_step:
        stop = next_stop(step)
        store.append(run_id, steps_between(step, stop), payload_at(stop), stop, evaluations_at(stop))
        step = stop
        report(step)


def check(store: RunStore, run_id: str) -> int:
    """Checks that a run is whole, and returns its number of steps."""
    steps = store.run(run_id).steps
    metrics, expected = store.metrics(run_id), steps_between(0, steps)
    for name, column in vars(expected).items():
        np.testing.assert_array_equal(getattr(metrics, name), column)
    stop, stops = 0, []
    while stop < steps:
        stop = next_stop(stop)
        stops.append(stop)
    assert stop == steps
    assert store.evaluations(run_id) == tuple(each for stop in stops for each in evaluations_at(stop))
    kept = store._connection.execute("SELECT count(*) FROM checkpoints WHERE run = ?", (run_id,))
    assert kept.fetchone()[0] == min(2, len(stops))
    checkpoint = store.latest_checkpoint(run_id)
    if checkpoint is None:
        assert steps == 0
    else:
        assert (checkpoint.step, checkpoint.payload) == (steps, payload_at(steps))
    return steps


if __name__ == "__main__":
    folder, name, last_step = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    with RunStore.open(folder) as store:
        run_id = store.create_run({"name": name}, {"gates": list(range(500))}, "c0ffee", {}, name)
        print(run_id, flush=True)
        write(store, run_id, 0, int(last_step), lambda step: print(step, flush=True))
        store.finish_run(run_id, "finished", {"loss": float("nan")})
