"""From raw features to angles (or amplitudes) of a circuit, fitted on the training part alone."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from qjax.data.checks import check_integer, check_real, listed, shown
from qjax.data.statistics import (
    Array,
    finite_table,
    mean_and_deviation,
    principal_components,
    rounding_error,
    unit_rows,
)
from qjax.errors import ArgumentError, DataError

Scaling = Literal["minmax", "standard", "none", "unit_norm"]


@dataclass(frozen=True, eq=False)
class Preprocessing:
    r"""A fitted map from F raw features to K model inputs.

    .. math:: z = P\,\frac{x - \mu}{\sigma}, \qquad x' = s(z)

    with the means :math:`\mu` and standard deviations :math:`\sigma` of the training part, the rows of P
    its leading principal components (or P = 1), and the last step s of the chosen scaling. Make one with
    `fit`; it holds plain numbers only and does not change.

    Args:
        mean: shape [F].
        scale: shape [F], positive.
        components: orthonormal rows, shape [K, F], or None for no rotation (then K = F).
        center: shape [K]; together with `factor` it makes the last step
            `(z - center) * factor + middle of feature_range` for "minmax" and `(z - center) * factor`
            for "standard". Zeros and ones for the others.
        factor: shape [K].
        scaling: what the last step does; see `fit`.
        feature_range: smallest and largest output of "minmax".

    Raises:
        DataError: the parts do not fit together.

    Example:
        >>> fitted = Preprocessing.fit([[0.0, 5.0], [10.0, 5.0]], feature_range=(-1.0, 1.0))
        >>> fitted.transform([[0.0, 5.0], [5.0, 7.0], [99.0, 5.0]])
        array([[-1.,  0.],
               [ 0.,  0.],
               [ 1.,  0.]])
    """

    mean: Array
    scale: Array
    components: Array | None
    center: Array
    factor: Array
    scaling: Scaling
    feature_range: tuple[float, float]

    def __post_init__(self):
        try:
            for name in ("mean", "scale", "components", "center", "factor"):
                if getattr(self, name) is not None:
                    array = np.array(getattr(self, name), dtype=np.float64)
                    array.setflags(write=False)
                    object.__setattr__(self, name, array)
            low, high = (float(bound) for bound in self.feature_range)
            object.__setattr__(self, "feature_range", (low, high))
            fault = self._fault()
        except (TypeError, ValueError, AttributeError):
            fault = "a part of it is not made of numbers"
        if fault:
            raise DataError(f"This preprocessing cannot be used: {fault}. Fit it again on the training part.")

    def _fault(self) -> str | None:
        """Return what is wrong with the parts, if anything."""
        size = self.num_features if self.components is None else len(self.components)
        arrays = [self.mean, self.scale, self.center, self.factor]
        fits = [array.shape for array in arrays] == [(self.num_features,)] * 2 + [(size,)] * 2
        if self.components is not None:
            arrays.append(self.components)
            fits &= self.components.shape == (size, self.num_features)
        if not fits or size == 0:
            return "its parts differ in size"
        if not all(np.isfinite(array).all() for array in arrays) or not (self.scale > 0).all():
            return "it holds numbers that are not finite, or a scale that is not positive"
        low, high = self.feature_range
        if self.scaling not in get_args(Scaling) or not -math.inf < low < high < math.inf:
            return "its scaling or its range of angles does not exist"
        return None

    @property
    def num_features(self) -> int:
        """Number of raw features, F."""
        return len(self.mean)

    @property
    def num_components(self) -> int:
        """Number of outputs, K."""
        return len(self.center)

    @classmethod
    def fit(
        cls,
        features: npt.ArrayLike,
        *,
        num_components: int | None = None,
        scaling: Scaling = "minmax",
        feature_range: tuple[float, float] = (0.0, math.pi),
        standardize: bool = True,
    ) -> Preprocessing:
        """Fit the map to features, which must be those of the training part only.

        Features that do not vary become 0 or, under "minmax" and "standard", the middle of the range.

        Args:
            features: shape [N, F].
            num_components: number of principal components K to keep. None, or F itself, keeps the
                features as they are: no rotation is done.
            scaling: the last step. "minmax" maps the span of each output in the training part onto
                `feature_range`, and clips what lies outside; "standard" puts the mean of each output in
                the middle of `feature_range` and two standard deviations at its ends, and clips
                nothing; "none" leaves it as it is; "unit_norm" divides each sample by its
                Euclidean norm, for amplitude encoding (a sample of zeros becomes 1, 0, ..., 0).
            feature_range: smallest and largest angle, in radians. A rotation by x about y turns Z into
                cos(x), which tells apart the angles between 0 and pi, and not x from -x.
            standardize: bring each feature to mean 0 and standard deviation 1 at first. Without it,
                "none" and no principal components leave the features untouched, and "unit_norm" keeps
                the direction of the raw sample.

        Returns:
            The fitted map. The sign of each component is such that its largest entry is positive.

        Raises:
            ArgumentError: an argument is out of range, such as more components than features or samples.
            DataError: the features are not a table of finite numbers.

        Example:
            >>> from qjax.data.registry import load
            >>> fitted = Preprocessing.fit(load("wine").features, num_components=4)
            >>> fitted.num_features, fitted.num_components
            (13, 4)

        Reference:
            I. T. Jolliffe, "Principal Component Analysis", 2nd ed., Springer (2002), section 3.5 (by
            singular value decomposition).
        """
        table = finite_table(features)
        if len(table) == 0 or table.shape[1] == 0:
            raise DataError("There are no samples or no features to fit to. Give at least one of each.")
        num_components = _checked_num_components(num_components, table)
        _check_scaling(scaling)
        low, high = _checked_range(feature_range)
        rotated = num_components != table.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = mean_and_deviation(table)
            if not standardize:
                scale = np.ones_like(scale)
                mean = mean if rotated else np.zeros_like(mean)
            if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
                raise DataError("The features are too large to square. Change their unit.")
            z = (table - mean) / scale
        components = principal_components(z, num_components) if rotated else None
        z = z if components is None else z @ components.T
        center, factor = np.zeros(num_components), np.ones(num_components)
        if scaling == "minmax":
            smallest, largest = z.min(axis=0), z.max(axis=0)
            center = smallest + (largest - smallest) / 2
            span = largest - smallest
            varies = span > rounding_error(z)
            factor = np.where(varies, (high - low) / np.where(varies, span, 1.0), 0.0)
        elif scaling == "standard":
            center, deviation = mean_and_deviation(z)
            varies = deviation > rounding_error(z)
            factor = np.where(varies, (high - low) / 4 / np.where(varies, deviation, 1.0), 0.0)
        return cls(mean, scale, components, center, factor, scaling, (low, high))

    def transform(self, features: npt.ArrayLike) -> Array:
        """Map raw features to model inputs.

        Args:
            features: shape [N, F], of the training part or any other.

        Returns:
            float64, shape [N, K].

        Raises:
            ArgumentError: the number of features is not the one of the fit.
            DataError: the features are not a table of finite numbers, or too large.

        Example:
            >>> fitted = Preprocessing.fit([[1.0, 2.0]], scaling="unit_norm", standardize=False)
            >>> fitted.transform([[3.0, 4.0]])
            array([[0.6, 0.8]])
        """
        table = finite_table(features)
        if table.shape[1] != self.num_features:
            raise ArgumentError(
                "features",
                f"have {self.num_features} columns, as in the fit",
                f"it has {table.shape[1]}",
                "Give the features that the preprocessing was fitted to, in the same order.",
            )
        with np.errstate(over="ignore", invalid="ignore"):
            z = (table - self.mean) / self.scale
            z = z if self.components is None else z @ self.components.T
            z = (z - self.center) * self.factor
            size = (np.abs(table) + np.abs(self.mean)) / self.scale
        if not np.isfinite(z).all():
            raise DataError("Some features are too large for this preprocessing. Check their unit.")
        low, high = self.feature_range
        if self.scaling == "minmax":
            return np.clip(z + (low + high) / 2, low, high)
        if self.scaling == "standard":
            return z + (low + high) / 2
        return unit_rows(z, size) if self.scaling == "unit_norm" else z

    def to_mapping(self) -> dict[str, Any]:
        """Return the map as JSON-ready values, see `to_json`.

        Example:
            >>> Preprocessing.fit([[1.0], [3.0]], scaling="none").to_mapping()["mean"]
            [2.0]
        """
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(part) for name, part in parts.items()}

    def to_json(self) -> str:
        """Return the map as JSON, from which `from_json` makes the same map to the last bit.

        Example:
            >>> Preprocessing.fit([[1.0], [3.0]], scaling="none").to_json()
            '{"mean": [2.0], "scale": [1.0], "components": null, "center": [0.0], "factor": [1.0], ...}'
        """
        # Python writes the shortest text that reads back as the same float, which makes it exact.
        return json.dumps(self.to_mapping(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Preprocessing:
        """Make the map that `to_json` wrote.

        Args:
            text: what `to_json` returned.

        Returns:
            An equal map.

        Raises:
            DataError: the text is not such a map.

        Example:
            >>> fitted = Preprocessing.fit([[0.1], [0.7]])
            >>> Preprocessing.from_json(fitted.to_json()).to_json() == fitted.to_json()
            True
        """
        try:
            parts: dict[str, Any] = json.loads(text)
            expected = {field.name for field in fields(cls)}
            fault = None if parts.keys() == expected else f"its keys are not {listed(sorted(expected))}"
        except (ValueError, TypeError, AttributeError, RecursionError):
            parts, fault = {}, "it is not a JSON object"
        if fault:
            raise DataError(
                f"The stored preprocessing is damaged: {fault}. Fit it again on the training part."
            )
        return cls(**parts)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _checked_num_components(num_components: int | None, table: Array) -> int:
    num_samples, num_features = table.shape
    if num_components is None:
        return num_features
    number = check_integer("num_components", num_components, minimum=1)
    for limit, what in ((num_features, "features"), (num_samples, "samples")):
        if number > limit and not (what == "samples" and number == num_features):
            raise ArgumentError(
                "num_components",
                f"be at most {limit}, the number of {what}",
                f"it is {number}",
                f"Ask for fewer components, or give more {what}.",
            )
    return number


def _check_scaling(scaling: object) -> None:
    if scaling not in get_args(Scaling):
        raise ArgumentError(
            "scaling",
            f"be one of {listed(get_args(Scaling))}",
            f"it is {shown(scaling)}",
            "Choose `minmax` for angles.",
        )


def _checked_range(feature_range: tuple[float, float]) -> tuple[float, float]:
    try:
        low, high = feature_range
    except (TypeError, ValueError):
        low = high = 0.0
    low, high = check_real("feature_range", low), check_real("feature_range", high)
    if low >= high:
        raise ArgumentError(
            "feature_range",
            "be a pair of numbers, the smaller one first",
            f"it is {shown(feature_range)}",
            "Pass (-pi/2, pi/2) for half a turn.",
        )
    return low, high
