"""The simulator's surface: precision, counting, keys, bit order, and what it refuses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qjax import Angle, Circuit, Op, PauliSum, Simulator
from qjax.errors import ArgumentError

CIRCUIT = Circuit(
    2,
    (
        *(Op("rx", (q,), Angle(feature=q)) for q in range(2)),
        Op("cx", (0, 1)),
        *(Op("ry", (q,), Angle(param=q)) for q in range(2)),
    ),
)
PARAMS = np.array([[0.3, -0.8], [1.2, 0.4], [0.0, 2.0]])
FEATURES = np.array([[0.1, 0.7], [-0.5, 1.5]])
Z = PauliSum("Z0")
KEY = jax.random.key(0)
MESSAGE = r"^Argument `{}` must .+, but .+\. [A-Z].+"


@pytest.mark.parametrize(
    ("dtype", "x64", "inputs"),
    [
        ("complex64", False, np.float64),
        ("complex64", True, np.int32),
        ("complex128", True, np.float32),
    ],
)
def test_precision_is_the_one_asked_for(dtype, x64, inputs):
    real = "float64" if dtype == "complex128" else "float32"
    params, features = PARAMS.astype(inputs), FEATURES.astype(inputs)
    with jax.enable_x64(x64):
        for shots in (None, 5):
            estimate = Simulator(dtype=dtype, shots=shots).expectations(
                CIRCUIT, params, features, Z, key=jax.random.key(0), covariance=True
            )
            assert {a.dtype.name for a in jax.tree.leaves(estimate)} == {real, "int32"}
            assert estimate.circuits.dtype == estimate.jobs.dtype == "int32"
            assert estimate.covariance is not None
        simulator = Simulator(dtype=dtype, shots=5)
        assert simulator.statevector(CIRCUIT, params, features).dtype == dtype
        assert simulator.probabilities(CIRCUIT, params, features).dtype == real
        assert simulator.samples(CIRCUIT, params, features, key=jax.random.key(0)).dtype == "uint8"


def test_double_precision_is_not_given_up_silently():
    simulator = Simulator(dtype="complex128", shots=3)
    calls = (
        lambda: simulator.expectations(CIRCUIT, PARAMS, FEATURES, Z, key=KEY),
        lambda: Simulator(dtype="complex128").expectations(CIRCUIT, PARAMS, FEATURES, Z),
        lambda: simulator.statevector(CIRCUIT, PARAMS, FEATURES),
        lambda: simulator.probabilities(CIRCUIT, PARAMS, FEATURES),
        lambda: simulator.samples(CIRCUIT, PARAMS, FEATURES, key=KEY),
    )
    for call in calls:
        with pytest.raises(ArgumentError, match=MESSAGE.format("dtype")) as caught:
            call()
        assert "jax_enable_x64" in str(caught.value)


def test_double_precision_reaches_the_last_digits():
    circuit = Circuit(1, (Op("ry", (0,), Angle(param=0)),))
    theta = np.array([[0.1234567890123]])
    with jax.enable_x64(True):
        estimate = Simulator(dtype="complex128").expectations(circuit, theta, None, Z)
        np.testing.assert_allclose(estimate.mean[0, 0, 0], np.cos(theta[0, 0]), rtol=1e-15)


@pytest.mark.parametrize(
    ("shots", "observables", "bases"),
    [(None, [Z, PauliSum("X0")], 1), (7, [Z, PauliSum("Z1")], 1), (7, [Z, PauliSum({"X0": 1, "Y0": 1})], 3)],
)
@pytest.mark.parametrize(
    ("mask", "real"), [(None, 6), ([True, False], 3), ([[1, 1], [0, 1], [0, 0]], 3), ([False, False], 0)]
)
def test_circuits_and_jobs_are_counted(shots, observables, bases, mask, real):
    mask = None if mask is None else jnp.array(mask, bool)
    estimate = Simulator(shots=shots).expectations(CIRCUIT, PARAMS, FEATURES, observables, key=KEY, mask=mask)
    assert (int(estimate.circuits), int(estimate.jobs)) == (bases * real, 1 if real else 0)


def test_an_identity_needs_no_measurement():
    estimate = Simulator(shots=10).expectations(CIRCUIT, PARAMS, FEATURES, PauliSum({"I": -2.0}), key=KEY)
    assert np.all(np.asarray(estimate.mean) == -2.0)
    assert not np.any(estimate.variance)
    assert int(estimate.circuits) == 0


def test_equal_keys_give_equal_counts_and_others_do_not():
    simulator = Simulator(shots=1000)

    def mean(key):
        return np.asarray(simulator.expectations(CIRCUIT, PARAMS, FEATURES, Z, key=key).mean)

    first = mean(jax.random.key(1))
    np.testing.assert_array_equal(first, mean(jax.random.key(1)))
    np.testing.assert_array_equal(first, mean(jax.random.PRNGKey(1)))
    np.testing.assert_array_equal(first, mean(jax.random.split(jax.random.key(1), (3, 2))))
    assert np.any(first != mean(jax.random.key(2)))
    # Circuits of one batch do not share their noise.
    alike = simulator.expectations(CIRCUIT, PARAMS[[0] * 20], FEATURES[[0] * 20], Z, key=KEY).mean
    assert len(np.unique(alike)) > 20


def test_samples_come_qubit_by_qubit_from_the_first():
    # One circuit prepares every basis state: a feature of one turns its qubit over.
    circuit = Circuit(4, tuple(Op("rx", (q,), Angle(feature=q, scale=np.pi)) for q in range(4)))
    states = np.array(list(np.ndindex(2, 2, 2, 2)))
    bits = Simulator(shots=3).samples(circuit, np.zeros((2, 0)), states.astype(float), key=KEY)
    assert bits.shape == (2, 16, 3, 4)
    np.testing.assert_array_equal(bits, np.broadcast_to(states[None, :, None], bits.shape))
    probabilities = Simulator().probabilities(circuit, np.zeros((1, 0)), states.astype(float))[0]
    np.testing.assert_allclose(probabilities, np.eye(16), atol=1e-6)


def test_samples_have_the_statistics_of_the_expectations():
    num_shots = 4000
    simulator = Simulator(shots=num_shots)
    bits = np.asarray(simulator.samples(CIRCUIT, PARAMS, FEATURES, key=KEY)).astype(float)
    signs = 1 - 2 * bits
    ours = np.stack([signs[..., 0].mean(-1), signs[..., 1].mean(-1), signs.prod(-1).mean(-1)], axis=-1)
    observables = [Z, PauliSum("Z1"), PauliSum("Z0 Z1")]
    exact = np.asarray(Simulator().expectations(CIRCUIT, PARAMS, FEATURES, observables).mean)
    assert np.all(np.abs(ours - exact) < 4.5 * np.sqrt((1 - exact**2) / num_shots) + 1e-6)


def test_shots_refuse_to_be_differentiated():
    def energy(params):
        return Simulator(shots=10).expectations(CIRCUIT, params, FEATURES, Z, key=KEY).mean.sum()

    params = jnp.asarray(PARAMS, jnp.float32)
    transformations = (
        jax.grad(energy),
        jax.jacfwd(energy),
        jax.jit(jax.grad(energy)),
        jax.grad(jax.jit(energy)),
        jax.vmap(jax.grad(lambda p: energy(p[None]))),
    )
    for transformed in transformations:
        with pytest.raises(ArgumentError, match=MESSAGE.format("shots")) as caught:
            transformed(params)
        assert "spsa" in str(caught.value)
        assert "parameter_shift" in str(caught.value)


def test_an_empty_batch_has_empty_results():
    for num_sets, num_samples in ((0, 2), (2, 0)):
        for shots in (None, 4):
            estimate = Simulator(shots=shots).expectations(
                CIRCUIT, np.zeros((num_sets, 2)), np.zeros((num_samples, 2)), [Z, Z], key=KEY
            )
            assert estimate.mean.shape == (num_sets, num_samples, 2)
            assert int(estimate.circuits) == 0


def call(**changes):
    arguments = {"params": PARAMS, "features": FEATURES, "observables": Z, "key": KEY} | changes
    shots = arguments.pop("shots", 10)
    return Simulator(shots=shots).expectations(CIRCUIT, **arguments)


@pytest.mark.parametrize(
    ("argument", "bad"),
    [
        ("params", lambda: call(params=PARAMS[0])),
        ("params", lambda: call(params=PARAMS[:, :1])),
        ("params", lambda: call(params=PARAMS.astype(complex))),
        ("params", lambda: call(params=PARAMS > 0)),
        ("features", lambda: call(features=None)),
        ("features", lambda: call(features=FEATURES[0])),
        ("features", lambda: call(features=FEATURES[:, :1])),
        ("features", lambda: call(features=FEATURES[None])),
        ("features", lambda: call(features=FEATURES.astype(complex))),
        ("observables", lambda: call(observables=PauliSum("Z2"))),
        ("observables", lambda: call(observables=[])),
        ("observables", lambda: call(observables=["Z0"])),
        ("key", lambda: call(key=None)),
        ("key", lambda: call(key=0)),
        ("key", lambda: call(key=np.zeros(3))),
        ("key", lambda: call(key=jax.random.split(KEY, 6))),
        ("key", lambda: call(key=jax.random.split(KEY, (2, 3)))),
        ("mask", lambda: call(mask=np.ones(3, bool))),
        ("mask", lambda: call(mask=np.ones((2, 3), bool))),
        ("shots", lambda: call(shots=(10, 10))),
        ("shots", lambda: call(shots=0)),
        ("shots", lambda: call(shots=-5)),
        ("shots", lambda: call(shots=True)),
        ("shots", lambda: call(shots=10.0)),
        ("shots", lambda: call(shots="10")),
        ("shots", lambda: call(shots=[10, 10, 10])),
        ("shots", lambda: call(shots=())),
        ("shots", lambda: call(shots=(10, 0, 10))),
        ("shots", lambda: Simulator().samples(CIRCUIT, PARAMS, FEATURES, key=KEY)),
        ("shots", lambda: Simulator(shots=(1, 2, 3)).samples(CIRCUIT, PARAMS, FEATURES, key=KEY)),
        ("key", lambda: Simulator(shots=2).samples(CIRCUIT, PARAMS, FEATURES)),
        ("engine", lambda: Simulator(engine="cuda")),  # pyright: ignore[reportArgumentType]
        ("dtype", lambda: Simulator(dtype="float32")),  # pyright: ignore[reportArgumentType]
        ("params", lambda: Simulator().statevector(CIRCUIT, PARAMS[0], FEATURES)),
        ("features", lambda: Simulator().probabilities(CIRCUIT, PARAMS)),
    ],
)
def test_bad_input_is_refused_with_cause_and_cure(argument, bad):
    with pytest.raises(ArgumentError, match=MESSAGE.format(argument)) as caught:
        bad()
    assert caught.value.argument == argument


def test_shots_may_be_numpy_integers():
    ours = Simulator(shots=np.int64(5))  # pyright: ignore[reportArgumentType]
    assert ours == Simulator(shots=5)
    assert ours.samples(CIRCUIT, PARAMS, FEATURES, key=KEY).shape == (3, 2, 5, 2)
