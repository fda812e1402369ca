"""What every executor shares: the checks of a batch, and one key for every circuit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Executor, Op, Simulator
from qjax.dispatch import Dispatch
from qjax.errors import ArgumentError
from qjax.executor import check_batch, check_mask, circuit_keys

SIZES = st.integers(0, 4)
LAWS = settings(max_examples=25, deadline=None, derandomize=True)


def circuit_of(num_params: int, num_features: int) -> Circuit:
    ops = [Op("rx", (0,), Angle(param=p)) for p in range(num_params)]
    return Circuit(1, (*ops, *(Op("rz", (0,), Angle(feature=f)) for f in range(num_features))))


@given(sets=SIZES, samples=SIZES, params=SIZES, features=SIZES, own=st.booleans())
@LAWS
def test_a_batch_of_the_right_shape_passes_unchanged(sets, samples, params, features, own):
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(sets, params)).astype(np.float32)
    x = rng.normal(size=(sets, samples, features) if own else (samples, features)).astype(np.float32)
    checked_params, checked_features, sizes = check_batch(circuit_of(params, features), theta, x)
    np.testing.assert_array_equal(checked_params, theta)
    np.testing.assert_array_equal(checked_features, x)
    assert sizes == (sets, samples)


@given(shape=st.lists(st.integers(0, 3), max_size=4), features=st.lists(st.integers(0, 3), max_size=4))
@LAWS
def test_a_batch_of_a_wrong_shape_is_refused(shape, features):
    right_params = len(shape) == 2 and shape[1] == 2
    right_features = (
        (len(features) in (2, 3) and features[-1] == 1 and (len(features) == 2 or features[0] == shape[0]))
        if right_params
        else True
    )
    if right_params and right_features:
        return
    with pytest.raises(ArgumentError) as caught:
        check_batch(circuit_of(2, 1), np.zeros(shape), np.zeros(features))
    assert caught.value.argument == ("features" if right_params else "params")


def test_without_features_there_is_one_sample():
    _, features, sizes = check_batch(circuit_of(1, 0), np.zeros((3, 1)), None)
    assert features.shape == (1, 0)
    assert sizes == (3, 1)


@pytest.mark.parametrize("name", ["key", "PRNGKey"])
def test_every_circuit_has_a_key_of_its_own(name):
    keys = circuit_keys(getattr(jax.random, name)(3), 4, 5)
    assert keys.shape == (4, 5)
    assert len(np.unique(jax.random.key_data(keys).reshape(20, -1), axis=0)) == 20
    # Keys of circuits are passed on, so whoever groups them draws the same numbers.
    assert np.all(circuit_keys(keys, 4, 5) == keys)
    assert np.all(circuit_keys(jax.random.key(3), 4, 5) == keys)


def test_masks_of_samples_and_of_circuits():
    one = jnp.array([True, False, True])
    np.testing.assert_array_equal(check_mask(one, 2, 3), [one, one])
    full = jnp.array([[True, False, True], [False, False, True]])
    np.testing.assert_array_equal(check_mask(full, 2, 3), full)
    assert np.all(check_mask(None, 2, 3))
    assert check_mask(jnp.array([1.0, 0.0]), 1, 2).tolist() == [[True, False]]
    for shape in ((2,), (1, 3), (3, 2), ()):
        with pytest.raises(ArgumentError, match=r"^Argument `mask` must"):
            check_mask(jnp.ones(shape), 2, 3)


def test_executors_satisfy_the_protocol():
    for executor in (Simulator(), Simulator(shots=3), Dispatch(Simulator(shots=3), batching=False)):
        assert isinstance(executor, Executor)
        assert executor.traceable
        assert executor.exact == (executor in (Simulator(),))
