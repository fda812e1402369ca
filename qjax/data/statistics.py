"""The statistics of a table of features that the preprocessing is made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qjax.errors import DataError

Array = npt.NDArray[np.float64]


def finite_table(features: npt.ArrayLike) -> Array:
    """Return features as float64 of shape [N, F].

    Args:
        features: what should be a table of finite numbers.

    Raises:
        DataError: it is not one.

    Example:
        >>> finite_table([[1, 2]])
        array([[1., 2.]])
    """
    try:
        raw = np.asarray(features)
        table = raw.astype(np.float64) if raw.dtype.kind in "biuf" else None
    except ValueError:
        table = None
    if table is None or table.ndim != 2:
        raise DataError("The features are not a table of real numbers. Give an array of shape [N, F].")
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"The features hold {table[row, column]} in sample {row}, column {column}. Correct that value, "
            "or leave the sample out."
        )
    return table


def mean_and_deviation(table: Array) -> tuple[Array, Array]:
    """Return the mean and the standard deviation of each column.

    Args:
        table: shape [N, F] with N positive.

    Returns:
        Means and deviations, of shape [F] each. A column that does not vary has the deviation 1, so that
        it can be divided by.

    Example:
        >>> mean_and_deviation(np.array([[1.0, 0.1], [3.0, 0.1]]))
        (array([2. , 0.1]), array([1., 1.]))
    """
    mean = table.mean(axis=0)
    constant = table.min(axis=0) == table.max(axis=0)
    mean = np.where(constant, table[0], mean)
    deviation = np.sqrt(np.square(table - mean).mean(axis=0))
    # A column whose spread is the rounding error of its mean does not vary either.
    constant |= deviation <= len(table) * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, deviation)


def principal_components(z: Array, num_components: int) -> Array:
    """Return the leading right singular vectors of the centered table.

    Args:
        z: shape [N, F].
        num_components: K, at most the smaller of N and F.

    Returns:
        Orthonormal rows, shape [K, F], each with the sign that makes its largest entry positive.

    Example:
        >>> principal_components(np.array([[0.0, 0.0], [0.0, -2.0]]), 1)
        array([[0., 1.]])
    """
    _, _, vectors = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
    vectors = vectors[:num_components]
    largest = np.argmax(np.abs(vectors), axis=1)
    return vectors * np.where(vectors[np.arange(len(vectors)), largest] < 0, -1.0, 1.0)[:, None]


def rounding_error(z: Array) -> float:
    """Return the spread below which a column is only the rounding error of the largest entry.

    Example:
        >>> rounding_error(np.array([[4.0], [1.0]])) < 1e-14
        True
    """
    # The floor keeps the reciprocal of any larger spread finite.
    return max(1e-250, float(len(z) * np.finfo(np.float64).eps * np.abs(z).max()))


def unit_rows(z: Array, size: Array) -> Array:
    """Divide each row by its Euclidean norm, and put the first unit vector where the row is zero.

    Args:
        z: shape [N, K].
        size: magnitudes of the terms that each row was computed from, shape [N, F]. A row which is only
            their rounding error counts as zero: its direction would mean nothing.

    Returns:
        Rows of norm 1, shape [N, K].

    Example:
        >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 1e-17]]), np.full((3, 1), 5.0))
        array([[0.6, 0.8],
               [1. , 0. ],
               [1. , 0. ]])
    """
    largest = np.abs(z).max(axis=1, keepdims=True)
    error = size.shape[1] * np.finfo(np.float64).eps * size.max(axis=1, keepdims=True)
    is_zero = largest <= error
    # Dividing by the largest entry first keeps the squares from overflow and underflow.
    z = np.where(is_zero, 0.0, z / np.where(is_zero, 1.0, largest))
    z[:, 0] += is_zero[:, 0]
    return z / np.linalg.norm(z, axis=1, keepdims=True)
