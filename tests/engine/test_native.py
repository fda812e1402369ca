"""The native engine gives the numbers of the plain-JAX engine, for every gate and transformation."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, PauliSum, Repeat, Simulator, gates
from qjax.engine import grid, native
from qjax.engine.native import library, primitives
from qjax.engine.native.lowering import lower_to_table
from qjax.errors import ArgumentError
from tests.circuits import random_circuit, random_op

pytestmark = pytest.mark.skipif(not library.available(), reason="the native engine is not built")

TOLERANCES = {"float32": 1e-5, "float64": 1e-10}


def observables(num_qubits):
    last = num_qubits - 1
    mixed = " ".join(f"{'XYZ'[q % 3]}{q}" for q in range(num_qubits))
    return (
        PauliSum("Z0"),
        PauliSum({f"Z{last}": 1.0, "Y0": 0.3, "I": 0.25}),
        PauliSum({mixed: 1.0, f"X{last}": -0.5}),
    )


def every_gate(num_qubits):
    """Each gate of the table in turn between entangling layers, in a circuit of one sweep."""
    rng = np.random.default_rng(num_qubits)
    names = [name for name, row in gates.GATES.items() if (row.num_qubits or 1) <= num_qubits]
    ops = [Op("ry", (q,), Angle(param=0, scale=0.3 + q, offset=0.4)) for q in range(num_qubits)]
    for name in names:
        ops.append(random_op(rng, num_qubits, 3, 2, name))
        ops.append(Op("u3", (int(rng.integers(num_qubits)),), tuple(rng.normal(size=3))))
        if num_qubits > 1:
            ops.append(Op("cx", tuple(int(q) for q in rng.permutation(num_qubits)[:2])))
    return Circuit(num_qubits, tuple(ops), 3, 2)


def operands(circuit, num_sets, num_samples, dtype, seed=0):
    rng = np.random.default_rng(seed)
    params = rng.normal(size=(num_sets, 1, circuit.num_params))
    features = rng.normal(size=(1, num_samples, circuit.num_features))
    return jnp.asarray(params, dtype), jnp.asarray(features, dtype)


def difference(circuit, num_sets, num_samples, dtype):
    """The largest difference of values and gradients between the engines, relative to the largest entry.

    Of all observables together, and of one alone, which the kernel differentiates in another way.
    """
    params, features = operands(circuit, num_sets, num_samples, dtype)
    wanted = observables(circuit.num_qubits)
    alone = num_samples % 3
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(num_sets, num_samples, 3)), dtype)
    masked = weights * jnp.zeros(3, dtype).at[alone].set(1)

    @jax.jit
    def ours(params, features):
        values, pull_back = jax.vjp(partial(native.expectations, circuit, wanted), params, features)
        one = (wanted[alone],)
        value, pull_one_back = jax.vjp(partial(native.expectations, circuit, one), params, features)
        gradients = pull_back(weights), pull_one_back(weights[..., alone : alone + 1])
        return values, value, jax.tree.map(lambda *two: jnp.stack(two), *gradients)

    @jax.jit
    def plain(params, features):
        values, pull_back = jax.vjp(partial(grid.expectations, circuit, wanted), params, features)
        return values, values[..., alone : alone + 1], jax.vmap(pull_back)(jnp.stack([weights, masked]))

    found, expected = (jax.tree.leaves(both(params, features)) for both in (ours, plain))
    return worst(
        float(jnp.max(jnp.abs(a - b)) / max(1.0, float(jnp.max(jnp.abs(b)))))
        for a, b in zip(found, expected, strict=True)
        if a.size
    )


def worst(differences):
    """The largest of some differences; NaN if one is, which `max` would pass over."""
    return float(np.max(list(differences)))


# One circuit, a vector that two parameter sets share, several vectors, and a circuit spread over the lanes.
@pytest.mark.parametrize(
    ("num_qubits", "num_sets", "num_samples", "dtype"),
    [(1, 2, 3, "float64"), (3, 3, 17, "float64"), (3, 2, 9, "float32"), (5, 1, 1, "float64")],
)
def test_every_gate(num_qubits, num_sets, num_samples, dtype):
    with jax.enable_x64(dtype == "float64"):
        assert difference(every_gate(num_qubits), num_sets, num_samples, dtype) < TOLERANCES[dtype]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4), st.integers(1, 20))
def test_random_circuits_with_loops(seed, num_qubits, num_sets, num_samples):
    with jax.enable_x64(True):
        circuit = random_circuit(seed, num_qubits, 10)
        assert difference(circuit, num_sets, num_samples, "float64") < TOLERANCES["float64"]


def test_large_angles():
    circuit = Circuit(2, tuple(Op(name, (q,), Angle(param=q)) for q in (0, 1) for name in ("rx", "ry", "rz")))
    params = jnp.asarray(np.random.default_rng(0).uniform(-1000, 1000, (50, 1, 2)), jnp.float32)
    function = jax.jit(
        lambda engine, p: engine.expectations(circuit, observables(2), p, jnp.zeros((1, 1, 0))),
        static_argnums=0,
    )
    np.testing.assert_allclose(function(native, params), function(grid, params), rtol=0, atol=1e-5)


def test_a_loop_is_its_unrolled_circuit():
    body = (Op("rx", (0,), Angle(param=0)), Op("cx", (0, 1)), Op("ry", (1,), Angle(param=1, feature=0)))
    rolled = Circuit(2, (Repeat(body, 40, 2, 1),))
    unrolled = Circuit(2, tuple(rolled.unrolled()))
    with jax.enable_x64(True):
        values = [
            native.expectations(circuit, observables(2), *operands(rolled, 2, 3, "float64"))
            for circuit in (rolled, unrolled)
        ]
    np.testing.assert_allclose(*values, rtol=0, atol=1e-12)
    assert lower_to_table(rolled, observables(2)).words.size < 100


CIRCUIT = random_circuit(3, 4, 14)
WANTED = (PauliSum("Z0"), PauliSum({"X0 Y1": 0.4, "Z2 Z3": 1.0}))


def transformations(engine, wanted):
    """Every transformation of the engine, as functions of params `[3, P]` and features `[3, F]`."""

    def values(p, x):
        return engine.expectations(CIRCUIT, wanted, p, x)

    def energy(p, x):
        return jnp.sin(values(p, x) @ jnp.array([0.7, -1.2])[: len(wanted)])

    gradient = jax.grad(energy, (0, 1))

    def mapped(p, x):
        return jax.vmap(energy, (None, 0))(p, x).sum()

    return {
        "vmap over params": lambda p, x: jax.vmap(values, (0, None))(p, x[0]),
        "vmap over features": lambda p, x: jax.vmap(values, (None, 0))(p[0], x),
        "vmap over both": lambda p, x: jax.vmap(values)(p, x),
        "nested vmap": lambda p, x: jax.vmap(jax.vmap(values, (None, 0)), (0, None))(p, x),
        "grad": lambda p, x: gradient(p[0], x[0]),
        "jacrev": lambda p, x: jax.jacrev(values, (0, 1))(p[0], x[0]),
        "vmap of grad": lambda p, x: jax.vmap(gradient, (0, None))(p, x[0]),
        "nested vmap of grad": lambda p, x: jax.vmap(jax.vmap(gradient, (None, 0)), (0, None))(p, x),
        "grad of vmap": lambda p, x: jax.grad(mapped, (0, 1))(p[0], x),
        "grad of checkpoint": lambda p, x: jax.grad(jax.checkpoint(energy))(p[0], x[0]),
        "scan of grad": lambda p, x: jax.lax.scan(
            lambda c, s: (c - 0.1 * gradient(c, s)[0], energy(c, s)), p[0], x
        ),
        "grad of scan": lambda p, x: jax.grad(
            lambda c: jax.lax.scan(lambda t, s: (t + energy(c, s), None), 0.0, x)[0]
        )(p[0]),
        "map": lambda p, x: jax.lax.map(lambda s: values(p[0], s), x),
        "jvp": lambda p, x: jax.jvp(values, (p[0], x[0]), (p[1], x[1])),
        "value and grad of vmap": lambda p, x: jax.value_and_grad(mapped, 1)(p[0], x),
        "jacfwd": lambda p, x: jax.jacfwd(values, (0, 1))(p[0], x[0]),
        "hessian": lambda p, x: jax.hessian(energy, (0, 1))(p[0], x[0]),
    }


NAMES = list(transformations(native, WANTED))
VALUES_ONLY = ("vmap over params", "vmap over features", "vmap over both", "nested vmap", "map")


# One observable alone is differentiated in another way.
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        *(pytest.param(name, WANTED, id=f"{name}, two observables") for name in NAMES),
        *(pytest.param(n, WANTED[1:], id=f"{n}, one observable") for n in NAMES if n not in VALUES_ONLY),
    ],
)
def test_transformations(name, wanted):
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        params = jnp.asarray(rng.normal(size=(3, CIRCUIT.num_params)))
        features = jnp.asarray(rng.normal(size=(3, CIRCUIT.num_features)))
        found, expected = (
            jax.jit(transformations(engine, wanted)[name])(params, features) for engine in (native, grid)
        )
        jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-10), found, expected)


def test_few_slopes_are_kept_and_many_are_summed_in_the_kernel(monkeypatch):
    circuit = random_circuit(5, 4, 14)

    def gradients(limit):
        monkeypatch.setattr(primitives, "MAX_SLOPES", limit)

        def total(params, features):  # a new one, as the limit counts while it is traced
            return jnp.sum(jnp.sin(native.expectations(circuit, WANTED[1:], params, features)))

        both = operands(circuit, 2, 9, "float64")
        program = str(jax.make_jaxpr(jax.grad(total, (0, 1)))(*both))
        used = [name for name in ("qjax_differentiate", "qjax_pull_back") if name in program]
        return used, jax.jit(jax.value_and_grad(total, (0, 1)))(*both)

    num_slopes = 2 * 9 * (circuit.num_params + circuit.num_features)
    with jax.enable_x64(True):
        kept, found = gradients(num_slopes)
        summed, expected = gradients(num_slopes - 1)
    assert (kept, summed) == (["qjax_differentiate"], ["qjax_pull_back"])
    jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-12), found, expected)


def test_slopes_that_nobody_reads_are_not_computed():
    def value(params):
        return jnp.sum(native.expectations(CIRCUIT, WANTED[:1], params, jnp.zeros((1, CIRCUIT.num_features))))

    def value_alone(params):
        return jax.vjp(value, params)[0]

    params = jnp.ones((1, CIRCUIT.num_params))
    program = jax.jit(value_alone).lower(params).as_text()
    assert library.target_name("evaluate") in program
    assert library.target_name("differentiate") not in program
    assert library.target_name("differentiate") in jax.jit(jax.grad(value)).lower(params).as_text()
    np.testing.assert_allclose(jax.jit(value_alone)(params), value(params), rtol=1e-6)


@pytest.mark.parametrize("string", ["Z0", "Y0 X1"])
def test_what_no_gate_takes_has_zero_gradients_beside_the_value(string):
    circuit = Circuit(3, (Op("rx", (0,), Angle(param=0)), Op("cx", (0, 1))), 1, 2)
    observable = (PauliSum(string),)
    params, features = jnp.full((1, 1, 1), 0.6), jnp.ones((1, 4, 2))
    value, gradient = jax.value_and_grad(lambda x: native.expectations(circuit, observable, params, x).sum())(
        features
    )
    expected = 4 * np.cos(0.6) if string == "Z0" else -4 * np.sin(0.6)
    np.testing.assert_allclose(value, expected, atol=1e-5)
    np.testing.assert_array_equal(gradient, np.zeros((1, 4, 2)))


def test_forced_engines_agree_in_the_simulator():
    circuit = every_gate(3)
    params, features = (
        np.random.default_rng(0).normal(size=(2, 3)),
        np.random.default_rng(1).normal(size=(2, 5, 2)),
    )
    found, expected = (
        Simulator(engine=engine).expectations(circuit, params, features, observables(3)).mean
        for engine in ("native", "xla")
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_program_for_another_platform_holds_no_native_call():
    def values(params, features):
        return Simulator(engine="native").expectations(CIRCUIT, params, features, WANTED).mean

    shapes = (
        jax.ShapeDtypeStruct((2, CIRCUIT.num_params), jnp.float32),
        jax.ShapeDtypeStruct((3, CIRCUIT.num_features), jnp.float32),
    )
    for platform, is_native in (("cpu", True), ("cuda", False)):
        exported = jax.export.export(
            jax.jit(values),
            platforms=[platform],
            disabled_checks=[jax.export.DisabledSafetyCheck.custom_call(library.target_name("evaluate"))],
        )(*shapes)
        assert (library.target_name("evaluate") in exported.mlir_module()) == is_native


def test_empty_batches_have_empty_values_and_zero_gradients():
    params, features = operands(CIRCUIT, 2, 0, "float32")
    assert native.expectations(CIRCUIT, WANTED, params, features).shape == (2, 0, 2)
    for wanted in (WANTED, WANTED[1:]):
        gradient = jax.grad(lambda p, w=wanted: native.expectations(CIRCUIT, w, p, features).sum())(params)
        np.testing.assert_array_equal(gradient, np.zeros_like(params))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_angle_that_is_no_number_gives_nan_for_its_circuit_alone(bad):
    params, features = operands(every_gate(3), 3, 2, "float32")
    values = native.expectations(every_gate(3), observables(3), params.at[1].set(bad), features)
    assert np.isnan(values[1, :, 2]).all()
    assert not np.isnan(values[np.array([0, 2])]).any()
    gradient = jax.grad(lambda p: native.expectations(every_gate(3), observables(3)[2:], p, features).sum())(
        params.at[1].set(bad)
    )
    assert np.isnan(gradient[1]).all()
    assert not np.isnan(gradient[np.array([0, 2])]).any()


def test_gradients_are_the_same_in_every_run():
    circuit = every_gate(6)
    params, features = operands(circuit, 1, 200, "float32")
    for wanted in (observables(6), observables(6)[:1]):
        function = partial(native.expectations, circuit, wanted)
        gradient = jax.jit(jax.grad(lambda p, f=function: f(p, features).sum()))
        first = np.asarray(gradient(params))
        for _ in range(10):
            np.testing.assert_array_equal(gradient(params), first)


def test_an_engine_that_is_absent_is_named_with_its_cure(monkeypatch, tmp_path):
    monkeypatch.setattr(library, "_LIBRARIES", tmp_path)
    library.available.cache_clear()
    library.load.cache_clear()
    try:
        assert native.isa() is None
        with pytest.raises(ArgumentError, match=r"compiler.*pip install"):
            Simulator(engine="native")
        estimate = Simulator().expectations(
            Circuit(1, (Op("x", (0,)),)), jnp.zeros((1, 0)), None, PauliSum("Z0")
        )
        assert estimate.mean.item() == -1.0
    finally:
        library.available.cache_clear()
        library.load.cache_clear()


@pytest.mark.parametrize("isa", library.available())
def test_every_instruction_set(isa):
    program = (
        "from tests.circuits import random_circuit\n"
        "from tests.engine.test_native import TOLERANCES, difference\n"
        "for dtype in TOLERANCES:\n"
        "    for num_qubits, num_samples in ((4, 9), (6, 1)):\n"
        "        circuit = random_circuit(1, num_qubits, 12)\n"
        "        assert difference(circuit, 1, num_samples, dtype) < TOLERANCES[dtype]\n"
    )
    run_on(isa, program)


def run_on(isa, program):
    """Runs a program in double precision in a process of its own, on one instruction set."""
    begin = (
        "import jax; jax.config.update('jax_enable_x64', True)\n"
        "from qjax.engine import native\n"
        f"assert native.isa() == {isa!r}\n"
    )
    environment = os.environ | {library.ISA_VARIABLE: isa}
    subprocess.run([sys.executable, "-c", begin + program], env=environment, check=True, timeout=300)


def check_table(words, constants):
    """What the decoder says of a table; empty where it is well-formed."""
    words, constants = np.ascontiguousarray(words, np.int32), np.ascontiguousarray(constants, np.float64)
    message = ctypes.create_string_buffer(200)
    native.load().handle.qjax_check_table(
        ctypes.c_void_p(words.ctypes.data),
        ctypes.c_size_t(words.size),
        ctypes.c_void_p(constants.ctypes.data),
        ctypes.c_size_t(constants.size),
        message,
        ctypes.c_size_t(len(message)),
    )
    return message.value.decode()


def test_a_malformed_table_gives_an_error():
    table = lower_to_table(random_circuit(1, 4, 12), observables(4))
    assert check_table(table.words, table.constants) == ""
    rng = np.random.default_rng(0)
    for length in range(table.words.size):
        assert check_table(table.words[:length], table.constants) != ""
    rejected = 0
    for _ in range(3000):
        words = table.words.copy()
        for place in rng.integers(words.size, size=rng.integers(1, 4)):
            words[place] = rng.choice([-1, 0, 1, 7, 31, 2**31 - 1, -(2**31), int(rng.integers(-50, 50))])
        rejected += check_table(words, table.constants[: rng.integers(1, table.constants.size + 1)]) != ""
    assert rejected > 1000


@pytest.mark.parametrize("cosine", [1e-7, 1e-3, 1 / 60, 1 / 15])
def test_gradients_hold_where_every_gate_is_nearly_half_a_turn(cosine):
    """Of ten gates at once, and with observables large enough to leave single precision little room."""
    num_qubits = 10
    ring = [Op("cx", (q, (q + 1) % num_qubits)) for q in range(num_qubits)]
    layers = [[Op("ry", (q,), Angle(param=k * num_qubits + q)) for q in range(num_qubits)] for k in range(3)]
    circuit = Circuit(num_qubits, (*layers[0], *ring, *layers[1], *ring, *layers[2]))
    large = 1e8
    wanted = (PauliSum({"Z0": large, "X1 X2": large}),)
    rng = np.random.default_rng(0)
    steep = np.full(num_qubits, 2 * np.arccos(cosine))
    params = np.concatenate([rng.uniform(-1, 1, num_qubits), steep, rng.uniform(-1, 1, num_qubits)])
    ours, plain = (
        jax.jit(jax.grad(lambda p, e=engine: e.expectations(circuit, wanted, p, jnp.zeros((1, 0))).sum()))(
            jnp.asarray(params[None], jnp.float32)
        )
        for engine in (native, grid)
    )
    np.testing.assert_allclose(ours / large, plain / large, atol=5e-6)
