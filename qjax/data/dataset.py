"""The one form in which every dataset reaches the models: named, checked and read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from qjax.content import content_hash
from qjax.data.checks import listed, shown
from qjax.errors import ArgumentError, DataError

Task = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with their targets, checked once and never changed afterwards.

    The arrays are private read-only copies, so the content hash stays true for the life of the object.

    Args:
        name: short name, for messages and records.
        features: real finite numbers, shape [N, F]; kept as float64.
        targets: shape [N]; class indices in `0 ... C-1`, kept as int64, for classification, or real
            finite numbers, kept as float64, for regression.
        task: "classification" or "regression".
        class_names: names of the C classes, empty for regression; "0", "1", ... where left out.
        feature_names: names of the F features; "x0", "x1", ... where left out.

    Raises:
        DataError: the arrays cannot be used for the task.

    Example:
        >>> features, targets = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([0, 1])
        >>> toy = Dataset("toy", features, targets, "classification", ("no", "yes"))
        >>> toy.features.shape, toy.num_classes, toy.content_hash[:8]
        ((2, 2), 2, '1f31bfaf')
    """

    name: str
    features: npt.NDArray[np.float64]
    targets: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    task: Task
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

    def __post_init__(self):
        if self.task not in get_args(Task):
            raise DataError(
                f"Dataset {shown(self.name)} has the task {shown(self.task)}, which does not exist. "
                'Use "classification" or "regression".'
            )
        features = _checked_features(self.name, self.features)
        feature_names = tuple(str(n) for n in self.feature_names) or tuple(
            f"x{i}" for i in range(features.shape[1])
        )
        if len(feature_names) != features.shape[1]:
            raise DataError(
                f"Dataset {shown(self.name)} has {features.shape[1]} features, but {len(feature_names)} "
                "feature names. Give one name for each feature."
            )
        _check_finite(self.name, features, feature_names)
        targets, class_names = _checked_targets(self, len(features))
        for array in (features, targets):
            array.setflags(write=False)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "class_names", class_names)
        object.__setattr__(self, "feature_names", feature_names)

    @property
    def num_samples(self) -> int:
        """Number of samples, N."""
        return self.features.shape[0]

    @property
    def num_features(self) -> int:
        """Number of features of each sample, F."""
        return self.features.shape[1]

    @property
    def num_classes(self) -> int:
        """Number of classes, C; zero for regression."""
        return len(self.class_names)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the features and the targets, as 64 hexadecimal digits.

        It covers dtype, shape and (little-endian) bytes of both arrays, and no names: the same numbers
        read from two files have the same hash on every machine.
        """
        return content_hash((self.features, self.targets))

    def subset(self, indices: npt.ArrayLike) -> Dataset:
        """Return the samples at `indices`, in that order, with the same names.

        Args:
            indices: sample indices, integers of shape [M]; a boolean mask is refused.

        Returns:
            The dataset of M samples.

        Raises:
            ArgumentError: `indices` does not hold indices of samples.
            DataError: what is left cannot be used, such as samples of one class only.

        Example:
            >>> line = Dataset("line", np.eye(3), np.array([0.0, 2.0, 4.0]), "regression")
            >>> line.subset([2, 0]).targets
            array([4., 0.])
        """
        chosen = np.asarray(indices)
        valid = chosen.ndim == 1 and chosen.dtype.kind in "iu" and chosen.size > 0
        if not valid or not (0 <= chosen.min() <= chosen.max() < self.num_samples):
            raise ArgumentError(
                "indices",
                f"hold whole numbers from 0 to {self.num_samples - 1} in one dimension",
                f"it has dtype {chosen.dtype}, shape {chosen.shape}, or a number outside that range",
                "Pass indices of samples; `numpy.flatnonzero` makes them from a mask.",
            )
        return replace(self, features=self.features[chosen], targets=self.targets[chosen])


def _checked_features(name: str, values: object) -> npt.NDArray[np.float64]:
    """Return a private float64 copy of `values`, of shape [N, F] with N and F positive."""
    try:
        raw = np.asarray(values)
        if raw.dtype.kind not in "biuf":
            raise TypeError
        features = np.array(raw, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise DataError(
            f"The features of dataset {shown(name)} are not a table of real numbers. "
            "Give an array of shape [samples, features] that holds numbers only."
        ) from None
    if features.ndim != 2:
        raise DataError(
            f"The features of dataset {shown(name)} have the shape {features.shape}, which is not a table. "
            "Reshape them to [samples, features]."
        )
    if 0 in features.shape:
        missing = "samples" if features.shape[0] == 0 else "features"
        raise DataError(f"Dataset {shown(name)} has no {missing}. Give at least one sample and one feature.")
    return features


def _check_finite(name: str, features: npt.NDArray[np.float64], feature_names: Sequence[str]) -> None:
    """Refuse NaN and infinity, naming the first place that holds one."""
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"Dataset {shown(name)} holds {features[row, column]} in sample {row}, feature "
            f"{shown(feature_names[column])}. Correct that value, or leave the sample out."
        )


def _checked_targets(
    dataset: Dataset, num_samples: int
) -> tuple[npt.NDArray[np.int64] | npt.NDArray[np.float64], tuple[str, ...]]:
    """Return private copies of the targets in the dtype of the task, and the class names."""
    name, raw = shown(dataset.name), np.asarray(dataset.targets)
    if raw.shape != (num_samples,):
        raise DataError(
            f"Dataset {name} has {num_samples} samples, but its targets have the shape {raw.shape}. "
            f"Give one target for each sample, of shape ({num_samples},)."
        )
    if dataset.task == "classification":
        return _checked_classes(name, raw, tuple(str(n) for n in dataset.class_names))
    if raw.dtype.kind not in "biuf":
        raise DataError(f"The targets of dataset {name} are not real numbers. Use numbers for regression.")
    if dataset.class_names:
        raise DataError(f"Dataset {name} is for regression, yet has class names. Leave `class_names` empty.")
    targets = np.array(raw, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(targets))
    if len(bad):
        raise DataError(
            f"Dataset {name} holds {targets[bad[0]]} as the target of sample {bad[0]}. "
            "Correct that value, or leave the sample out."
        )
    return targets, ()


def _checked_classes(
    name: str, raw: np.ndarray, class_names: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Return int64 class indices that fit the class names, with at least two classes present."""
    if raw.dtype.kind not in "biu":
        raise DataError(
            f"The targets of dataset {name} are of dtype {raw.dtype}, but class indices are integers. "
            'Number the classes from 0, or use the task "regression".'
        )
    targets = raw.astype(np.int64)
    present = np.unique(targets)
    names = class_names or tuple(str(i) for i in range(max(int(present[-1]) + 1, 0)))
    if present[0] < 0 or present[-1] >= len(names):
        wrong = present[0] if present[0] < 0 else present[-1]
        raise DataError(
            f"Dataset {name} holds the class index {wrong}, but its classes are numbered 0 to "
            f"{len(names) - 1}. Number the classes from 0 and name each of them."
        )
    if len(set(names)) != len(names):
        raise DataError(
            f"Dataset {name} names two classes alike ({listed(names)}). Give each class its own name."
        )
    if len(present) < 2:
        raise DataError(
            f"Dataset {name} holds samples of one class only ({shown(names[present[0]])}). "
            "Classification needs samples of at least two classes."
        )
    return targets, names
