"""What a report says, read from the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from qjax.circuit import Circuit
from qjax.errors import StoreError
from qjax.models.saving import model_of_run
from qjax.models.trained import TrainedModel
from qjax.store import Evaluation, RunRecord, RunStore, StepMetrics
from qjax.train.replay import recorded_dataset


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the model says about the test part.

    Args:
        class_names: names of the C classes, empty for regression.
        targets: class indices or numbers `[M]`, as they are.
        predicted: class indices or numbers `[M]`, as the model has them.
    """

    class_names: tuple[str, ...]
    targets: np.ndarray
    predicted: np.ndarray

    @property
    def confusion(self) -> np.ndarray:
        """int64 `[C, C]`: samples of each class (rows) that were taken for each class (columns)."""
        matrix = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(matrix, (self.targets, self.predicted), 1)
        return matrix


@dataclass(frozen=True, eq=False)
class RunReport:
    """A run as its report shows it.

    Args:
        record: the run.
        circuit: its circuit.
        gates: how often each gate occurs in it.
        metrics: its steps.
        evaluations: its evaluations.
        dataset_version: content hash of its dataset, None where the run keeps no record of it.
        model: id of its model, None where it has none.
        predictions: what the model says about the test part, None where there is no model.
    """

    record: RunRecord
    circuit: Circuit
    gates: dict[str, int]
    metrics: StepMetrics
    evaluations: tuple[Evaluation, ...]
    dataset_version: str | None
    model: str | None
    predictions: Predictions | None


def read_report(store: RunStore, wanted: str) -> RunReport:
    """Reads what a report says.

    Args:
        store: the store, which is only read.
        wanted: id, beginning of an id, or "latest".

    Returns:
        The report.

    Raises:
        StoreError: there is no such run, it has no step yet, or it cannot be read.
    """
    record = store.run(wanted)
    if not record.steps:
        raise StoreError(f"Run {record.id} has no step yet, so there is nothing to report. Train it further.")
    circuit = Circuit.from_json(dict(record.circuit))
    model, predictions, version = None, None, None
    if store.has_data(record.id):
        version = store.data(record.id).version
        model = TrainedModel.from_record(model_of_run(store, record.id))
        predictions = _predictions(store, record, model)
    return RunReport(
        record=record,
        circuit=circuit,
        gates=dict(Counter(op.gate for op in circuit.unrolled()).most_common()),
        metrics=store.metrics(record.id),
        evaluations=store.evaluations(record.id),
        dataset_version=version,
        model=model and model.id,
        predictions=predictions,
    )


def _predictions(store: RunStore, record: RunRecord, model: TrainedModel) -> Predictions:
    data, dataset = store.data(record.id), recorded_dataset(store, record.id)
    test = dataset.subset(data.order[data.num_train :])
    predicted = model.predict(test.features)
    if model.class_names:
        indices = {name: index for index, name in enumerate(model.class_names)}
        predicted = np.array([indices[name] for name in predicted.tolist()])
    return Predictions(model.class_names, test.targets, predicted)
