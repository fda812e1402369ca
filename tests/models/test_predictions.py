"""What a loaded model predicts: what it was trained to, the same in every process and every company."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qjax
from qjax.errors import ArgumentError, DataError, StoreError
from qjax.models import Registry, TrainedModel, load
from qjax.store import ModelRecord, from_bytes

from .conftest import Trained

PREDICT = """
import hashlib, sys
import numpy as np
from qjax.models import load

folder, run, features = sys.argv[1:]
print(hashlib.sha256(load(folder, run).outputs(np.load(features)).tobytes()).hexdigest())
"""


def test_a_model_scores_what_its_run_said(trained: Trained) -> None:
    model = load(trained.store, trained.result.run)
    if model.config.shots_per_circuit is not None:
        pytest.skip("the run measured what the model computes")
    part = trained.dataset.subset(trained.test)
    predicted = model.predict(part.features)
    if part.class_names:
        score = np.mean(predicted == np.asarray(part.class_names)[part.targets.astype(int)])
    else:
        spread = np.mean((part.targets - part.targets.mean()) ** 2)
        score = 1 - np.mean((part.targets - predicted) ** 2) / spread
    assert score == pytest.approx(trained.result.test_score, abs=1e-5)


def test_a_model_has_the_parameters_of_the_checkpoint(trained: Trained) -> None:
    checkpoint = trained.store.latest_checkpoint(trained.result.run)
    assert checkpoint is not None
    record = Registry(trained.store).find(trained.result.run)
    kept = [array.tobytes() for array in from_bytes(record.payload)]
    assert kept == [array.tobytes() for array in from_bytes(checkpoint.payload)][: len(kept)]


def test_another_process_predicts_the_same_to_the_bit(runs: dict[str, Trained], tmp_path) -> None:
    random = np.random.default_rng(5)
    for name in ("multiclass", "regression"):
        store, result, dataset, _ = runs[name]
        features = dataset.features[random.integers(dataset.num_samples, size=300)]
        np.save(tmp_path / "features.npy", features)
        here = hashlib.sha256(load(store, result.run).outputs(features).tobytes()).hexdigest()
        words = [sys.executable, "-c", PREDICT, store.directory, result.run, tmp_path / "features.npy"]
        there = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
        assert there == here


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_what_is_predicted_for_a_sample_does_not_depend_on_its_company(
    runs: dict[str, Trained], data: st.DataObject
) -> None:
    trained = runs[data.draw(st.sampled_from(sorted(runs)))]
    model = _cached(trained)
    places = st.lists(st.integers(0, trained.dataset.num_samples - 1), min_size=1, max_size=400)
    rows = trained.dataset.features[data.draw(places)]
    together = model.outputs(rows)
    one = data.draw(st.integers(0, len(rows) - 1))
    assert model.outputs(rows[one : one + 1]).tobytes() == together[one : one + 1].tobytes()


_MODELS: dict[str, TrainedModel] = {}


def _cached(trained: Trained) -> TrainedModel:
    return _MODELS.setdefault(trained.result.run, load(trained.store, trained.result.run))


def test_probabilities_say_the_same_as_labels(runs: dict[str, Trained]) -> None:
    for name in ("binary", "multiclass"):
        model, rows = _cached(runs[name]), runs[name].dataset.features
        probabilities = model.predict_proba(rows)
        assert probabilities.shape == (len(rows), len(model.class_names))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        assert np.array_equal(
            np.asarray(model.class_names)[probabilities.argmax(axis=1)], model.predict(rows)
        )
    for name in ("hinge", "regression"):
        with pytest.raises(ArgumentError, match="cross_entropy"):
            _cached(runs[name]).predict_proba(runs[name].dataset.features)


def test_features_that_do_not_fit_are_refused(runs: dict[str, Trained]) -> None:
    model = _cached(runs["multiclass"])
    assert model.predict(np.zeros((0, 4))).shape == (0,)
    with pytest.raises(ArgumentError, match=r"shape \[N, 4\]"):
        model.predict(np.zeros((3, 5)))
    with pytest.raises(DataError):
        model.predict([[1.0, 2.0, float("nan"), 4.0]])


def test_the_package_gives_models_on_demand(runs: dict[str, Trained]) -> None:
    store, result, dataset, _ = runs["binary"]
    assert set(qjax.models.load(store, result.run).predict(dataset.features)) <= set(dataset.class_names)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda about: about | {"format": 2},
        lambda about: about | {"format": None},
        lambda about: about | {"circuit_hash": "0" * 64},
        lambda about: about | {"features": about["features"][1:]},
        lambda about: about | {"classes": [*about["classes"], "another"]},
        lambda about: about | {"config": about["config"] | {"num_layers": "two"}},
        lambda about: about | {"config": about["config"] | {"encoding": "iqp"}},
        lambda about: about | {"preprocessing": None},
        lambda about: {key: value for key, value in about.items() if key != "circuit"},
        # These no prediction needs, but a list of models shows them.
        lambda about: {key: value for key, value in about.items() if key != "dataset"},
        lambda about: about | {"name": None},
        lambda about: about | {"metrics": {"test_accuracy": "all"}},
    ],
)
def test_what_cannot_predict_is_not_built(runs: dict[str, Trained], spoil) -> None:
    record = Registry(runs["binary"].store).find(runs["binary"].result.run)
    with pytest.raises(StoreError, match=r"(Update qjax|cannot be built).*\."):
        TrainedModel.from_record(
            ModelRecord(spoil(dict(record.description)), record.payload, record.saved_at)
        )
