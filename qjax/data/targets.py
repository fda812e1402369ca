"""What a column of raw targets means: numbers to predict, or names of classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qjax.data.dataset import Task

MAX_INTEGER_CLASSES = 20
"""Most different whole numbers that are still taken for class labels rather than for a quantity."""


def infer_task(targets: np.ndarray) -> Task:
    """Guess the task: text, booleans or few different whole numbers are classes.

    Args:
        targets: raw targets, shape [N], of text, booleans or numbers.

    Returns:
        "classification" for text, for booleans, and for whole numbers with at most
        `MAX_INTEGER_CLASSES` different values; "regression" otherwise.

    Example:
        >>> infer_task(np.array([1.0, 2.0, 1.0])), infer_task(np.array([1.5, 2.0]))
        ('classification', 'regression')
    """
    if targets.dtype.kind not in "iuf":
        return "classification"
    whole = bool(np.all(targets == np.floor(targets)))
    return "classification" if whole and len(np.unique(targets)) <= MAX_INTEGER_CLASSES else "regression"


def encode_classes(labels: np.ndarray) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Number the different labels from 0, in sorted order.

    Args:
        labels: raw labels, shape [N], of text, booleans or numbers.

    Returns:
        The class index of each label, int64 of shape [N], and the C class names. Whole numbers are
        named without a decimal point.

    Example:
        >>> encode_classes(np.array([7.0, 3.0, 7.0]))
        (array([1, 0, 1]), ('3', '7'))
    """
    classes, indices = np.unique(labels, return_inverse=True)
    whole = classes.dtype.kind == "f" and bool(np.all(classes == np.floor(classes)))
    names = tuple(str(int(c)) if whole else str(c.item()) for c in classes)
    return indices.astype(np.int64), names
