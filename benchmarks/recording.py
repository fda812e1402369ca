"""What the record of a run costs: training with and without it in turn, vectors in and out, and search.

    python benchmarks/recording.py --pairs 15

Every pair trains the model of the `baseline` preset twice in this process, once without a store and once with
one, in an order that changes from pair to pair. Time is that from the first step until the result is there,
so it holds what is still to be written when the last step is done. To it is added all that the training
thread spends on the record before its first step: it makes the recorder, starts the writer's thread, and
waits until that thread has begun the record. Compilation, which is the same in both and takes longer by
chance than any record does, is left out.

While the state that training starts from is compiled, which leaves the interpreter to other threads, the
writer's thread opens the store, begins the record, and writes once what it takes back, so that the end finds
its statements prepared. Nobody waits for that unless compiling takes less time, but a core is busy with it;
its CPU time is a figure of its own. The whole runs, as they were called, hold all of it; how much longer they
take when recorded comes with an interval, as compilation varies. To open the store and to close it after a
run is paid once by a process and not by a run; that is a figure of its own too.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np

from qjax.search.index import VectorIndex
from qjax.store import EncodedStates, RunData, RunStore, StepMetrics, StepRecord
from qjax.train import TrainingConfig, preset, train
from qjax.train.prepare import prepare
from qjax.train.recording import Recorder, begin_run
from qjax.train.result import Result
from qjax.train.run import initial_state
from qjax.train.step import TrainState


def main() -> None:
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 100])
    parser.add_argument("--engine", default="native", choices=["native", "xla"])
    parser.add_argument("--methods", nargs="+", default=["parameter_shift", "spsa_parallel", "adjoint"])
    parser.add_argument("--directory", type=Path, help="where the stores are made; default: as tempfile")
    arguments = parser.parse_args()
    report = {
        "training": {
            f"{method}, {epochs} epochs": recording(method, epochs, arguments)
            for method in arguments.methods
            for epochs in arguments.epochs
        },
        "vectors": [vectors(arguments.directory, batch=batch) for batch in (100, 1000)],
        "search": search(),
    }
    print(json.dumps(report, indent=2))


def recording(method: str, epochs: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Times pairs of runs, without and with a store."""
    keys = {**preset("baseline"), "gradient_method": method, "engine": arguments.engine, "epochs": epochs}
    config = replace(TrainingConfig.from_mapping(keys), evaluate="end")
    samples = prepare(config).num_train * epochs
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder, RunStore.open(folder) as store:
        for kept in (None, store):
            timed(config, kept)
        without, recorded = [], []
        for number in range(arguments.pairs):
            for kept in ((None, store), (store, None))[number % 2]:
                (without if kept is None else recorded).append(timed(config, kept))
        busy = [busy_before_the_first_step(config, store) for _ in range(arguments.pairs)]
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        RunStore.open(folder).close()
        opening = float(np.median([opened(config, folder) for _ in range(arguments.pairs)]))
    training, _, whole = np.array(without).T
    training_recorded, beginning, whole_recorded = np.array(recorded).T
    differences = training_recorded + beginning - training
    low, high = bootstrapped_median(differences)
    whole_low, whole_high = bootstrapped_median(whole_recorded - whole)
    return {
        "samples": samples,
        "seconds_without": float(np.median(training)),
        "seconds_with": float(np.median(training_recorded + beginning)),
        "seconds_to_begin_the_record": float(np.median(beginning)),
        "cpu_seconds_of_the_writer_before_the_first_step": float(np.median(busy)),
        "microseconds_per_sample": 1e6 * float(np.median(differences)) / samples,
        "microseconds_per_sample_95_low": 1e6 * low / samples,
        "microseconds_per_sample_95_high": 1e6 * high / samples,
        "seconds_of_a_whole_run": float(np.median(whole)),
        "seconds_of_a_whole_run_recorded": float(np.median(whole_recorded)),
        "seconds_of_a_whole_run_more_recorded": float(np.median(whole_recorded - whole)),
        "seconds_of_a_whole_run_more_recorded_95_low": whole_low,
        "seconds_of_a_whole_run_more_recorded_95_high": whole_high,
        "seconds_to_open_and_close_the_store": opening,
        "percent_of_a_whole_run": 100 * float(np.median(differences) / np.median(whole)),
    }


class TimedRecorder(Recorder):
    """Counts the seconds that the training thread spends on it before the first step."""

    seconds = 0.0

    def __init__(self, *arguments: Any) -> None:
        begin = time.perf_counter()
        super().__init__(*arguments)
        TimedRecorder.seconds = time.perf_counter() - begin

    def __enter__(self) -> Recorder:
        begin = time.perf_counter()
        super().__enter__()
        TimedRecorder.seconds += time.perf_counter() - begin
        return self

    def begun(self, state: TrainState) -> str:
        """As `Recorder.begun`, timed."""
        begin = time.perf_counter()
        run = super().begun(state)
        TimedRecorder.seconds += time.perf_counter() - begin
        return run


def timed(config: TrainingConfig, store: RunStore | None) -> tuple[float, float, float]:
    """Seconds from the first step to the result, those for the record before it, and those of the call."""
    prepared = prepare(config)  # Anew, so that nothing that was worked out for a run before is at hand.
    with mock.patch("qjax.train.run.Recorder", TimedRecorder):
        begin = time.perf_counter()
        result: Result = train(config, store=store, prepared=prepared)
        whole = time.perf_counter() - begin
    return whole - result.seconds_to_first_step, TimedRecorder.seconds, whole


def busy_before_the_first_step(config: TrainingConfig, store: RunStore) -> float:
    """CPU seconds of this process to begin a record and to close it unused, while nothing else is done."""
    prepared = prepare(config)
    state = jax.block_until_ready(initial_state(prepared))
    begin = time.process_time()
    with Recorder(store, prepared, lambda own: begin_run(own, prepared, "begun")) as recorder:
        recorder.begun(state)
    return time.process_time() - begin


def opened(config: TrainingConfig, folder: str) -> float:
    """Seconds to open a store that is there and to close it after one run."""
    prepared = prepare(config)
    begin = time.perf_counter()
    store = RunStore.open(folder)
    seconds = time.perf_counter() - begin
    train(config, store=store, prepared=prepared)
    begin = time.perf_counter()
    store.close()
    return seconds + time.perf_counter() - begin


def bootstrapped_median(values: np.ndarray) -> tuple[float, float]:
    """A 95 % interval of the median."""
    draws = np.random.default_rng(0).choice(values, (10_000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return float(low), float(high)


def vectors(
    directory: Path | None, count: int = 10_000, width: int = 768, batch: int = 100
) -> dict[str, float]:
    """Times vectors on their way into the store, a transaction for each batch, and back."""
    values = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    columns = np.zeros((batch, 1)), np.zeros(batch), np.zeros((batch, 1)), np.zeros(batch), np.arange(batch)
    data = RunData("vectors", "regression", (), ("x0",), *columns, batch)
    with tempfile.TemporaryDirectory(dir=directory) as folder, RunStore.open(folder) as store:
        run = store.create_run({}, {}, "", {}, "vectors", data)
        begin = time.perf_counter()
        for step, first in enumerate(range(0, count, batch)):
            states = EncodedStates(step, np.arange(batch), values[first : first + batch])
            metrics = StepMetrics.from_rows([(step, 0, step, 0.0, 0.0, 0.0, 1, 1, 0.0)])
            record = StepRecord(np.arange(batch)[None], states=(states,))
            store.append(run, metrics, b"", step + 1, record=record)
        written = time.perf_counter() - begin
        begin = time.perf_counter()
        fetched = [each.values for each in store.states(run)]
        read = time.perf_counter() - begin
        equal = all(
            part.tobytes() == values[first : first + batch].tobytes()
            for part, first in zip(fetched, range(0, count, batch), strict=True)
        )
    return {
        "vectors": count,
        "width": width,
        "vectors_per_transaction": batch,
        "written_per_second": count / written,
        "read_per_second": count / read,
        "bit_exact": equal and sum(map(len, fetched)) == count,
    }


def search(count: int = 200_000, num_qubits: int = 8, repeats: int = 5) -> dict[str, float]:
    """Times the ten nearest of so many states, in memory, by exact fidelity."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(2, count, 2**num_qubits)).astype(np.float32)
    index = VectorIndex([str(i) for i in range(count)], parts[0] + 1j * parts[1], {})
    seconds = []
    for place in rng.integers(count, size=repeats):
        begin = time.perf_counter()
        nearest = index.nearest(index.values[place], 10)
        seconds.append(time.perf_counter() - begin)
        if nearest[0].id != str(place):
            raise SystemExit("A state was not found nearest to itself.")
    return {"states": count, "num_qubits": num_qubits, "seconds": float(np.median(seconds))}


if __name__ == "__main__":
    main()
