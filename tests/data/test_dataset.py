from __future__ import annotations

import subprocess
import sys
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qjax.data import Dataset, load, names
from qjax.errors import ArgumentError, DataError

finite = st.floats(-1e6, 1e6)
tables = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=finite)


def make(*parts: Any, **options: Any) -> Dataset:
    """A dataset of whatever a caller may pass, right or wrong."""
    return Dataset(*parts, **options)


def regression(features, name="toy"):
    return Dataset(name, features, np.zeros(len(features)), "regression")


@given(tables)
def test_hash_depends_on_content_and_not_on_layout_or_names(features):
    reference = regression(features).content_hash
    assert regression(np.asfortranarray(features), "other").content_hash == reference
    assert regression(features.astype(">f8")).content_hash == reference
    changed = features.copy()
    changed[-1, -1] = np.nextafter(changed[-1, -1], np.inf)
    assert regression(changed).content_hash != reference


def test_hash_tells_shapes_and_target_types_apart():
    numbers = np.arange(4.0)
    hashes = {
        make("a", numbers.reshape(4, 1), [0, 1, 0, 1], "classification").content_hash,
        make("a", numbers.reshape(4, 1), [0, 1, 0, 1], "regression").content_hash,
        make("a", numbers.reshape(2, 2), [0, 1], "classification").content_hash,
        make("a", numbers.reshape(4, 1), [1, 0, 1, 0], "classification").content_hash,
    }
    assert len(hashes) == 4


def test_dataset_neither_shares_nor_shows_a_writable_array():
    features, targets = np.ones((3, 2)), np.array([0, 1, 0])
    dataset = Dataset("toy", features, targets, "classification")
    before = dataset.content_hash
    features[:], targets[:] = 7.0, 1
    assert dataset.features.max() == 1.0
    assert Dataset("toy", dataset.features, dataset.targets, "classification").content_hash == before
    for array in (dataset.features, dataset.targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@given(tables, st.data())
def test_subset_takes_the_rows_in_order(features, data):
    dataset = regression(features)
    indices = data.draw(st.lists(st.integers(0, len(features) - 1), min_size=1, max_size=8))
    assert np.array_equal(dataset.subset(indices).features, features[indices])


@pytest.mark.parametrize("indices", [[True, False], [], [2], [-1], [[0]], [0.0]])
def test_subset_refuses_what_is_no_list_of_indices(indices):
    with pytest.raises(ArgumentError, match="`indices`"):
        regression(np.ones((2, 1))).subset(indices)


FAULTS = {
    "no samples": (np.zeros((0, 2)), np.zeros(0), "regression", {}),
    "no features": (np.zeros((2, 0)), np.zeros(2), "regression", {}),
    "not a table of real numbers": ([["a"], ["b"]], [0, 1], "classification", {}),
    "real numbers. Give": ([[1.0], [1.0, 2.0]], [0, 1], "classification", {}),
    "not a table. Reshape": (np.zeros(3), [0, 1, 0], "classification", {}),
    "nan in sample 1, feature `b`": (
        [[0, 1], [2, np.nan]],
        [0, 1],
        "classification",
        {"feature_names": "ab"},
    ),
    "inf in sample 0": ([[np.inf], [0]], [0, 1], "classification", {}),
    "as the target of sample 1": ([[0], [1]], [0, np.nan], "regression", {}),
    "targets have the shape": ([[0], [1]], [0, 1, 0], "classification", {}),
    "one class only (`yes`)": ([[0], [1]], [1, 1], "classification", {"class_names": ("no", "yes")}),
    "class index -1": ([[0], [1]], [-1, 1], "classification", {}),
    "class index 2": ([[0], [1]], [2, 1], "classification", {"class_names": ("no", "yes")}),
    "class indices are integers": ([[0], [1]], [0.0, 1.0], "classification", {}),
    "two classes alike": ([[0], [1]], [0, 1], "classification", {"class_names": ("no", "no")}),
    "has class names": ([[0], [1]], [0, 1], "regression", {"class_names": ("no", "yes")}),
    "2 features, but 1 feature names": ([[0, 1], [1, 2]], [0, 1], "regression", {"feature_names": "a"}),
    "task `guess`": ([[0], [1]], [0, 1], "guess", {}),
    "not real numbers. Use": ([[0], [1]], ["a", "b"], "regression", {}),
}


@pytest.mark.parametrize("message", FAULTS)
def test_fault_is_named(message):
    features, targets, task, options = FAULTS[message]
    with pytest.raises(DataError) as caught:
        make("toy", features, targets, task, **options)
    assert message in str(caught.value)
    assert "`toy`" in str(caught.value)


SHAPES = {
    "breast_cancer": (569, 30, 2),
    "diabetes": (442, 10, 0),
    "digits": (1797, 64, 10),
    "iris": (150, 4, 3),
    "wine": (178, 13, 3),
}


@pytest.mark.parametrize("name", SHAPES)
def test_bundled_datasets_have_their_published_size(name):
    dataset = load(name)
    assert (dataset.num_samples, dataset.num_features, dataset.num_classes) == SHAPES[name]
    assert dataset.name == name
    assert dataset.content_hash == load(name).content_hash


def test_diabetes_is_not_standardised_with_the_test_samples():
    age = load("diabetes").features[:, 0]
    assert np.array_equal(age, np.round(age))
    assert age.max() > 60


def test_unknown_name_lists_the_names_and_the_closest():
    with pytest.raises(DataError, match=r"Did you mean `breast_cancer`\?") as caught:
        load("breast-cancer")
    assert all(f"`{name}`" in str(caught.value) for name in names())


@pytest.mark.parametrize(
    ("name", "options", "argument"),
    [
        ("iris", {"target": "species"}, "target"),
        ("iris", {"task": "regression"}, "task"),
        ("rings", {"task": "regression"}, "task"),
        ("x.npz", {"target": "species"}, "target"),
        ("iris", {"noise": 0.1}, "noise"),
        ("rings", {"nois": 0.1}, "nois"),
        ("iris", {"num_samples": 151}, "num_samples"),
        ("iris", {"num_samples": 2}, "num_samples"),
        ("iris", {"num_samples": 2.5}, "num_samples"),
        ("rings", {"num_samples": 1}, "num_samples"),
        ("rings", {"seed": -1}, "seed"),
        ("iris", {"num_samples": 30, "seed": True}, "seed"),
    ],
)
def test_load_refuses_arguments_that_do_not_apply(name, options, argument):
    with pytest.raises(ArgumentError) as caught:
        load(name, **options)
    assert caught.value.argument == argument


def test_unknown_option_lists_the_options():
    with pytest.raises(ArgumentError, match=r"`noise`, `inner_radius`\. Did you mean `noise`"):
        load("rings", nois=0.1)


def test_loading_does_not_bring_in_the_slow_packages():
    code = (
        "import sys, qjax.data; qjax.data.load('wine'); "
        "print([m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
