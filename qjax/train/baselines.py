"""What a model is measured against: classical models, and its own twin with a frozen circuit."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from qjax.train.prepare import Prepared
from qjax.train.run import train


@dataclass(frozen=True)
class Baseline:
    """Scores of a baseline on the same data.

    Args:
        name: what it is.
        train_score: accuracy (R^2 in regression) on the training part.
        test_score: the same on the test part.
    """

    name: str
    train_score: float | None
    test_score: float | None

    def to_json(self) -> dict[str, Any]:
        """The scores as a JSON object."""
        return asdict(self)


def run_baselines(prepared: Prepared) -> list[Baseline]:
    """Trains the linear model and the frozen twin.

    Args:
        prepared: the run they are compared with.

    Returns:
        The linear model and the frozen twin.
    """
    return [linear_model(prepared), frozen_twin(prepared)]


def linear_model(prepared: Prepared) -> Baseline:
    """Logistic regression (ridge regression for numbers) on the same preprocessed features.

    Args:
        prepared: the run it is compared with.

    Returns:
        Its scores.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    if prepared.model.task == "regression":
        return _fitted("ridge regression", Ridge(), prepared)
    return _fitted("logistic regression", LogisticRegression(max_iter=1000), prepared)


def support_vector_machine(prepared: Prepared) -> Baseline:
    """A support vector machine with radial basis functions on the same preprocessed features.

    Args:
        prepared: the run it is compared with.

    Returns:
        Its scores.
    """
    from sklearn.svm import SVC, SVR

    is_regression = prepared.model.task == "regression"
    return _fitted("support vector machine", SVR() if is_regression else SVC(), prepared)


def _fitted(name: str, estimator: Any, prepared: Prepared) -> Baseline:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), estimator)
    scores = []
    for part in (prepared.train_set, prepared.test_set):
        features = prepared.preprocessing.transform(part.features)
        if part is prepared.train_set:
            model.fit(features, part.targets)
        scores.append(float(model.score(features, part.targets)))
    return Baseline(name, *scores)


def frozen_twin(prepared: Prepared) -> Baseline:
    """The same model with its circuit frozen at its random start, so that only the head learns.

    It is trained on the simulator, wherever the model itself runs.

    Args:
        prepared: the run it is compared with.

    Returns:
        Its scores; without a head nothing learns, and they are those of the random start.
    """
    config = replace(
        prepared.config,
        executor="simulator",
        gradient_method="frozen",
        gradient_subsample_size=None,
        pipeline_depth=0,
        evaluate="end",
    )
    result = train(config)
    return Baseline("frozen circuit, trained head", result.train_score, result.test_score)
