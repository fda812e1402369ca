"""Small runs that the tests share, and an observer that keeps what it sees."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qjax.executor import Executor
from qjax.gradients import Batch
from qjax.train import Chunk, StepInfo, TrainingConfig, TrainState, make_step, scan_steps
from qjax.train.checkpoint import state_to_bytes
from qjax.train.optimizers import make_optimizer
from qjax.train.prepare import Prepared, dispatched
from qjax.train.step import Step

METHODS = {
    "adjoint": {"gradient_method": "adjoint"},
    "parameter_shift": {"gradient_method": "parameter_shift"},
    "parameter_shift-shots": {"gradient_method": "parameter_shift", "shots_per_circuit": 20},
    "spsa": {"gradient_method": "spsa"},
    "spsa-shots": {"gradient_method": "spsa", "shots_per_circuit": 20},
    "spsa_parallel": {"gradient_method": "spsa_parallel"},
    "spsa_parallel-shots": {"gradient_method": "spsa_parallel", "shots_per_circuit": 20},
    "spsa_subsampled": {"gradient_method": "spsa_subsampled", "gradient_subsample_size": 3},
    "spsa_subsampled-shots": {
        "gradient_method": "spsa_subsampled",
        "gradient_subsample_size": 3,
        "shots_per_circuit": 20,
    },
    "frozen": {"gradient_method": "frozen"},
    "frozen-shots": {"gradient_method": "frozen", "shots_per_circuit": 20},
}
"""Every gradient method, with exact results and with shots where it works from shots."""


def tiny(**changes: Any) -> TrainingConfig:
    """Two qubits and 22 training samples in batches of 8, so three steps an epoch, the last one partial."""
    values: dict[str, Any] = {
        "dataset": "rings",
        "num_samples": 28,
        "num_features": 2,
        "num_qubits": 2,
        "num_layers": 1,
        "head": "linear",
        "gradient_method": "adjoint",
        "optimizer": "sgd",
        "schedule": "constant",
        "learning_rate": 0.1,
        "epochs": 1,
        "batch_size": 8,
        "evaluate": "never",
    }
    return TrainingConfig(**values | changes)


def step_of(prepared: Prepared) -> Step:
    """The step of a run: the first of its own compiled scan, the rest of which is skipped."""
    objective = prepared.model.objective(dispatched(prepared.config, prepared.executor))
    length = prepared.loader().num_steps
    optimizer = make_optimizer(prepared.config, length)
    step = make_step(objective, prepared.method, optimizer, prepared.model.measured_score)
    scan = jax.jit(scan_steps(step))

    def first_of_many(state: TrainState, batch: Batch) -> tuple[TrainState, StepInfo]:
        batches = jax.tree.map(lambda array: jnp.broadcast_to(array, (length, *array.shape)), batch)
        after, infos = scan(state, batches, np.int32(1))
        skipped = jax.tree.map(lambda array: array[1:], infos)
        assert not any(array.any() for array in skipped)
        return after, jax.tree.map(lambda array: array[0], infos)

    return first_of_many


def batch_at(prepared: Prepared, step: int) -> Batch:
    """The batch of a step."""
    chunk = prepared.loader().chunk(step, 1)
    return Batch(*(jnp.asarray(array[0]) for array in (chunk.features, chunk.targets, chunk.weights)))


@dataclass(frozen=True)
class Outside:
    """A simulator behind a wall: NumPy in, NumPy out, and nothing of JAX may be traced through it.

    It keeps when each call began and ended, and lets those that `delay` names wait.
    """

    simulator: Executor
    delay: Callable[[int], float] = lambda call: 0.0
    calls: list[tuple[float, float, np.ndarray]] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return self.simulator.exact

    @property
    def traceable(self) -> bool:
        return False

    def expectations(self, circuit, params, features, observables, *, key=None, mask=None, covariance=False):
        began, params = time.perf_counter(), np.array(params)  # a tracer cannot become one
        time.sleep(self.delay(len(self.calls)))
        result = self.simulator.expectations(
            circuit,
            params,
            None if features is None else np.array(features),
            observables,
            key=key,
            mask=mask,
            covariance=covariance,
        )
        result = jax.tree.map(np.asarray, result)
        self.calls.append((began, time.perf_counter(), params))
        return result


@dataclass
class Watcher:
    """Keeps all chunks; raises something after a number of steps if told to."""

    stop_at: int | None = None
    error: type[BaseException] = KeyboardInterrupt
    chunks: list[Chunk] = field(default_factory=list)

    def on_chunk(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        if self.stop_at is not None and chunk.next_step >= self.stop_at:
            raise self.error

    @property
    def infos(self) -> StepInfo:
        """One entry for each step of the run."""
        return jax.tree.map(lambda *arrays: np.concatenate(arrays), *(chunk.infos for chunk in self.chunks))

    @property
    def payload(self) -> bytes:
        """The last state, to the bit."""
        return state_to_bytes(self.chunks[-1].state)

    @property
    def lengths(self) -> list[int]:
        """Steps of each chunk."""
        return [chunk.num_steps for chunk in self.chunks]


def same(one: StepInfo, other: StepInfo) -> bool:
    """Whether infos are equal to the bit."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))
