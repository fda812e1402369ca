from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from qjax.data import hidden_manifold, load, parity, rings, two_curves
from qjax.data.synthetic import SYNTHETIC
from qjax.errors import ArgumentError

problems = st.sampled_from(sorted(SYNTHETIC))


def accuracy(model, dataset):
    return cross_val_score(model, dataset.features, dataset.targets, cv=5).mean()


@given(problems, st.integers(2, 90), st.integers(0, 2**32), st.floats(0, 1))
def test_classes_are_balanced_and_the_seed_decides_everything(name, num_samples, seed, noise):
    first = load(name, num_samples=num_samples, seed=seed, noise=noise)
    again = load(name, num_samples=num_samples, seed=seed, noise=noise)
    assert first.content_hash == again.content_hash
    assert np.bincount(first.targets).tolist() == [(num_samples + 1) // 2, num_samples // 2]
    assert first.name == name


@given(problems, st.integers(0, 2**16))
def test_other_seed_gives_other_data(name, seed):
    assert load(name, seed=seed).content_hash != load(name, seed=seed + 1).content_hash


@given(st.sampled_from([hidden_manifold, parity, two_curves]), st.integers(2, 12))
def test_number_of_features_is_as_asked(problem, num_features):
    assert problem(20, num_features=num_features).features.shape == (20, num_features)


@given(st.integers(2, 60), st.floats(0.05, 0.95), st.integers(0, 1000))
def test_rings_without_noise_lie_on_their_circles(num_samples, inner_radius, seed):
    data = rings(num_samples, noise=0.0, inner_radius=inner_radius, seed=seed)
    radius = np.hypot(*data.features.T)
    np.testing.assert_allclose(radius, np.where(data.targets == 1, inner_radius, 1.0), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rings_defeat_a_linear_model_and_not_a_kernel(seed):
    data = rings(400, seed=seed)
    assert accuracy(LogisticRegression(), data) < 0.65
    assert accuracy(SVC(kernel="rbf"), data) > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_two_curves_are_separable_by_distance_and_not_by_a_plane(seed):
    data = two_curves(1000, seed=seed)
    assert accuracy(KNeighborsClassifier(3), data) > 0.93
    assert accuracy(LogisticRegression(), data) < 0.75


@pytest.mark.parametrize("seed", range(5))
def test_two_curves_are_separable_by_a_plane_in_enough_dimensions(seed):
    data = two_curves(400, num_features=9, degree=4, noise=0.0, seed=seed)
    assert LogisticRegression(C=1e6, max_iter=10_000).fit(data.features, data.targets).score(
        data.features, data.targets
    ) == pytest.approx(1.0)


@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 1000))
def test_two_curves_differ_by_the_offset_alone(num_features, degree, seed):
    arguments: dict[str, Any] = {"num_features": num_features, "degree": degree, "noise": 0.0, "seed": seed}
    near = load("two_curves", num_samples=30, offset=0.0, **arguments)
    far = load("two_curves", num_samples=30, offset=2.0, **arguments)
    expected = np.where(far.targets[:, None] == 1, 2.0, 0.0) * np.ones(num_features)
    np.testing.assert_allclose(far.features - near.features, expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_two_curves_have_unit_variance_on_average(seed):
    data = two_curves(20000, num_features=5, offset=0.0, noise=0.0, seed=seed)
    assert data.features.var(axis=0).mean() == pytest.approx(1.0, abs=0.03)


@given(st.integers(2, 10), st.integers(0, 1000))
def test_hidden_manifold_has_the_dimension_asked_for(num_features, seed):
    data = hidden_manifold(40, num_features=num_features, manifold_dimension=1, seed=seed)
    # Undoing the bounded nonlinearity leaves a straight line: centered, it has rank one.
    line = np.arctanh(data.features)
    singular_values = np.linalg.svd(line - line.mean(axis=0), compute_uv=False)
    assert singular_values[1] < 1e-6 * singular_values[0]


@pytest.mark.parametrize("seed", range(5))
def test_hidden_manifold_can_be_learned(seed):
    assert accuracy(SVC(kernel="rbf", C=10.0), hidden_manifold(1000, seed=seed)) > 0.85


@given(st.integers(2, 10), st.integers(2, 100), st.integers(0, 1000))
def test_parity_label_is_the_parity_of_the_bits(num_features, num_samples, seed):
    data = parity(num_samples, num_features=num_features, seed=seed)
    assert set(np.unique(data.features)) <= {0.0, 1.0}
    assert np.array_equal(np.bitwise_xor.reduce(data.features.astype(int), axis=1), data.targets)


@settings(max_examples=10)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_parity_strings_are_uniform(num_features, seed):
    data = parity(4096, num_features=num_features, seed=seed)
    counts = np.bincount(
        data.features.astype(int) @ (1 << np.arange(num_features)), minlength=2**num_features
    )
    expected = 4096 / 2**num_features
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


@pytest.mark.parametrize(
    ("problem", "options"),
    [
        (rings, {"inner_radius": 1.0}),
        (rings, {"inner_radius": float("nan")}),
        (rings, {"noise": -0.1}),
        (two_curves, {"degree": 0}),
        (two_curves, {"offset": float("inf")}),
        (two_curves, {"num_features": 1}),
        (hidden_manifold, {"manifold_dimension": 0}),
        (hidden_manifold, {"noise": "0.1"}),
        (parity, {"num_features": 4.0}),
        (parity, {"seed": None}),
    ],
)
def test_argument_out_of_range_is_named(problem, options):
    with pytest.raises(ArgumentError) as caught:
        problem(**options)
    assert caught.value.argument == next(iter(options))
