from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qjax.data import Dataset, split, subsample
from qjax.errors import ArgumentError, DataError

class_sizes = st.lists(st.integers(2, 40), min_size=2, max_size=6)
fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 1000)


def dataset_of(sizes, seed=0):
    """Classes of the given sizes, in random order; the one feature is the index of the sample."""
    targets = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return Dataset("toy", np.arange(float(len(targets)))[:, None], targets, "classification")


def ids(dataset):
    return dataset.features[:, 0].astype(int).tolist()


@given(class_sizes, fractions, seeds)
def test_split_is_a_stratified_partition(sizes, fraction, seed):
    dataset = dataset_of(sizes, seed)
    train, test = split(dataset, fraction, seed)
    assert sorted(ids(train) + ids(test)) == list(range(sum(sizes)))
    for part in (train, test):
        assert ids(part) == sorted(ids(part))
        assert np.array_equal(part.targets, dataset.targets[ids(part)])
    train_sizes = np.bincount(train.targets, minlength=len(sizes))
    test_sizes = np.bincount(test.targets, minlength=len(sizes))
    assert (np.abs(test_sizes - fraction * np.array(sizes)) < 1).all()
    assert train_sizes.min() >= 1
    assert test_sizes.min() >= 1


@given(st.lists(st.integers(10, 40), min_size=2, max_size=6), st.floats(0.15, 0.85), seeds)
def test_split_has_the_size_asked_for_where_the_classes_allow_it(sizes, fraction, seed):
    _, test = split(dataset_of(sizes), fraction, seed)
    assert abs(test.num_samples - fraction * sum(sizes)) <= 0.5 + 1e-6


@given(class_sizes, fractions, seeds)
def test_split_is_deterministic(sizes, fraction, seed):
    dataset = dataset_of(sizes)
    first, again = split(dataset, fraction, seed), split(dataset, fraction, seed)
    assert [p.content_hash for p in first] == [p.content_hash for p in again]


def test_seed_changes_the_split():
    dataset = dataset_of([50, 50])
    assert len({split(dataset, seed=seed)[1].content_hash for seed in range(20)}) == 20


@given(st.integers(2, 60), fractions, seeds)
def test_regression_split_is_a_partition(num_samples, fraction, seed):
    dataset = Dataset("line", np.arange(float(num_samples))[:, None], np.zeros(num_samples), "regression")
    train, test = split(dataset, fraction, seed)
    assert sorted(ids(train) + ids(test)) == list(range(num_samples))
    assert abs(test.num_samples - fraction * num_samples) < 1
    assert min(train.num_samples, test.num_samples) >= 1


@given(class_sizes, st.data(), seeds)
def test_subsample_has_exact_size_and_keeps_the_proportions(sizes, data, seed):
    num_samples = data.draw(st.integers(len(sizes), sum(sizes)))
    dataset = dataset_of(sizes, seed)
    part = subsample(dataset, num_samples, seed)
    assert part.num_samples == num_samples
    assert len(set(ids(part))) == num_samples
    assert np.array_equal(part.targets, dataset.targets[ids(part)])
    kept = np.bincount(part.targets, minlength=len(sizes))
    assert kept.min() >= 1
    ideal = np.array(sizes) * num_samples / sum(sizes)
    if ideal.min() >= 1:
        assert (np.abs(kept - ideal) < 1).all()
    assert part.content_hash == subsample(dataset, num_samples, seed).content_hash


@given(class_sizes, seeds)
def test_subsample_of_everything_is_everything(sizes, seed):
    dataset = dataset_of(sizes)
    assert subsample(dataset, sum(sizes), seed).content_hash == dataset.content_hash


def test_class_of_one_sample_is_named():
    dataset = Dataset("toy", np.eye(3), np.array([0, 0, 1]), "classification", ("common", "rare"))
    with pytest.raises(DataError, match="Class `rare` of dataset `toy` has 1 sample"):
        split(dataset)


def test_single_sample_of_regression_cannot_be_split():
    with pytest.raises(DataError, match="has 1 sample"):
        split(Dataset("dot", np.zeros((1, 1)), np.zeros(1), "regression"))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), "0.2", None, True])
def test_test_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ArgumentError, match="`test_fraction`"):
        split(dataset_of([5, 5]), fraction)
