"""The real datasets that ship inside scikit-learn, so that they load without a network."""

from __future__ import annotations

from types import MappingProxyType

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


def load_bundled(name: str) -> Dataset:
    """Return one of the datasets that scikit-learn carries.

    They are `breast_cancer` (569 samples, 30 features, 2 classes), `diabetes` (442 samples, 10
    features, regression), `digits` (1797 images of 8x8 pixels, 10 classes), `iris` (150 samples, 4
    features, 3 classes) and `wine` (178 samples, 13 features, 3 classes). All come in their raw units:
    `diabetes` without the standardisation which scikit-learn applies by default, because that one is
    computed from all samples, those of a later test part included.

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
        F. Pedregosa et al., "Scikit-learn: Machine Learning in Python", JMLR 12, 2825 (2011).
    """
    if name not in BUNDLED:
        raise DataError(
            f"There is no bundled dataset {shown(name)}. Choose one of {listed(BUNDLED)}."
            f"{did_you_mean(name, BUNDLED)}"
        )
    # Imported here because scikit-learn takes longer to import than everything else in this package.
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(**options)
    task = BUNDLED[name]
    class_names = tuple(str(n) for n in bunch.target_names) if task == "classification" else ()
    return Dataset(name, bunch.data, bunch.target, task, class_names, tuple(bunch.feature_names))
