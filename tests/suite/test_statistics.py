"""Intervals over seeds are Student's, and cover as often as they say."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qjax.suite import mean_interval

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@given(values=VALUES, confidence=st.floats(0.5, 0.999))
def test_intervals_are_scipys(values, confidence):
    ours = mean_interval(values, confidence)
    error = stats.sem(values)
    np.testing.assert_allclose(ours.mean, np.mean(values), rtol=1e-9, atol=1e-9)
    assert ours.half_width is not None
    expected = error * stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    np.testing.assert_allclose(ours.half_width, expected, rtol=1e-7, atol=1e-9)
    assert ours.num_values == len(values)


def test_intervals_cover_the_mean_as_often_as_they_say():
    samples = np.random.default_rng(0).normal(0.9, 0.03, size=(4000, 4))
    intervals = [mean_interval(list(row)) for row in samples]
    covered = np.mean([abs(each.mean - 0.9) < (each.half_width or 0) for each in intervals])
    assert abs(covered - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 4000)


def test_one_value_says_nothing_of_its_spread():
    assert mean_interval([0.5]).half_width is None
    assert str(mean_interval([0.5])) == "0.500"
