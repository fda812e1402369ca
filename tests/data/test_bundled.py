"""The datasets that come with the package are those of scikit-learn, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets

from qjax import data
from qjax.data.bundled import BUNDLED


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_dataset_is_that_of_scikit_learn(name):
    options = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(datasets, f"load_{name}")(**options)
    ours = data.load(name)
    np.testing.assert_array_equal(ours.features, theirs.data)
    np.testing.assert_array_equal(ours.targets, theirs.target)
    assert ours.feature_names == tuple(map(str, theirs.feature_names))
    if ours.task == "classification":
        assert ours.class_names == tuple(map(str, theirs.target_names))
