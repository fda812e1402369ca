"""The native engine on states that threads share and that go through the caches in tiles."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qjax import Angle, Circuit, Op, PauliSum, Repeat
from qjax.engine import grid, native
from qjax.engine.native import library
from tests.engine.test_native import operands, run_on, worst

pytestmark = pytest.mark.skipif(not library.available(), reason="the native engine is not built")


# More qubits than lanes, so that threads share one circuit; many strings, so that they come from a transform.
@pytest.mark.parametrize("ring", [False, True])
def test_a_circuit_that_threads_share(ring):
    num_qubits = 14
    body = [Op(name, (q,), Angle(param=q)) for q in range(num_qubits) for name in ("rx", "rz")]
    body += [Op("cx", (q, q + 1)) for q in range(num_qubits - 1)]
    body += [Op("cx", (num_qubits - 1, 0)), Op("swap", (1, num_qubits - 2))] if ring else []
    body += [Op("rzz", (q, q + 3), Angle(param=q, feature=0)) for q in range(num_qubits - 3)]
    circuit = Circuit(num_qubits, (Repeat(tuple(body), 2),), num_qubits, 1)
    strings = {f"Z{q} Z{p}": 0.1 * (q + p) for q in range(num_qubits) for p in range(q)}
    wanted = (PauliSum(strings), PauliSum("Z3"), PauliSum({"X2 Y9": 1.0, "Z1": 0.5}))

    def values_and_gradients(engine, params, features):
        def of(observables):
            values, pull_back = jax.vjp(partial(engine.expectations, circuit, observables), params, features)
            return values, pull_back(jnp.ones_like(values))

        return of(wanted), of(wanted[:1])

    with jax.enable_x64(True):
        found, expected = (
            jax.jit(values_and_gradients, static_argnums=0)(engine, *operands(circuit, 1, 1, "float64"))
            for engine in (native, grid)
        )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-10), found, expected)


def test_sums_over_large_states_keep_their_digits():
    num_qubits = 22
    ops = [Op("ry", (q,), Angle(feature=0)) for q in range(num_qubits)]
    ops += [Op("cx", (0, 1)), Op("ry", (1,), Angle(feature=0))]
    circuit = Circuit(num_qubits, tuple(ops), 0, 1)
    wanted = (PauliSum("I"), PauliSum("Z0"), PauliSum(f"Z{num_qubits - 1}"), PauliSum("X2"))
    angle = 1.3
    params, features = jnp.zeros((1, 1, 0)), jnp.full((1, 1, 1), angle)
    values = native.expectations(circuit, wanted, params, features)
    expected = [1.0, np.cos(angle), np.cos(angle), np.sin(angle)]
    np.testing.assert_allclose(values[0, 0], expected, atol=2e-6)
    # Beside gradients values are summed on the way back, for Z strings and for others.
    for observable, value, slope in (
        (wanted[1], expected[1], -expected[3]),
        (wanted[3], expected[3], expected[1]),
    ):
        found = jax.value_and_grad(
            lambda x, o=observable: native.expectations(circuit, (o,), params, x).sum()
        )(features)
        np.testing.assert_allclose(found[0], value, atol=2e-6)
        np.testing.assert_allclose(found[1][0, 0, 0], slope, atol=4e-6)


def largest_difference(kind, num_qubits, batch, dtype):
    """The largest difference of values and gradients between the engines, on layers of coupled rotations."""
    rng = np.random.default_rng(len(kind))
    ops = [Op("ry", (q,), Angle(feature=q)) for q in range(num_qubits)]
    for layer in range(2 if num_qubits > 12 else 4):
        for q in range(num_qubits):
            ops += [Op(str(name), (q,), Angle(param=q)) for name in rng.permutation(["rx", "ry", "rz"])[:2]]
        pairs = [(q, (q + 1) % num_qubits) for q in range(num_qubits if kind == "ring" else num_qubits - 1)]
        ops += [Op("cx", pair if kind == "chain" else pair[::-1]) for pair in pairs]
        if kind == "mixed" and layer == 0:
            a, b, c, d = (int(q) for q in rng.permutation(num_qubits)[:4])
            ops += [Op("swap", (a, b)), Op("rxx", (b, c), Angle(param=a)), Op("rzz", (c, d), Angle(param=b))]
    circuit = Circuit(num_qubits, tuple(ops), num_qubits, num_qubits)
    last = f"Z{num_qubits - 1}"
    wanted = (
        (PauliSum(last),) if kind == "chain" else (PauliSum({last: 1.0, "Z0 Z3": 0.5}), PauliSum("X1 Y2"))
    )
    params, features = operands(circuit, 1, batch, dtype)
    differentiated = jax.value_and_grad(
        lambda p, x, e: e.expectations(circuit, wanted, p, x).sum(), argnums=(0, 1)
    )
    found, expected = (
        jax.jit(partial(differentiated, e=engine))(params, features) for engine in (native, grid)
    )
    alone = jax.jit(partial(native.expectations, circuit, wanted))(params, features)
    pairs = zip(jax.tree.leaves((found, alone.sum())), jax.tree.leaves((expected, expected[0])), strict=True)
    return worst(float(jnp.max(jnp.abs(ours - plain))) for ours, plain in pairs)


@pytest.mark.parametrize("kind", ["chain", "ring", "mixed"])
@pytest.mark.parametrize(
    ("num_qubits", "batch", "dtype"), [(18, 1, "float32"), (12, 16, "float32"), (12, 16, "float64")]
)
def test_a_state_that_goes_through_the_caches_in_tiles(kind, num_qubits, batch, dtype):
    """Small tiles as well: a dozen qubits with circuits enough to fill vectors."""
    with jax.enable_x64(dtype == "float64"):
        assert largest_difference(kind, num_qubits, batch, dtype) < (
            1e-10 if dtype == "float64" else 1e-5 * batch
        )


# A state has the more vectors, the narrower these are: with 17 qubits all are large, in double precision too.
@pytest.mark.parametrize("isa", library.available())
def test_every_instruction_set_in_tiles(isa):
    program = (
        "from tests.engine.test_native_large import largest_difference\n"
        "assert largest_difference('chain', 17, 1, 'float32') < 1e-5\n"
        "assert largest_difference('mixed', 17, 1, 'float64') < 1e-10\n"
    )
    run_on(isa, program)
