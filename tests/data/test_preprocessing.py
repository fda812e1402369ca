from __future__ import annotations

import json
import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from qjax.data import Preprocessing, load
from qjax.errors import ArgumentError, DataError

SCALINGS = ["minmax", "standard", "none", "unit_norm"]
seeds = st.integers(0, 2**16)
sizes = st.tuples(st.integers(2, 30), st.integers(1, 8))


def gaussian(seed, num_samples, num_features):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(num_features, num_features))
    return 3.0 + rng.normal(size=(num_samples, num_features)) @ mixing


@st.composite
def problems(draw):
    """A table with ties, constant columns and zeros, and arguments that fit it."""
    shape = draw(sizes)
    elements = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.1]), st.floats(-1e9, 1e9))
    table = draw(hnp.arrays(np.float64, shape, elements=elements))
    return table, {
        "num_components": draw(st.none() | st.integers(1, min(shape))),
        "scaling": draw(st.sampled_from(SCALINGS)),
        "feature_range": draw(st.sampled_from([(-math.pi / 2, math.pi / 2), (0.0, 1.0), (0.1, 0.7)])),
        "standardize": draw(st.booleans()),
    }


@given(seeds, sizes)
def test_agrees_with_the_standard_scaler_of_sklearn(seed, size):
    train, test = gaussian(seed, *size), gaussian(seed + 1, *size)
    ours = Preprocessing.fit(train, scaling="none").transform(test)
    oracle = np.asarray(StandardScaler().fit(train).transform(test))
    np.testing.assert_allclose(ours, oracle, rtol=1e-9, atol=1e-9)


@given(seeds, st.integers(10, 40), st.integers(2, 8), st.data())
def test_agrees_with_the_pca_of_sklearn_up_to_sign(seed, num_samples, num_features, data):
    num_components = data.draw(st.integers(1, num_features - 1))
    train, test = gaussian(seed, num_samples, num_features), gaussian(seed + 1, 9, num_features)
    scaler, pca = StandardScaler().fit(train), PCA(num_components, svd_solver="full")
    pca.fit(scaler.transform(train))
    # Directions are only defined where the variances along them differ.
    assume((-np.diff(PCA().fit(scaler.transform(train)).explained_variance_) > 1e-4).all())
    expected = pca.transform(scaler.transform(test))
    fitted = Preprocessing.fit(train, num_components=num_components, scaling="none")
    np.testing.assert_allclose(np.abs(fitted.transform(test)), np.abs(expected), rtol=1e-6, atol=1e-6)
    assert fitted.components is not None
    largest = np.argmax(np.abs(fitted.components), axis=1)
    assert (fitted.components[np.arange(num_components), largest] > 0).all()


@given(seeds, st.integers(2, 40), st.integers(1, 8))
def test_minmax_agrees_with_sklearn_and_clips(seed, num_samples, num_features):
    train, test = gaussian(seed, num_samples, num_features), 3 * gaussian(seed + 1, 9, num_features)
    scaler = MinMaxScaler((-1.0, 2.0), clip=True).fit(train)
    ours = Preprocessing.fit(train, feature_range=(-1.0, 2.0))
    np.testing.assert_allclose(ours.transform(test), scaler.transform(test), rtol=1e-9, atol=1e-9)


@given(problems())
def test_output_is_finite_of_the_right_shape_and_in_range(problem):
    table, options = problem
    fitted = Preprocessing.fit(table, **options)
    for features in (table, 1e3 * table + 1.0):
        outputs = fitted.transform(features)
        assert outputs.dtype == np.float64
        assert outputs.shape == (len(table), options["num_components"] or table.shape[1])
        assert np.isfinite(outputs).all()
        if options["scaling"] == "minmax":
            low, high = options["feature_range"]
            assert outputs.min() >= low
            assert outputs.max() <= high
        if options["scaling"] == "unit_norm":
            np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), 1.0, rtol=1e-12)


@given(problems())
def test_json_round_trip_is_exact(problem):
    table, options = problem
    fitted = Preprocessing.fit(table, **options)
    again = Preprocessing.from_json(fitted.to_json())
    assert again.to_json() == fitted.to_json()
    assert again.transform(table).tobytes() == fitted.transform(table).tobytes()
    assert (again.scaling, again.feature_range) == (fitted.scaling, fitted.feature_range)


@given(seeds, st.integers(4, 20), st.integers(3, 8), st.sampled_from(SCALINGS), st.booleans())
def test_every_sample_is_mapped_on_its_own(seed, num_samples, num_features, scaling, standardize):
    """No statistic of what is transformed enters: rows one by one give what they give together."""
    train, test = gaussian(seed, num_samples, num_features), gaussian(seed + 1, 9, num_features)
    fitted = Preprocessing.fit(train, num_components=2, scaling=scaling, standardize=standardize)
    alone = np.concatenate([fitted.transform(row[None]) for row in test])
    np.testing.assert_allclose(alone, fitted.transform(test), rtol=1e-6, atol=1e-6)


@given(seeds, st.integers(5, 30), st.integers(2, 8), st.sampled_from(["minmax", "standard"]), st.data())
def test_training_outputs_fill_the_range_or_lie_around_its_middle(
    seed, num_samples, num_features, scaling, data
):
    num_components = data.draw(st.none() | st.integers(1, min(num_samples - 1, num_features)))
    train = gaussian(seed, num_samples, num_features)
    outputs = Preprocessing.fit(train, num_components=num_components, scaling=scaling).transform(train)
    if scaling == "minmax":
        np.testing.assert_allclose(outputs.min(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(outputs.max(axis=0), math.pi, rtol=1e-12)
    else:
        np.testing.assert_allclose(outputs.mean(axis=0), math.pi / 2, atol=1e-9)
        np.testing.assert_allclose(2 * outputs.std(axis=0), math.pi / 2, rtol=1e-9)


@given(problems())
def test_all_features_kept_means_no_rotation(problem):
    table, options = problem
    options["num_components"] = table.shape[1]
    fitted = Preprocessing.fit(table, **options)
    assert fitted.components is None
    options["num_components"] = None
    assert fitted.to_json() == Preprocessing.fit(table, **options).to_json()


@given(hnp.arrays(np.float64, sizes, elements=st.floats(-1e100, 1e100)))
def test_raw_features_pass_untouched_when_asked(table):
    fitted = Preprocessing.fit(table, scaling="none", standardize=False)
    assert fitted.transform(table).tobytes() == (table - 0.0).tobytes()


@given(st.floats(-1e6, 1e6), st.integers(1, 50), st.sampled_from(SCALINGS))
def test_constant_feature_carries_nothing(value, num_samples, scaling):
    features = np.column_stack([np.full(num_samples, value), np.arange(num_samples)])
    outputs = Preprocessing.fit(features, scaling=scaling, feature_range=(-1.0, 1.0)).transform(features)
    assert np.isfinite(outputs).all()
    if scaling != "unit_norm":
        assert (outputs[:, 0] == 0.0).all()


def test_component_without_variance_is_not_blown_up_to_the_range():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 1)) @ rng.normal(size=(1, 4))
    outputs = Preprocessing.fit(features, num_components=3, feature_range=(-1.0, 1.0)).transform(features)
    assert np.ptp(outputs[:, 0]) == pytest.approx(2.0)
    assert (outputs[:, 1:] == 0.0).all()


def test_zero_sample_becomes_the_first_amplitude():
    fitted = Preprocessing.fit(np.eye(3), scaling="unit_norm", standardize=False)
    assert fitted.transform([[0.0, 0.0, 0.0], [0.0, 1e-300, 0.0]]).tolist() == [[1, 0, 0], [0, 1, 0]]


@given(seeds, st.integers(4, 20), st.integers(3, 8), st.booleans())
def test_sample_that_is_zero_but_for_rounding_becomes_the_first_amplitude(
    seed, num_samples, num_features, standardize
):
    train = gaussian(seed, num_samples, num_features)
    fitted = Preprocessing.fit(train, num_components=2, scaling="unit_norm", standardize=standardize)
    nearly_mean = fitted.mean * (1 + np.finfo(np.float64).eps)
    assert fitted.transform([fitted.mean, nearly_mean]).tolist() == [[1, 0], [1, 0]]


def test_parts_are_read_only():
    fitted = Preprocessing.fit(load("iris").features, num_components=2)
    for array in (fitted.mean, fitted.scale, fitted.components, fitted.center, fitted.factor):
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"num_components": 5}, "num_components", "at most 4, the number of features"),
        ({"num_components": 3}, "num_components", "at most 2, the number of samples"),
        ({"num_components": 0}, "num_components", "at least 1"),
        ({"num_components": 1.0}, "num_components", "whole number"),
        ({"scaling": "max"}, "scaling", "`minmax`, `standard`, `none`, `unit_norm`"),
        ({"feature_range": (1.0, 1.0)}, "feature_range", "smaller one first"),
        ({"feature_range": (0.0, math.inf)}, "feature_range", "finite"),
        ({"feature_range": 3.0}, "feature_range", "pair"),
    ],
)
def test_argument_out_of_range_is_named(options, argument, words):
    with pytest.raises(ArgumentError) as caught:
        Preprocessing.fit(np.arange(8.0).reshape(2, 4), **options)
    assert caught.value.argument == argument
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "features",
    [
        np.zeros((0, 2)),
        np.zeros((2, 0)),
        np.zeros(3),
        [["a"]],
        [[np.nan]],
        [[1], [1, 2]],
        [[1e300], [-1e300]],
    ],
)
def test_features_that_are_no_finite_table_are_refused(features):
    with pytest.raises(DataError):
        Preprocessing.fit(features)


def test_other_number_of_features_is_refused():
    fitted = Preprocessing.fit(np.eye(3))
    with pytest.raises(ArgumentError, match="have 3 columns, as in the fit, but it has 2"):
        fitted.transform(np.eye(2))


def test_overflow_is_an_error_and_not_a_nan():
    with pytest.raises(DataError, match="too large"):
        Preprocessing.fit([[0.0], [1e-9]], scaling="none").transform([[1e305]])


DAMAGES = {
    "no json": lambda parts: "{",
    "a list": lambda parts: [1],
    "a number": lambda parts: 3,
    "missing key": lambda parts: {k: v for k, v in parts.items() if k != "mean"},
    "extra key": lambda parts: parts | {"color": "red"},
    "short": lambda parts: parts | {"scale": parts["scale"][1:]},
    "zero scale": lambda parts: parts | {"scale": [0.0] * 4},
    "text": lambda parts: parts | {"mean": ["a"] * 4},
    "null": lambda parts: parts | {"mean": None},
    "nan": lambda parts: parts | {"center": [math.nan] * 2},
    "wrong components": lambda parts: parts | {"components": [[1.0, 0.0], [0.0, 1.0]]},
    "flat components": lambda parts: parts | {"components": [1.0, 0.0]},
    "ragged components": lambda parts: parts | {"components": [[1.0], [0.0, 1.0]]},
    "number for components": lambda parts: parts | {"components": 1.0},
    "no components": lambda parts: parts | {"components": []},
    "scaling": lambda parts: parts | {"scaling": "max"},
    "unhashable scaling": lambda parts: parts | {"scaling": []},
    "range": lambda parts: parts | {"feature_range": [1.0, 0.0]},
    "range of three": lambda parts: parts | {"feature_range": [0.0, 1.0, 2.0]},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_json_is_one_error(damage):
    parts = json.loads(Preprocessing.fit(load("iris").features, num_components=2).to_json())
    damaged = DAMAGES[damage](parts)
    with pytest.raises(DataError, match="Fit it again"):
        Preprocessing.from_json(damaged if isinstance(damaged, str) else json.dumps(damaged))
