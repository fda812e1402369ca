"""Parameter sets that begin alike give at once what each of them gives by itself."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, PauliSum, ansatz
from qjax.engine import grid, native
from qjax.engine.native import library
from tests.circuits import random_circuit
from tests.engine.test_native import TOLERANCES, observables

pytestmark = pytest.mark.skipif(not library.available(), reason="the native engine is not built")


def alike(seed, circuit, param_sizes, feature_sizes):
    """Rows that differ from a first one in a number each, or in none, in any order."""
    rng = np.random.default_rng(seed)
    operands = []
    for sizes, length in ((param_sizes, circuit.num_params), (feature_sizes, circuit.num_features)):
        rows = np.broadcast_to(rng.normal(size=length), (*sizes, length)).copy()
        for row in rows.reshape(np.prod(sizes), length):
            if length and rng.random() < 0.9:
                row[rng.integers(length)] = rng.normal()
        operands.append(rows)
    return operands


def alike_in_sets(seed, circuit, num_sets, num_samples):
    """Sets of one parameter each of their own, and samples that all of them take."""
    rng = np.random.default_rng(seed)
    params, _ = alike(seed, circuit, (num_sets, 1), (1, 1))
    return params, rng.normal(size=(1, num_samples, circuit.num_features))


def check(function, params, features, tolerance):
    """Holds all sets at once to one after the other, which share nothing."""
    function = jax.jit(function)
    together = function(params, features)
    sizes = np.broadcast_shapes(params.shape[:-2], features.shape[:-2])
    params, features = (np.broadcast_to(a, (*sizes, *a.shape[-2:])) for a in (params, features))
    for place in np.ndindex(sizes):  # all samples of a set
        alone = function(params[place], features[place])
        np.testing.assert_allclose(together[place], alone, rtol=0, atol=tolerance)


SIZES = (
    ((12, 1), (1, 16)),
    ((30, 1), (1, 33)),
    ((9, 1), (9, 16)),
    ((2, 1, 5, 1), (1, 1, 1, 17)),
    ((2, 1, 5, 1), (1, 3, 1, 16)),
    ((2, 1, 5, 1), (2, 3, 5, 16)),
    ((3, 6, 1), (1, 6, 16)),
    ((20, 1), (20, 1)),
)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.sampled_from(SIZES))
def test_random_circuits(seed, num_qubits, sizes):
    circuit = random_circuit(seed, num_qubits, 40, num_params=30, num_features=15)
    with jax.enable_x64(True):
        operands = alike(seed, circuit, *sizes)
        for function in (
            partial(native.expectations, circuit, observables(num_qubits)),
            partial(native.statevector, circuit),
            partial(native.probabilities, circuit),
        ):
            check(function, *operands, tolerance=1e-12)


def test_a_number_enters_with_the_product_state():
    ops = [Op("rx", (0,), Angle(param=0)), Op("ry", (1,), Angle(param=1)), Op("ry", (2,), Angle(param=2))]
    for layer in range(4):
        ops += [Op(name, (1, 2), Angle(param=3 + layer)) for name in ("rxx", "ryy")]
    circuit = Circuit(3, (*ops, Op("ry", (0,), Angle(param=7))), 8, 0)
    rng = np.random.default_rng(0)
    params = np.repeat(rng.normal(size=(1, 1, 8)), 40, axis=0)
    params[::2, 0, 0] = rng.normal(size=20)
    params[1::2, 0, 7] = rng.normal(size=20)
    with jax.enable_x64(True):
        wanted = (PauliSum("Z0"), PauliSum("Y0 X2"))
        check(partial(native.expectations, circuit, wanted), params, np.zeros((1, 16, 0)), 1e-12)


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


@pytest.mark.parametrize("param", [0, 20, 30, -1])
def test_what_is_not_a_number_stays_in_its_set(param):
    circuit = ansatz.hardware_efficient(5, 6)
    function = jax.jit(partial(native.expectations, circuit, (PauliSum("Z4"),)))
    params, features = alike_in_sets(0, circuit, 24, 16)
    sound = np.asarray(function(params, features))
    is_bad = np.isin(np.arange(24), [3, 4, 20])
    params[is_bad, 0, param] = np.nan
    found = np.asarray(function(params, features))
    assert np.isnan(found[is_bad]).all()
    np.testing.assert_allclose(found[~is_bad], sound[~is_bad], rtol=0, atol=TOLERANCES["float32"])
