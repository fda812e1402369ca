"""State vectors and probabilities of the native engine are the plain-JAX engine's, global phases included."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.engine import grid, native
from qjax.engine.native import library
from tests.circuits import random_circuit
from tests.engine.test_native import CIRCUIT, TOLERANCES, every_gate, operands

pytestmark = pytest.mark.skipif(not library.available(), reason="the native engine is not built")

READERS = ("statevector", "probabilities")


def check(circuit, num_sets, num_samples, dtype):
    params, features = operands(circuit, num_sets, num_samples, dtype)
    for reader in READERS:
        found, expected = (
            jax.jit(partial(getattr(engine, reader), circuit))(params, features) for engine in (native, grid)
        )
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCES[dtype])


@pytest.mark.parametrize(
    ("num_qubits", "num_sets", "num_samples", "dtype"),
    [(1, 2, 3, "float64"), (3, 3, 17, "float64"), (3, 2, 9, "float32"), (6, 1, 1, "float64")],
)
def test_every_gate(num_qubits, num_sets, num_samples, dtype):
    with jax.enable_x64(dtype == "float64"):
        check(every_gate(num_qubits), num_sets, num_samples, dtype)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3), st.integers(0, 20))
def test_random_circuits_with_loops(seed, num_qubits, num_sets, num_samples):
    with jax.enable_x64(True):
        check(random_circuit(seed, num_qubits, 10), num_sets, num_samples, "float64")


@pytest.mark.parametrize("reader", READERS)
def test_transformations(reader):
    def transformed(engine):
        def row(p, x):
            return getattr(engine, reader)(CIRCUIT, p, x)

        def weight(p, x):
            return (jnp.abs(row(p, x) - 0.3) ** 2)[3]

        return lambda p, x: (
            jax.vmap(row, (0, None))(p, x[0]),
            jax.vmap(jax.vmap(row, (None, 0)), (0, None))(p, x),
            jax.grad(weight, (0, 1))(p[0], x[0]),
            jax.vmap(jax.grad(weight), (None, 0))(p[0], x),
            jax.jacfwd(weight)(p[0], x[0]),
        )

    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        params = jnp.asarray(rng.normal(size=(2, CIRCUIT.num_params)))
        features = jnp.asarray(rng.normal(size=(3, CIRCUIT.num_features)))
        found, expected = (jax.jit(transformed(engine))(params, features) for engine in (native, grid))
        jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-10), found, expected)
