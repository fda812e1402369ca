"""The real datasets that come with this package, so that they load at once and without a network."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np

from qjax.data.checks import did_you_mean, listed, shown
from qjax.data.dataset import Dataset, Task
from qjax.errors import DataError

BUNDLED: MappingProxyType[str, Task] = MappingProxyType(
    {
        "breast_cancer": "classification",
        "diabetes": "regression",
        "digits": "classification",
        "iris": "classification",
        "wine": "classification",
    }
)
"""Names of the bundled datasets, with the task of each."""

_TABLES = Path(__file__).parent / "tables"


def load_bundled(name: str) -> Dataset:
    """Return one of the real datasets that scikit-learn made well known.

    They are `breast_cancer` (569 samples, 30 features, 2 classes), `diabetes` (442 samples, 10
    features, regression), `digits` (1797 images of 8x8 pixels, 10 classes), `iris` (150 samples, 4
    features, 3 classes) and `wine` (178 samples, 13 features, 3 classes). All come in their raw units:
    `diabetes` without the standardisation which scikit-learn applies by default, because that one is
    computed from all samples, those of a later test part included. The numbers and names are exactly those
    of scikit-learn; they are kept here because importing it takes longer than training.

    Args:
        name: one of the keys of `BUNDLED`.

    Returns:
        The whole dataset.

    Raises:
        DataError: no bundled dataset has this name.

    Example:
        >>> iris = load_bundled("iris")
        >>> iris.features.shape, iris.class_names
        ((150, 4), ('setosa', 'versicolor', 'virginica'))

    Reference:
        M. Kelly, R. Longjohn, K. Nottingham, "The UCI Machine Learning Repository" (CC BY 4.0);
        B. Efron et al., "Least Angle Regression", Ann. Statist. 32, 407 (2004) (`diabetes`);
        F. Pedregosa et al., "Scikit-learn: Machine Learning in Python", JMLR 12, 2825 (2011).
    """
    if name not in BUNDLED:
        raise DataError(
            f"There is no bundled dataset {shown(name)}. Choose one of {listed(BUNDLED)}."
            f"{did_you_mean(name, BUNDLED)}"
        )
    with np.load(_TABLES / f"{name}.npz", allow_pickle=False) as file:
        names = (tuple(file[key].tolist()) for key in ("class_names", "feature_names"))
        return Dataset(name, file["features"], file["targets"], BUNDLED[name], *names)
