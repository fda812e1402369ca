"""Means over seeds, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Args:
        mean: the mean of the values.
        half_width: half the interval's width; None where there is one value only, which says nothing of it.
        num_values: how many values there were.
    """

    mean: float
    half_width: float | None
    num_values: int

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.half_width is None else f"{self.mean:.3f} ± {self.half_width:.3f}"


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    r"""The mean of some values and its Student t interval, `m ± t_{(1+c)/2, n-1} s / sqrt(n)`.

    It covers the mean over all seeds with the stated probability where values scatter normally. `s` is the
    sample's standard deviation, with `n - 1` in the denominator.

    Args:
        values: `n` values, 1 or more.
        confidence: `c`, the probability that intervals made so cover the mean.

    Returns:
        The interval.

    Example:
        >>> print(mean_interval([0.9, 0.95, 0.94]))
        0.930 ± 0.066

    Reference:
        Student, Biometrika 6, 1 (1908).
    """
    from scipy.special import stdtrit

    number = len(values)
    mean = math.fsum(values) / number
    if number < 2:
        return Interval(mean, None, number)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (number - 1))
    quantile = float(stdtrit(number - 1, (1 + confidence) / 2))
    return Interval(mean, quantile * deviation / math.sqrt(number), number)
