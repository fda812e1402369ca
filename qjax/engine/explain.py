"""Tells a person what a batch of circuits takes before it is run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qjax.circuit import Circuit
from qjax.engine import native, xla
from qjax.engine.chunks import states_per_chunk
from qjax.engine.native.description import describe
from qjax.engine.program import (
    LayerStep,
    LoopStep,
    MatrixStep,
    PauliRotationStep,
    Step,
    lower,
)
from qjax.machine import num_cores
from qjax.observables import PauliSum

# Of the rate at which this machine multiplies matrices: what passes over states have been seen to reach.
_REACHED = {"native": 0.7, "xla": 0.2}
_CACHE_BYTES = 2**22
_CORES_TO_FILL_MEMORY = 2


@dataclass(frozen=True)
class Explanation:
    """What a batch of S x B circuits takes.

    Args:
        engine: "native" with its instruction set, or "xla".
        num_qubits: qubits of the circuit.
        num_gates: its gates, repeats written out.
        num_circuits: S times B.
        gradient: whether gradients are counted as well.
        passes: passes over the state of one circuit.
        flops: floating-point operations of one circuit.
        bytes_moved: bytes of its state that the passes read and write.
        working_set: bytes that are in use at once; on the native engine for each thread.
        side_by_side: circuits that run at once; on the native engine in each thread.
        num_chunks: how many such groups there are.
        threads: threads that take part.
        seconds: what it should take, from rates measured now.
    """

    engine: str
    num_qubits: int
    num_gates: int
    num_circuits: int
    gradient: bool
    passes: int
    flops: float
    bytes_moved: float
    working_set: int
    side_by_side: int
    num_chunks: int
    threads: int
    seconds: float

    def __str__(self) -> str:
        what = "values and gradients" if self.gradient else "values"
        rows = (
            ("circuits", f"{self.num_circuits:,} of {self.num_qubits} qubits and {self.num_gates:,} gates"),
            ("engine", f"{self.engine}, {what}"),
            ("passes over a state", f"{self.passes:,}"),
            ("operations", f"{_scaled(self.flops, 'FLOP', 1000)} a circuit"),
            ("states moved", f"{_scaled(self.bytes_moved, 'B', 1024)} a circuit"),
            ("working set", _scaled(self.working_set, "B", 1024)),
            ("chunks", f"{self.num_chunks:,} of up to {self.side_by_side:,} circuits"),
            ("expected", f"{_scaled_seconds(self.seconds)} on {self.threads} thread(s)"),
        )
        return "\n".join(f"{name:20} {value}" for name, value in rows)


def explain(
    circuit: Circuit,
    observables: Sequence[PauliSum],
    num_sets: int = 1,
    num_samples: int = 1,
    *,
    engine: Literal["auto", "native", "xla"] = "auto",
    dtype: Literal["complex64", "complex128"] = "complex64",
    gradient: bool = False,
) -> Explanation:
    """Explains what exact expectation values of a batch take on this machine's CPU.

    Args:
        circuit: the circuit.
        observables: what is measured.
        num_sets: S parameter sets.
        num_samples: B samples of each.
        engine: as in `Simulator`.
        dtype: as in `Simulator`.
        gradient: whether gradients are asked for as well.

    Returns:
        The explanation. Counts are the engine's own; the time is an estimate from the rates at which this
        machine multiplies matrices and copies memory, measured in a few milliseconds.

    Example:
        >>> from qjax import Op
        >>> bell = Circuit(2, (Op("h", (0,)), Op("cx", (0, 1))))
        >>> explanation = explain(bell, [PauliSum("Z0 Z1")], num_samples=100, engine="xla")
        >>> explanation.passes, explanation.num_circuits
        (1, 100)
    """
    itemsize = np.dtype(dtype).itemsize
    num_circuits = num_sets * num_samples
    threads = num_cores()
    if engine != "xla" and native.can_run(circuit):
        name = f"native ({native.isa()})"
        found = describe(
            circuit,
            tuple(observables),
            num_sets,
            num_samples,
            double=itemsize == 16,
            gradient=gradient,
            threads=threads,
        )
        passes, flops, moved, working_set, side_by_side, threads = found
    else:
        name = "xla"
        program = lower(circuit)
        # Reverse mode computes each pass again and pulls two products back through it.
        times = 4 if gradient else 1
        passes, flops = _xla_work(program.steps)
        passes, flops = times * passes, times * flops * 2.0**circuit.num_qubits
        moved = passes * 2.0 * itemsize * 2.0**circuit.num_qubits
        side_by_side = min(states_per_chunk(program, itemsize), max(num_circuits, 1))
        states = program.num_stored_states + 2 if gradient else 3
        working_set = states * side_by_side * itemsize * 2**circuit.num_qubits
    rate, bandwidth = _measured_rates()
    rate *= _REACHED[name.split()[0]] * 8 / itemsize * (threads / num_cores())
    seconds = num_circuits * flops / rate
    if working_set > _CACHE_BYTES:
        seconds = max(seconds, num_circuits * moved / (bandwidth * min(threads, _CORES_TO_FILL_MEMORY)))
    return Explanation(
        engine=name,
        num_qubits=circuit.num_qubits,
        num_gates=sum(1 for _ in circuit.unrolled()),
        num_circuits=num_circuits,
        gradient=gradient,
        passes=passes,
        flops=flops,
        bytes_moved=moved,
        working_set=working_set,
        side_by_side=side_by_side,
        num_chunks=math.ceil(num_circuits / side_by_side),
        threads=threads,
        seconds=seconds,
    )


def _xla_work(steps: Sequence[Step], *, on_product: bool = True) -> tuple[int, float]:
    """Passes and operations on each amplitude of the plain-JAX engine."""
    passes, flops = 0, 0.0
    for index, step in enumerate(steps):
        match step:
            case LayerStep(factors):
                if index == 0 and on_product:
                    continue  # the first layer builds a product state and passes over nothing
                sizes = [size for _, size in xla.qubit_blocks([qubit for qubit, _ in factors])]
                passes += len(sizes)
                flops += sum(8.0 * 2**size for size in sizes)
            case MatrixStep(qubits):
                passes, flops = passes + 1, flops + 8.0 * 2 ** len(qubits)
            case PauliRotationStep():
                passes, flops = passes + 2, flops + 16.0
            case LoopStep(body, times):
                inner = _xla_work(body, on_product=False)
                passes, flops = passes + times * inner[0], flops + times * inner[1]
            case _:
                passes, flops = passes + 1, flops + 6.0
    return passes, flops


def _measured_rates() -> tuple[float, float]:
    """Single-precision operations a second in matrix products, and bytes a second in copies."""
    rng = np.random.default_rng(0)
    matrix = rng.random((384, 384), np.float32)
    source = rng.random(2**22)
    target = np.empty_like(source)

    def fastest(work) -> float:
        times = []
        for _ in range(4):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
        return min(times)

    product = fastest(lambda: matrix @ matrix)
    copy = fastest(lambda: np.copyto(target, source))
    return 2 * 384**3 / product, 2 * source.nbytes / copy


def _scaled(value: float, unit: str, step: int) -> str:
    for prefix in ("", "k", "M", "G", "T"):
        if value < step or prefix == "T":
            return f"{value:.3g} {prefix}{'i' if step == 1024 and prefix else ''}{unit}"
        value /= step
    raise AssertionError  # the loop returns


def _scaled_seconds(seconds: float) -> str:
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
