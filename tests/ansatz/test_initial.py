"""Initial parameters: weights around one, angles around zero, a deviation of the asked size."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.ansatz import data_reuploading, hardware_efficient, initial_params, qaoa, strongly_entangling
from qjax.errors import ArgumentError
from qjax.observables import PauliSum

circuits = st.sampled_from(
    [
        data_reuploading(2, 40, num_features=3),
        data_reuploading(2, 40, num_features=3, trainable_scales=False),
        hardware_efficient(4, 20),
        strongly_entangling(3, 20),
        qaoa(PauliSum("Z0 Z1"), 50),
    ]
)


def centers(circuit):
    return np.array(
        [a.feature is not None for op in circuit.unrolled() for a in op.angles if a.param is not None], float
    )


@given(circuit=circuits.filter(lambda c: c.num_features != 0), seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_without_deviation_weights_are_one_and_angles_zero(circuit, seed):
    params = initial_params(circuit, jax.random.key(seed), scale=0.0)
    np.testing.assert_array_equal(params, centers(circuit))


@given(circuit=circuits, seed=st.integers(0, 2**31), scale=st.floats(1e-3, 10))
@settings(max_examples=15, deadline=None)
def test_deviation_is_proportional_to_the_scale(circuit, seed, scale):
    key = jax.random.key(seed)
    center = initial_params(circuit, key, scale=0.0)
    deviation = (initial_params(circuit, key, scale=scale) - center) / scale
    assert deviation.shape == (circuit.num_params,)
    np.testing.assert_allclose(deviation, initial_params(circuit, key, scale=1.0) - center, atol=1e-3)
    assert 0.6 < deviation.std() < 1.4  # 100 parameters or more: beyond five standard errors
    assert abs(deviation.mean()) < 0.5


def test_keys_can_be_mapped_over_and_give_different_parameters():
    circuit = hardware_efficient(2, 2)
    keys = jax.random.split(jax.random.key(0), 3)
    many = jax.jit(jax.vmap(lambda key: initial_params(circuit, key)))(keys)
    for key, row in zip(keys, many, strict=True):
        np.testing.assert_allclose(row, initial_params(circuit, key), rtol=1e-6)
    assert np.unique(np.asarray(many)).size == many.size


@pytest.mark.parametrize("scale", [-1.0, float("inf"), float("nan"), "0.1", True])
def test_scales_without_meaning_are_refused(scale):
    with pytest.raises(ArgumentError, match="`scale` must be finite and 0 or more"):
        initial_params(hardware_efficient(1, 1), jax.random.key(0), scale=scale)
