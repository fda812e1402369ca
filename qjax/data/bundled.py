"""The real datasets that ship inside scikit-learn, so that they load without a network."""

from __future__ import annotations

import os
import tempfile
import zipfile
from importlib.metadata import version
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


def load_bundled(name: str, cache: Path | None = None) -> Dataset:
    """Return one of the datasets that scikit-learn carries.

    They are `breast_cancer` (569 samples, 30 features, 2 classes), `diabetes` (442 samples, 10
    features, regression), `digits` (1797 images of 8x8 pixels, 10 classes), `iris` (150 samples, 4
    features, 3 classes) and `wine` (178 samples, 13 features, 3 classes). All come in their raw units:
    `diabetes` without the standardisation which scikit-learn applies by default, because that one is
    computed from all samples, those of a later test part included.

    Args:
        name: one of the keys of `BUNDLED`.
        cache: folder where the dataset is kept for the next time; None to read it from scikit-learn.

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
    if cache is None:
        return _from_scikit_learn(name)
    place = cache / f"{name}-{version('scikit-learn')}.npz"
    kept = _read(place, name)
    if kept is not None:
        return kept
    dataset = _from_scikit_learn(name)
    _keep(place, dataset)
    return dataset


def _from_scikit_learn(name: str) -> Dataset:
    # Imported here because scikit-learn takes longer to import than everything else in this package.
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(**options)
    task = BUNDLED[name]
    class_names = tuple(str(n) for n in bunch.target_names) if task == "classification" else ()
    return Dataset(name, bunch.data, bunch.target, task, class_names, tuple(bunch.feature_names))


def _read(place: Path, name: str) -> Dataset | None:
    """The dataset as it was kept; None where it was not, or where the file is at fault."""
    try:
        with np.load(place, allow_pickle=False) as file:
            names = (tuple(file[key].tolist()) for key in ("class_names", "feature_names"))
            dataset = Dataset(name, file["features"], file["targets"], BUNDLED[name], *names)
            return dataset if dataset.content_hash == str(file["content_hash"]) else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, DataError):
        return None


def _keep(place: Path, dataset: Dataset) -> None:
    """Keeps a dataset, whole or not at all; a folder that cannot be written costs time, not the run."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, suffix=".part", delete=False) as file:
            np.savez(
                file,
                features=dataset.features,
                targets=dataset.targets,
                class_names=np.array(dataset.class_names, str),
                feature_names=np.array(dataset.feature_names, str),
                content_hash=np.array(dataset.content_hash),
            )
        os.replace(file.name, place)
    except OSError:
        return
