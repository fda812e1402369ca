"""How often a layer of a large model goes through memory."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np

from benchmarks.cell import model
from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.peers import SUBJECT
from benchmarks.process import Worker
from benchmarks.table import duration, number

GOAL = 8.0
_NUM_QUBITS = 24
_DEPTHS = (2, 6)
_CIRCUITS = 2
_COMPLEX64 = 8


def check(bench: Bench) -> list[Finding]:
    """Time of a layer over that of reading and writing the state once, on the same cores in turn.

    The layer's time is the difference of two depths, so encoding, first layer and observable are left out.
    """
    bench.say("sweeps")
    shallow, deep = (model(_NUM_QUBITS, depth, 1, "spsa") for depth in _DEPTHS)
    sweeps, layers = [], []
    with Worker(SUBJECT, shallow, bench.cores) as one, Worker(SUBJECT, deep, bench.cores) as other:
        for worker in (one, other):
            worker.ask({"do": "prepare"}, bench.limits.timeout)
        state = np.ones(_COMPLEX64 << _NUM_QUBITS >> 2, np.float32)
        for _ in range(bench.limits.rounds):
            sweeps.append(_sweep(state, bench.cores))
            small, large = (
                worker.ask(bench.limits.order, bench.limits.timeout)["seconds"] for worker in (one, other)
            )
            layers.append((large - small) / (_DEPTHS[1] - _DEPTHS[0]) / _CIRCUITS)
    ratio = median(layer / sweep for layer, sweep in zip(layers, sweeps, strict=True))
    rate = 2 * state.nbytes / min(sweeps) / 1e9
    times = f"{duration(min(layers))} a layer; one sweep {duration(min(sweeps))}, {rate:.0f} GB/s"
    what = f"sweeps over the state for a layer of {_NUM_QUBITS} qubits"
    return [Finding(what, f"at most {GOAL:g}", f"{number(ratio)} ({times})", ratio <= GOAL)]


def _sweep(state: np.ndarray, cores: tuple[int, ...], repeats: int = 5) -> float:
    """Seconds to read and write an array once, a part on each core."""
    parts = np.array_split(state, len(cores))

    def multiply(core: int, part: np.ndarray) -> None:
        os.sched_setaffinity(0, (core,))  # of this thread
        np.multiply(part, np.float32(1.0), out=part)

    times = []
    with ThreadPoolExecutor(len(cores)) as pool:
        for _ in range(repeats):
            start = time.perf_counter()
            list(pool.map(multiply, cores, parts))
            times.append(time.perf_counter() - start)
    return min(times)
