"""A store of small finished runs that the tests of models share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from qjax.data import Dataset
from qjax.store import RunStore
from qjax.train import Result, TrainingConfig, train
from qjax.train.prepare import prepare

_TINY = TrainingConfig(
    dataset="rings",
    num_samples=28,
    num_features=2,
    num_qubits=2,
    num_layers=1,
    epochs=2,
    batch_size=8,
    evaluate="end",
    record_states="end",
)
CONFIGS = {
    "binary": _TINY,
    "multiclass": replace(_TINY, dataset="iris", num_samples=30, epochs=3),
    "regression": replace(_TINY, dataset="diabetes", num_samples=40, encoding="iqp"),
    "hinge": replace(_TINY, loss="hinge", gradient_method="spsa_parallel", shots_per_circuit=50),
    "reuploading": replace(
        _TINY, ansatz="data_reuploading", scaling="minmax", head="none", observables=("Z0",)
    ),
}
"""A run for each task, and some that take another way."""


class Trained(NamedTuple):
    """A finished run."""

    store: RunStore
    result: Result
    dataset: Dataset
    test: np.ndarray
    """Places of the test part in the dataset."""


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Trained]]:
    folder: Path = tmp_path_factory.mktemp("models")
    with RunStore.open(folder) as store:
        trained = {}
        for name, config in CONFIGS.items():
            prepared = prepare(config)
            result = train(config, store=store, name=name, prepared=prepared)
            places = prepared.order[prepared.num_train :]
            trained[name] = Trained(store, result, prepared.dataset, places)
        yield trained


@pytest.fixture(params=CONFIGS)
def trained(request: pytest.FixtureRequest, runs: dict[str, Trained]) -> Trained:
    """Each of the runs in turn."""
    return runs[request.param]
