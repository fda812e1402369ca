"""The observer that writes a run to the store, one transaction for each chunk."""

from __future__ import annotations

import numpy as np

from qjax.store import Evaluation, RunStore, StepMetrics
from qjax.train.checkpoint import state_to_bytes
from qjax.train.losses import Task
from qjax.train.observers import Chunk, SplitEvaluation
from qjax.train.result import Tally


class Recorder:
    """Writes metrics, evaluations and a checkpoint of each chunk, all in one transaction.

    Args:
        store: the open store.
        run: id of the run, which this process writes.
        task: what is predicted; scores are recorded as accuracies except in regression.
    """

    def __init__(self, store: RunStore, run: str, task: Task):
        self._store = store
        self._run = run
        self._has_accuracy = task != "regression"

    def on_chunk(self, chunk: Chunk) -> None:
        """Writes a chunk."""
        steps = np.arange(chunk.first_step, chunk.next_step)
        columns = {name: np.asarray(values) for name, values in chunk.infos._asdict().items()}
        metrics = StepMetrics(
            step=steps,
            epoch=steps // chunk.steps_per_epoch,
            batch=steps % chunk.steps_per_epoch,
            loss=columns["loss"],
            gradient_norm=columns["gradient_norm"],
            accuracy=columns["score"] if self._has_accuracy else np.full(len(steps), np.nan),
            n_circuits=columns["circuits"],
            n_jobs=columns["jobs"],
            circuit_time_ms=np.full(len(steps), 1e3 * chunk.seconds / len(steps)),
        )
        evaluations = [
            Evaluation(
                step=chunk.next_step,
                split=evaluation.split,
                loss=evaluation.loss,
                accuracy=evaluation.score if self._has_accuracy else None,
                n_circuits=evaluation.circuits,
            )
            for evaluation in chunk.evaluations
        ]
        payload = state_to_bytes(chunk.state)
        self._store.append(self._run, metrics, payload, chunk.next_step, evaluations)


def restore_tally(tally: Tally, store: RunStore, run: str) -> None:
    """Brings a tally to where a recorded run stands.

    Args:
        tally: a new tally.
        store: the store.
        run: id of the run.
    """
    metrics = store.metrics(run)
    tally.gradient_circuits = int(metrics.n_circuits.sum())
    tally.jobs = int(metrics.n_jobs.sum())
    if len(metrics):
        tally.last_loss = float(metrics.loss[-1])
    for record in store.evaluations(run):
        tally.evaluation_circuits += record.n_circuits
        score = float("nan") if record.accuracy is None else record.accuracy
        tally.evaluations[record.split] = SplitEvaluation(record.split, record.loss, score, record.n_circuits)
