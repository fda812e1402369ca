"""A run whose record follows from its steps, and a process that writes and replicates it until it is killed.

Run as a script: `example.py FOLDER STEPS`. It begins or resumes the only run of the folder, with a thread
that replicates it, prints "ready", writes until it has so many steps, and ends like a command would.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from qjax.sinks import ReplicaThread, open_sink
from qjax.store import EncodedStates, RunData, RunStore, Snapshot, StepMetrics, StepRecord, to_bytes

SAMPLES, TRAINING, BATCH, STEPS_PER_EPOCH = 23, 18, 4, 5
SINK = "pinecone:qjax"


def data(width: int = 3) -> RunData:
    random = np.random.default_rng(5)
    return RunData(
        name="example",
        task="classification",
        class_names=("down", "up"),
        feature_names=("a", "b"),
        features=random.normal(size=(SAMPLES, 2)),
        targets=np.arange(SAMPLES) % 2,
        prepared_features=random.normal(size=(SAMPLES, width)).astype(np.float32),
        prepared_targets=(np.arange(SAMPLES) % 2).astype(np.int32),
        order=random.permutation(SAMPLES),
        num_train=TRAINING,
    )


def indices(first: int, stop: int) -> np.ndarray:
    rows = [np.random.default_rng(step).permutation(TRAINING)[:BATCH] for step in range(first, stop)]
    found = np.array(rows, np.int32).reshape(stop - first, BATCH)
    found[np.arange(first, stop) % STEPS_PER_EPOCH == STEPS_PER_EPOCH - 1, 2:] = -1
    return found


def states(step: int, dtype: str = "complex64") -> EncodedStates:
    random = np.random.default_rng(1000 + step)
    values = random.normal(size=(SAMPLES, 8, 2)).astype("f4" if dtype == "complex64" else "f8")
    return EncodedStates(step, np.arange(SAMPLES, dtype=np.int32), values.view(dtype)[..., 0])


def metrics(first: int, stop: int) -> StepMetrics:
    step = np.arange(first, stop)
    return StepMetrics(
        step,
        step // STEPS_PER_EPOCH,
        step % STEPS_PER_EPOCH,
        np.cos(step),
        np.sin(step),
        step / (step + 1.0),
        step,
        step,
        step * 0.1,
    )


def begin(store: RunStore, width: int = 3) -> str:
    return store.create_run({"seed": 1}, {"gates": []}, "c0ffee", {}, "example", data(width))


def write(store: RunStore, run: str, first: int, stop: int) -> None:
    """Writes one chunk; states and parameters come with the end of an epoch."""
    ends = [step for step in range(first + 1, stop + 1) if step % STEPS_PER_EPOCH == 0]
    record = StepRecord(
        indices(first, stop),
        tuple(Snapshot(step, to_bytes([np.arange(step)])) for step in ends),
        (states(step) for step in ends),
    )
    store.append(run, metrics(first, stop), to_bytes([np.array([stop])]), stop, record=record)


def next_stop(step: int) -> int:
    return step + 1 + int(np.random.default_rng(step).integers(7))


def write_all(store: RunStore, run: str, step: int, last: int, pause: float = 0.0) -> None:
    while step < last:
        write(store, run, step, min(next_stop(step), last))
        step = min(next_stop(step), last)
        time.sleep(pause)


def main() -> None:
    folder, last = Path(sys.argv[1]), int(sys.argv[2])
    sink = open_sink("pinecone")
    with RunStore.open(folder) as store:
        found = store.runs()
        run = found[0].id if found else begin(store)
        checkpoint = store.resume_run(run) if found else None
        with ReplicaThread(folder, sink.name, sink.service) as thread:
            thread.start(run)
            print("ready", flush=True)
            write_all(store, run, 0 if checkpoint is None else checkpoint.step, last, pause=0.002)
            store.finish_run(run, "finished", {})


if __name__ == "__main__":
    main()
