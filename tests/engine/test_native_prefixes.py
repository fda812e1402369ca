"""Parameter sets that begin alike give at once what each of them gives by itself."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import PauliSum, ansatz
from qjax.engine import grid, native
from qjax.engine.native import library
from tests.circuits import random_circuit
from tests.engine.test_native import TOLERANCES, observables

pytestmark = pytest.mark.skipif(not library.available(), reason="the native engine is not built")


def alike(seed, circuit, num_sets, num_samples, own_features=False):
    """Sets that differ from a first one in a number each, or in none, in any order."""
    rng = np.random.default_rng(seed)
    params = np.repeat(rng.normal(size=(1, 1, circuit.num_params)), num_sets, axis=0)
    features = np.repeat(rng.normal(size=(1, num_samples, circuit.num_features)), num_sets, axis=0)
    for number in range(num_sets):
        changed = features if own_features and number % 2 and circuit.num_features else params
        if changed.size and rng.random() < 0.9:
            changed[number, rng.integers(changed.shape[1]), rng.integers(changed.shape[2])] = rng.normal()
    return params, features if own_features else features[:1]


def check(function, params, features, tolerance):
    """Holds all sets at once to one after the other, which share nothing."""
    function = jax.jit(function)
    together = function(params, features)
    for number in range(len(params)):
        alone = function(
            params[number : number + 1], features if len(features) == 1 else features[number : number + 1]
        )
        np.testing.assert_allclose(together[number], alone[0], rtol=0, atol=tolerance)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 7),
    st.integers(2, 30),
    st.sampled_from([1, 3, 16, 21]),
    st.booleans(),
)
def test_random_circuits(seed, num_qubits, num_sets, num_samples, own_features):
    circuit = random_circuit(seed, num_qubits, 40, num_params=30, num_features=15)
    with jax.enable_x64(True):
        operands = alike(seed, circuit, num_sets, num_samples, own_features)
        for function in (
            partial(native.expectations, circuit, observables(num_qubits)),
            partial(native.statevector, circuit),
            partial(native.probabilities, circuit),
        ):
            check(function, *operands, tolerance=1e-12)


# States in a vector's lanes, spread over them, shared by threads, and in tiles.
@pytest.mark.parametrize(
    ("num_qubits", "num_layers", "num_samples", "dtype"),
    [
        (4, 6, 20, "float64"),
        (9, 5, 16, "float32"),
        (12, 3, 2, "float64"),
        (15, 2, 1, "float64"),
        (18, 2, 1, "float32"),
    ],
)
def test_shifted_sets_of_the_model(num_qubits, num_layers, num_samples, dtype):
    circuit = ansatz.hardware_efficient(num_qubits, num_layers)
    wanted = (PauliSum(f"Z{num_qubits - 1}"), PauliSum({"X0 Y1": 0.5, "Z0 Z2": 1.0}))
    with jax.enable_x64(dtype == "float64"):
        rng = np.random.default_rng(0)
        some = np.sort(rng.choice(circuit.num_params, min(circuit.num_params, 24), replace=False))
        params = np.repeat(rng.normal(size=(1, 1, circuit.num_params)), 2 * len(some) + 1, axis=0)
        params[np.arange(len(some)) * 2 + 1, 0, some] += np.pi / 2
        params[np.arange(len(some)) * 2 + 2, 0, some] -= np.pi / 2
        operands = (
            jnp.asarray(params, dtype),
            jnp.asarray(rng.normal(size=(1, num_samples, circuit.num_features)), dtype),
        )
        function = partial(native.expectations, circuit, wanted)
        check(function, *operands, TOLERANCES[dtype])
        if num_qubits <= 12:
            expected = jax.jit(partial(grid.expectations, circuit, wanted))(*operands)
            np.testing.assert_allclose(jax.jit(function)(*operands), expected, rtol=0, atol=TOLERANCES[dtype])


def test_what_is_not_a_number_stays_in_its_set():
    circuit = ansatz.hardware_efficient(5, 6)
    params, features = alike(0, circuit, 24, 16)
    sound = jax.jit(partial(native.expectations, circuit, (PauliSum("Z4"),)))(params, features)
    params[[3, 4, 20], 0, -1] = np.nan
    found = jax.jit(partial(native.expectations, circuit, (PauliSum("Z4"),)))(params, features)
    is_bad = np.isin(np.arange(24), [3, 4, 20])
    assert np.isnan(np.asarray(found)[is_bad]).all()
    np.testing.assert_array_equal(np.asarray(found)[~is_bad], np.asarray(sound)[~is_bad])
