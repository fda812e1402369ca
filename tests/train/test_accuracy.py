"""Models learn: real data, several classes, numbers, and what no linear model can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qjax.train import TrainingConfig, preset, train
from qjax.train.baselines import frozen_twin, linear_model, run_baselines
from qjax.train.prepare import prepare

from .problems import tiny


def config_for(seed: int, **values: Any) -> TrainingConfig:
    return TrainingConfig(**{"evaluate": "end", "seed": seed, "learning_rate": 0.1, **values})


def rings(seed: int) -> TrainingConfig:
    return config_for(
        seed,
        dataset="rings",
        num_samples=200,
        num_features=2,
        num_qubits=2,
        num_layers=3,
        ansatz="data_reuploading",
        batch_size=20,
        epochs=10,
    )


def rings_and_linear(seed: int) -> tuple[float, float]:
    """Test accuracies of the model and of logistic regression, on data that no line divides."""
    prepared = prepare(rings(seed))
    score, linear = train(prepared.config, prepared=prepared).test_score, linear_model(prepared).test_score
    assert score is not None
    assert linear is not None
    return score, linear


@pytest.mark.parametrize("seed", [0, 1])
def test_data_reuploading_learns_what_no_linear_model_can(seed: int) -> None:
    score, linear = rings_and_linear(seed)
    assert score >= 0.95
    assert linear <= 0.7


@pytest.mark.long
def test_data_reuploading_learns_what_no_linear_model_can_campaign() -> None:
    scores, linear = np.transpose([rings_and_linear(seed) for seed in range(10)])
    assert scores.min() >= 0.9
    assert scores.mean() >= 0.97
    assert linear.mean() <= 0.6


def breast_cancer(seed: int, name: str) -> float:
    result = train(TrainingConfig.from_mapping(preset(name) | {"evaluate": "end", "seed": seed}))
    assert result.test_score is not None
    return result.test_score


def test_the_default_model_classifies_breast_cancer() -> None:
    assert breast_cancer(0, "exact") >= 0.9
    assert TrainingConfig.from_mapping(preset("exact")) == TrainingConfig()


@pytest.mark.long
@pytest.mark.parametrize(("name", "accuracy"), [("exact", 0.95), ("fast", 0.92)])
def test_presets_classify_breast_cancer_campaign(name: str, accuracy: float) -> None:
    assert np.mean([breast_cancer(seed, name) for seed in range(10)]) >= accuracy


def test_several_classes_are_told_apart() -> None:
    config = config_for(
        0, dataset="iris", num_features=3, num_qubits=3, num_layers=2, epochs=15, batch_size=12
    )
    assert prepare(config).model.task == "multiclass"
    result = train(config)
    assert result.train_score is not None
    assert result.test_score is not None
    assert result.train_score >= 0.85
    assert result.test_score >= 0.8


def test_numbers_are_predicted() -> None:
    config = config_for(
        0,
        dataset="diabetes",
        num_features=4,
        num_qubits=4,
        num_layers=2,
        epochs=10,
        batch_size=16,
        learning_rate=0.05,
    )
    prepared = prepare(config)
    assert prepared.model.task == "regression"
    train_targets = prepared.targets[: prepared.num_train]
    np.testing.assert_allclose([train_targets.mean(), train_targets.std()], [0, 1], atol=1e-5)
    result = train(config, prepared=prepared)
    assert result.test_score is not None
    assert result.test_score >= 0.3
    # Targets in units of their spread and the squared error: the loss and R^2 say the same.
    assert result.train_score == pytest.approx(1 - result.loss, abs=1e-5)


def test_numbers_of_a_csv_file_are_predicted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    points = random.uniform(-1, 1, size=(80, 2))
    prices = 1e6 * (3 + points[:, 0] - 0.5 * points[:, 1]) + 1e4 * random.normal(size=80)
    table = np.column_stack([points, prices])
    path = tmp_path / "houses.csv"
    np.savetxt(path, table, delimiter=",", header="size,age,price", comments="", fmt="%.6g")
    config = tiny(
        dataset=str(path), target="price", num_samples=None, epochs=15, evaluate="end", optimizer="adam"
    )
    result = train(config)
    assert result.test_score is not None
    assert result.test_score >= 0.7


def test_baselines_see_the_same_data_and_a_frozen_circuit_stays_frozen() -> None:
    prepared = prepare(tiny(num_samples=60, epochs=8, optimizer="adam"))
    linear, frozen = run_baselines(prepared)
    assert (linear.name, frozen.name) == ("logistic regression", "frozen circuit, trained head")
    assert linear.to_json().keys() == {"name", "train_score", "test_score"}
    assert linear.train_score is not None
    assert linear.train_score == pytest.approx(round(48 * linear.train_score) / 48)
    assert frozen.train_score is not None
    without_head = prepare(tiny(head="none", observables=["Z0"], num_samples=60, evaluate="end"))
    # Nothing can learn then, however long it is tried.
    longer = prepare(tiny(head="none", observables=["Z0"], num_samples=60, epochs=3))
    assert frozen_twin(without_head) == frozen_twin(longer)
