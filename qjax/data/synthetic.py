"""Synthetic classification problems with a known structure and a size that can be chosen.

Each has two classes of equal size (one sample more in class 0 where the size is odd). `seed` decides
everything: the same arguments give the same bytes. `noise` is always the standard deviation of Gaussian
noise that is added to every feature; labels are never flipped.

Reference:
    J. Bowles, S. Ahmed and M. Schuld, "Better than classical? The subtle art of benchmarking quantum
    machine learning models", arXiv:2403.07059 (2024), section on data generation.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from qjax.data.checks import check_integer, check_real
from qjax.data.dataset import Dataset
from qjax.errors import ArgumentError


def rings(
    num_samples: int = 400, *, noise: float = 0.05, inner_radius: float = 0.5, seed: int = 0
) -> Dataset:
    r"""Two concentric rings in the plane, which no straight line separates.

    A sample of class c is :math:`r_c (\cos\varphi, \sin\varphi)` plus noise, with uniform
    :math:`\varphi`, :math:`r_0 = 1` and :math:`r_1` the inner radius. Logistic regression stays near
    chance; a model needs the squared radius.

    Args:
        num_samples: number of samples N, at least 2.
        noise: standard deviation of the noise on each coordinate.
        inner_radius: radius of the inner ring, strictly between 0 and 1.
        seed: a non-negative integer.

    Returns:
        A dataset of shape [N, 2] with the classes "outer" and "inner".

    Raises:
        ArgumentError: an argument is out of range.

    Example:
        >>> data = rings(100, noise=0.0)
        >>> bool(np.allclose(np.linalg.norm(data.features, axis=1), np.where(data.targets == 1, 0.5, 1.0)))
        True

    Reference:
        F. Pedregosa et al., "Scikit-learn: Machine Learning in Python", JMLR 12, 2825 (2011), whose
        `make_circles` is the usual form of this problem.
    """
    rng, num_samples, noise = _start(num_samples, noise, seed)
    if not 0.0 < check_real("inner_radius", inner_radius) < 1.0:
        raise ArgumentError(
            "inner_radius",
            "be strictly between 0 and 1, the radius of the outer ring",
            f"it is {inner_radius}",
            "Pass 0.5 for rings that are well apart.",
        )
    targets = _balanced_targets(rng, num_samples)
    angle = rng.uniform(0.0, 2.0 * np.pi, num_samples)
    radius = np.where(targets == 1, inner_radius, 1.0)
    features = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    features += noise * rng.standard_normal(features.shape)
    return Dataset("rings", features, targets, "classification", ("outer", "inner"))


def two_curves(
    num_samples: int = 400,
    *,
    num_features: int = 4,
    degree: int = 5,
    offset: float = 0.3,
    noise: float = 0.03,
    seed: int = 0,
) -> Dataset:
    r"""Two parallel copies of one random closed curve in F dimensions.

    A sample of class c has the features

    .. math:: x_i = \sum_{k=1}^{D} a_{ik} \cos(2\pi k t) + b_{ik} \sin(2\pi k t) + c\,\Delta + \text{noise}

    with t uniform in [0, 1) and Gaussian coefficients, scaled so that a feature has unit variance along
    the curve on average. A larger degree D winds the curves more, a smaller offset brings them closer.
    Where F exceeds 2D each curve lies in a hyperplane of its own, and a linear model separates them. The
    coefficients depend on the seed, `num_features` and `degree` alone.

    Args:
        num_samples: number of samples N, at least 2.
        num_features: number of features F, at least 2.
        degree: largest frequency D of the Fourier series, at least 1.
        offset: shift :math:`\Delta` of the second curve along every feature, not negative.
        noise: standard deviation of the noise on each feature.
        seed: a non-negative integer.

    Returns:
        A dataset of shape [N, F] with the classes "first" and "second".

    Raises:
        ArgumentError: an argument is out of range.

    Example:
        >>> two_curves(100, num_features=3).features.shape
        (100, 3)

    Reference:
        The "two curves" problem of Bowles, Ahmed and Schuld, arXiv:2403.07059 (2024), after S. Buchanan,
        D. Gilboa and J. Wright, "Deep networks and the multiple manifold problem", arXiv:2008.11245.
        There the coefficients are uniform and all features are standardised afterwards; here the
        variance is set by the coefficients, so that no statistic of the samples enters the features.
    """
    rng, num_samples, noise = _start(num_samples, noise, seed)
    num_features = check_integer("num_features", num_features, minimum=2)
    degree = check_integer("degree", degree, minimum=1)
    offset = check_real("offset", offset, minimum=0.0)
    coefficients = rng.standard_normal((2 * degree, num_features))
    # cos and sin have the variance 1/2 each, so a squared norm of 2F makes the mean variance 1.
    coefficients *= np.sqrt(2.0 * num_features) / np.linalg.norm(coefficients)
    targets = _balanced_targets(rng, num_samples)
    phase = 2.0 * np.pi * rng.uniform(size=(num_samples, 1)) * np.arange(1, degree + 1)
    curve = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) @ coefficients
    features = curve + offset * targets[:, None] + noise * rng.standard_normal(curve.shape)
    return Dataset("two_curves", features, targets, "classification", ("first", "second"))


def hidden_manifold(
    num_samples: int = 400,
    *,
    num_features: int = 6,
    manifold_dimension: int = 3,
    noise: float = 0.0,
    seed: int = 0,
) -> Dataset:
    r"""Points of a low-dimensional manifold, labelled by a small neural network on that manifold.

    Hidden coordinates :math:`c \in \mathbb{R}^m` are Gaussian. The features are
    :math:`x = \tanh(F^T c / \sqrt{m} - b) + \text{noise}` with Gaussian F and biases b uniform in
    [-1, 1]. The class is 1 where :math:`v \cdot \tanh(W c)` is in the upper half of all samples, which
    balances the classes. F, b, W and v depend on the seed and the dimensions alone.

    Args:
        num_samples: number of samples N, at least 2.
        num_features: number of features F, at least 2.
        manifold_dimension: dimension m of the manifold, at least 1; where it exceeds F the features no
            longer determine the class.
        noise: standard deviation of the noise on each feature.
        seed: a non-negative integer.

    Returns:
        A dataset of shape [N, F] with the classes "low" and "high".

    Raises:
        ArgumentError: an argument is out of range.

    Example:
        >>> data = hidden_manifold(100, num_features=5, manifold_dimension=2)
        >>> data.features.shape, np.bincount(data.targets)
        ((100, 5), array([50, 50]))

    Reference:
        The "hidden manifold model" of Bowles, Ahmed and Schuld, arXiv:2403.07059 (2024), after S. Goldt
        et al., "Modeling the influence of data structure on learning in neural networks: the hidden
        manifold model", Phys. Rev. X 10, 041044 (2020), arXiv:1909.11500.
    """
    rng, num_samples, noise = _start(num_samples, noise, seed)
    num_features = check_integer("num_features", num_features, minimum=2)
    dimension = check_integer("manifold_dimension", manifold_dimension, minimum=1)
    embedding = rng.standard_normal((dimension, num_features))
    biases = rng.uniform(-1.0, 1.0, num_features)
    hidden_weights = rng.standard_normal((dimension, dimension))
    output_weights = rng.standard_normal(dimension)
    coordinates = rng.standard_normal((num_samples, dimension))
    features = np.tanh(coordinates @ embedding / np.sqrt(dimension) - biases)
    features += noise * rng.standard_normal(features.shape)
    scores = np.tanh(coordinates @ hidden_weights.T) @ output_weights
    targets = np.zeros(num_samples, dtype=np.int64)
    targets[np.argsort(scores, kind="stable")[(num_samples + 1) // 2 :]] = 1
    return Dataset("hidden_manifold", features, targets, "classification", ("low", "high"))


def parity(num_samples: int = 400, *, num_features: int = 4, noise: float = 0.0, seed: int = 0) -> Dataset:
    r"""Random bit strings, labelled by the parity of their bits.

    A sample is a string of F bits 0.0 or 1.0, uniform among the strings of its class, and its class is
    :math:`\sum_i x_i \bmod 2` before noise. No proper subset of the features tells anything about the
    class. There are only :math:`2^F` strings, so samples repeat where N is large.

    Args:
        num_samples: number of samples N, at least 2.
        num_features: number of bits F, at least 2.
        noise: standard deviation of the noise on each feature.
        seed: a non-negative integer.

    Returns:
        A dataset of shape [N, F] with the classes "even" and "odd".

    Raises:
        ArgumentError: an argument is out of range.

    Example:
        >>> data = parity(50, num_features=5)
        >>> bool((data.features.sum(axis=1) % 2 == data.targets).all())
        True

    Reference:
        M. Minsky and S. Papert, "Perceptrons", MIT Press (1969), chapter 3: parity has the largest order
        of all predicates.
    """
    rng, num_samples, noise = _start(num_samples, noise, seed)
    num_features = check_integer("num_features", num_features, minimum=2)
    targets = _balanced_targets(rng, num_samples)
    free_bits = rng.integers(0, 2, size=(num_samples, num_features - 1))
    last_bit = (targets + free_bits.sum(axis=1)) % 2
    features = np.column_stack([free_bits, last_bit]).astype(np.float64)
    features += noise * rng.standard_normal(features.shape)
    return Dataset("parity", features, targets, "classification", ("even", "odd"))


SYNTHETIC: MappingProxyType[str, Callable[..., Dataset]] = MappingProxyType(
    {"hidden_manifold": hidden_manifold, "parity": parity, "rings": rings, "two_curves": two_curves}
)
"""Names of the synthetic datasets, with the function that draws each."""


def _start(num_samples: int, noise: float, seed: int) -> tuple[np.random.Generator, int, float]:
    """Check the arguments that all problems share, and seed the generator."""
    return (
        np.random.default_rng(check_integer("seed", seed, minimum=0)),
        check_integer("num_samples", num_samples, minimum=2),
        check_real("noise", noise, minimum=0.0),
    )


def _balanced_targets(rng: np.random.Generator, num_samples: int) -> npt.NDArray[np.int64]:
    """Return zeros and ones in equal number and random order."""
    return rng.permutation(np.arange(num_samples, dtype=np.int64) % 2)
