"""Training on a service with a queue: the old way and four others side by side, on the local server.

Every job waits 2 s in the queue and takes 0.25 s a circuit, one circuit after another; that is the latency
model of the local server, which simulates meanwhile. The model's own bound is what a strategy would take if
everything else took no time; what a job takes beyond it is this project's (and this machine's) part.

    python benchmarks/hardware.py                # a clock 20 times as fast; times are printed in the model's
    python benchmarks/hardware.py --scale 1      # the real clock, half an hour
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from hw import IonQ
from hw.server import LatencyModel, LocalServer, ServerConfig
from qjax.train import Chunk, TrainingConfig, train
from qjax.train.prepare import prepare

QUEUE_SECONDS = 2.0
SECONDS_PER_CIRCUIT = 0.25

STRATEGIES: dict[str, dict[str, Any]] = {
    "old": {"gradient_method": "spsa_parallel", "enable_circuit_batching": False},
    "sequential": {"gradient_method": "spsa_parallel", "max_parallel_circuits": 10},
    "parallel": {"gradient_method": "spsa_parallel"},
    "subsampled": {"gradient_method": "spsa_subsampled", "gradient_subsample_size": 2},
    "pipelined": {
        "gradient_method": "spsa_subsampled",
        "gradient_subsample_size": 2,
        "pipeline_depth": 2,
    },
}
"""One circuit a job, one after another; one job for each perturbed set; one job a step; one job of few
samples; and the jobs of three steps in flight."""


@dataclass(frozen=True)
class Row:
    """What a strategy came to.

    Args:
        name: the strategy.
        steps: training steps.
        circuits: circuits that were run.
        jobs: jobs that were sent.
        model_seconds: what the latency model alone takes.
        beyond_ms: milliseconds that each job took beyond it, on this machine's clock.
        seconds: both together, in the model's time.
        loss: loss over all training samples after the steps.
    """

    name: str
    steps: int
    circuits: int
    jobs: int
    model_seconds: float
    beyond_ms: float
    seconds: float
    loss: float


class _Steps:
    """An observer that keeps what each step sent."""

    def __init__(self) -> None:
        self.circuits: list[int] = []
        self.jobs: list[int] = []
        self.seconds = 0.0
        self.last: Chunk | None = None

    def on_chunk(self, chunk: Chunk) -> None:
        self.circuits += np.asarray(chunk.infos.circuits).tolist()
        self.jobs += np.asarray(chunk.infos.jobs).tolist()
        self.seconds += chunk.seconds
        self.last = chunk


def bound(circuits: list[int], jobs: list[int], depth: int) -> float:
    """What the latency model alone takes for steps whose jobs go one after another.

    Args:
        circuits: circuits of each step.
        jobs: jobs of each step.
        depth: how many steps late gradients come.

    Returns:
        Seconds until the last step can be done.
    """
    ends: list[float] = []
    for index, (number, count) in enumerate(zip(circuits, jobs, strict=True)):
        begins = 0.0 if index <= depth else ends[index - depth - 1]
        takes = QUEUE_SECONDS * count + SECONDS_PER_CIRCUIT * number
        # Steps are done in order, whichever ends first.
        ends.append(max([begins + takes, *ends[-1:]]))
    return ends[-1]


def configuration(epochs: int) -> TrainingConfig:
    """The old system's model and batches: 8 qubits, 50 training samples in batches of 10."""
    values: dict[str, Any] = {
        "num_samples": 63,
        "num_qubits": 8,
        "num_layers": 2,
        "batch_size": 10,
        "epochs": epochs,
        "evaluate": "never",
        "batch_submission_timeout": 3600.0,
        "gradient_method": "spsa_parallel",
    }
    return TrainingConfig.from_mapping(values)


def measured(name: str, config: TrainingConfig, scale: float) -> Row:
    """Trains on a server of its own.

    Args:
        name: the strategy.
        config: the configuration.
        scale: how much faster the server's clock is than the model's.

    Returns:
        What it came to.
    """
    latency = LatencyModel(QUEUE_SECONDS / scale, SECONDS_PER_CIRCUIT / scale)
    with tempfile.TemporaryDirectory() as folder:
        # Whatever is compiled once, here or in the server, is no part of the comparison.
        with LocalServer(ServerConfig(Path(folder) / "warm.sqlite")) as server:
            _train(replace(config, epochs=1), server)
        with LocalServer(ServerConfig(Path(folder) / "jobs.sqlite", latency=latency)) as server:
            steps = _train(config, server)
    model = bound(steps.circuits, steps.jobs, config.pipeline_depth)
    jobs = sum(steps.jobs)
    beyond = steps.seconds - model / scale
    return Row(
        name=name,
        steps=len(steps.circuits),
        circuits=sum(steps.circuits),
        jobs=jobs,
        model_seconds=model,
        beyond_ms=1e3 * beyond / jobs,
        seconds=model + beyond,
        loss=_loss(config, steps),
    )


def _train(config: TrainingConfig, server: LocalServer) -> _Steps:
    executor = IonQ(remote_host=server.url, api_key=server.api_key)
    watcher = _Steps()
    train(config, observers=[watcher], prepared=prepare(config, executor))
    executor.close()
    return watcher


def _loss(config: TrainingConfig, steps: _Steps) -> float:
    """The exact loss over all training samples, simulated here: it is no part of the training."""
    assert steps.last is not None
    prepared = prepare(replace(config, executor="simulator"))
    count = prepared.num_train
    objective = prepared.model.objective(prepared.executor)
    params = steps.last.state.params
    outputs = objective.executor.expectations(
        objective.circuit, params.circuit[None], prepared.features[:count], objective.observables
    ).mean[0]
    weights = np.ones(count, prepared.model.dtype)
    return float(objective.loss(params.head, outputs, jax.numpy.asarray(prepared.targets[:count]), weights))


def lines(rows: list[Row], scale: float) -> Iterator[str]:
    """The table.

    Args:
        rows: the strategies, the old one first.
        scale: how much faster the server's clock was.

    Yields:
        Lines of Markdown.
    """
    yield (
        f"Queue {QUEUE_SECONDS:g} s, {SECONDS_PER_CIRCUIT:g} s a circuit; the clock ran {scale:g} times as "
        "fast, and times are in the model's."
    )
    yield ""
    yield "| strategy | steps | circuits | jobs | time | by the model | beyond it, a job | faster | loss |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        yield (
            f"| {row.name} | {row.steps} | {row.circuits:,} | {row.jobs:,} | {row.seconds:,.1f} s "
            f"| {row.model_seconds:,.1f} s | {row.beyond_ms:.0f} ms | {rows[0].seconds / row.seconds:.1f}x "
            f"| {row.loss:.4f} |"
        )


def main() -> None:
    """Measures all strategies and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", type=float, default=20.0, help="how much faster the server's clock runs")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of five steps")
    parser.add_argument("--json", type=Path, help="where to write the rows as JSON")
    arguments = parser.parse_args()
    rows = []
    for name, changes in STRATEGIES.items():
        config = replace(configuration(arguments.epochs), **changes)
        rows.append(measured(name, config, arguments.scale))
        print(f"{name}: {rows[-1].seconds:,.1f} s", flush=True)
    print()
    print("\n".join(lines(rows, arguments.scale)))
    if arguments.json:
        arguments.json.write_text(json.dumps([vars(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
