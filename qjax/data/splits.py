"""Deterministic, stratified division of a dataset into parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from qjax.data.checks import check_integer, check_real, shown
from qjax.data.dataset import Dataset
from qjax.errors import ArgumentError, DataError


def split(dataset: Dataset, test_fraction: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    r"""Divide a dataset into a training part and a test part.

    For classification the test part takes :math:`f n_c` samples of every class c of :math:`n_c`, off by
    less than one sample, and both parts hold at least one sample of every class. Within each part the
    samples keep their order.

    Args:
        dataset: what to divide.
        test_fraction: the part f for testing, strictly between 0 and 1.
        seed: a non-negative integer; the same seed gives the same division.

    Returns:
        The training part and the test part: together every sample exactly once.

    Raises:
        ArgumentError: an argument is out of range.
        DataError: there are too few samples to have some in both parts.

    Example:
        >>> from qjax.data.synthetic import rings
        >>> train, test = split(rings(100), test_fraction=0.25)
        >>> train.num_samples, test.num_samples
        (75, 25)
    """
    train, test = split_indices(dataset, test_fraction, seed)
    return dataset.subset(train), dataset.subset(test)


def split_indices(
    dataset: Dataset, test_fraction: float = 0.2, seed: int = 0
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return which samples `split` puts into the training part and which into the test part.

    Args:
        dataset: as for `split`.
        test_fraction: as for `split`.
        seed: as for `split`.

    Returns:
        Sample indices of the training part and of the test part, each in ascending order.

    Raises:
        ArgumentError: as for `split`.
        DataError: as for `split`.

    Example:
        >>> line = Dataset("line", np.eye(4), np.arange(4.0), "regression")
        >>> [len(part) for part in split_indices(line, 0.25)]
        [3, 1]
    """
    if not 0.0 < check_real("test_fraction", test_fraction) < 1.0:
        raise ArgumentError(
            "test_fraction",
            "be strictly between 0 and 1",
            f"it is {test_fraction}",
            "Pass 0.2 to keep a fifth of the samples for testing.",
        )
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    strata = _strata(dataset)
    for stratum in strata:
        if len(stratum) < 2:
            _refuse_single_sample(dataset, int(stratum[0]))
    sizes = np.array([len(stratum) for stratum in strata])
    test_sizes = np.clip(_round_to_whole(sizes * test_fraction), 1, sizes - 1)
    in_test = np.zeros(dataset.num_samples, dtype=bool)
    in_test[_draw(rng, strata, test_sizes)] = True
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def subsample(dataset: Dataset, num_samples: int, seed: int = 0) -> Dataset:
    """Return exactly `num_samples` samples, with the classes in proportion.

    Every class keeps at least one sample, at the cost of the larger ones. The samples keep their order.

    Args:
        dataset: what to draw from, without replacement.
        num_samples: how many to keep, at least the number of classes.
        seed: a non-negative integer; the same seed gives the same samples.

    Returns:
        The smaller dataset, or an equal one where `num_samples` is all there are.

    Raises:
        ArgumentError: `num_samples` exceeds what there is, or is below the number of classes.

    Example:
        >>> from qjax.data.synthetic import rings
        >>> np.bincount(subsample(rings(100), 10).targets)
        array([5, 5])
    """
    num_samples = check_integer("num_samples", num_samples, minimum=1)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    if num_samples > dataset.num_samples:
        raise ArgumentError(
            "num_samples",
            f"be at most {dataset.num_samples}, all that dataset {shown(dataset.name)} holds",
            f"it is {num_samples}",
            "Ask for fewer samples, or leave it out to take all.",
        )
    strata = _strata(dataset)
    if num_samples < len(strata):
        raise ArgumentError(
            "num_samples",
            f"be at least {len(strata)}, one for each class of dataset {shown(dataset.name)}",
            f"it is {num_samples}",
            "Ask for more samples.",
        )
    ideal = np.array([len(stratum) for stratum in strata]) * (num_samples / dataset.num_samples)
    chosen_sizes = _round_to_whole(ideal)
    while (chosen_sizes == 0).any():
        excess = np.where(chosen_sizes > 1, chosen_sizes - ideal, -np.inf)
        chosen_sizes[np.argmax(excess)] -= 1
        chosen_sizes[np.argmin(chosen_sizes)] += 1
    return dataset.subset(np.sort(_draw(rng, strata, chosen_sizes)))


def _strata(dataset: Dataset) -> list[npt.NDArray[np.intp]]:
    """Return the sample indices of every class that has samples; one group of all for regression."""
    if dataset.task == "regression":
        return [np.arange(dataset.num_samples)]
    return [np.flatnonzero(dataset.targets == c) for c in np.unique(dataset.targets)]


def _round_to_whole(ideal: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Round each number down or up so that the sum is the rounded sum (largest remainders go up)."""
    whole = np.floor(ideal).astype(np.int64)
    num_up = int(np.floor(ideal.sum() + 0.5)) - int(whole.sum())
    whole[np.argsort(whole - ideal, kind="stable")[:num_up]] += 1
    return whole


def _draw(
    rng: np.random.Generator, strata: list[npt.NDArray[np.intp]], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.intp]:
    """Draw the given number of indices from each stratum, without replacement."""
    return np.concatenate([rng.permutation(s)[:n] for s, n in zip(strata, sizes, strict=True)])


def _refuse_single_sample(dataset: Dataset, sample: int) -> None:
    if dataset.task == "regression":
        raise DataError(
            f"Dataset {shown(dataset.name)} has 1 sample, which cannot be in both parts of a split. "
            "Give at least 2 samples."
        )
    class_name = dataset.class_names[int(dataset.targets[sample])]
    raise DataError(
        f"Class {shown(class_name)} of dataset {shown(dataset.name)} has 1 sample, which cannot be in both "
        "parts of a split. Leave that class out, or give at least 2 samples of it."
    )
