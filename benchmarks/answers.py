"""Whether two answers are the same."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-3
"""Largest deviation of a right answer in single precision, over the answer's largest entry (or 1e-3)."""

_SMALL = 1e-3


def deviation(answer: list[float], reference: list[float]) -> float:
    """The largest deviation from a reference, over its largest entry.

    Args:
        answer: the numbers.
        reference: the right ones.

    Returns:
        The deviation; infinite where the sizes differ or a number is not finite.

    Example:
        >>> deviation([1.0, 2.1], [1.0, 2.0]) < 0.06
        True
    """
    a, b = np.asarray(answer), np.asarray(reference)
    if a.shape != b.shape or not np.all(np.isfinite(a)):
        return float("inf")
    return float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(b))), _SMALL))
