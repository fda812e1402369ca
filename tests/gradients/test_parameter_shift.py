"""Parameter-shift gradients: the rule, its agreement with exact gradients, its noise and its cost."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, PauliSum, Repeat, Simulator
from qjax.errors import ArgumentError
from qjax.gradients import Batch, Objective, Params, adjoint, parameter_shift, shift_rule
from qjax.gradients.occurrences import free_occurrences
from tests.circuits import random_circuit
from tests.engine.oracles import layered_circuit, nested_repeat, num_lines, random_pauli_sum

KEY = jax.random.key(0)
ONE_SAMPLE = Batch(jnp.zeros((1, 0)), jnp.zeros(1), jnp.ones(1))


def mean_loss(head, outputs, targets, weights):
    return jnp.sum(weights[:, None] * outputs) / jnp.sum(weights)


def squared_loss(head, outputs, targets, weights):
    return jnp.sum(weights * (outputs.sum(axis=1) - targets) ** 2) / jnp.sum(weights)


def check_gradients(circuit: Circuit, seed: int, linear: bool):
    """Parameter shift, the adjoint method, `jax.grad` and central differences agree."""
    rng = np.random.default_rng(seed)
    with jax.enable_x64(True):
        simulator = Simulator(dtype="complex128")
        observables = tuple(random_pauli_sum(rng, circuit.num_qubits) for _ in range(2))
        loss = mean_loss if linear else squared_loss
        objective = Objective(simulator, circuit, observables, loss, linear)
        params = Params(jnp.asarray(rng.normal(size=circuit.num_params)))
        batch = Batch(
            jnp.asarray(rng.normal(size=(2, circuit.num_features))),
            jnp.asarray(rng.normal(size=2)),
            jnp.asarray([0.5, 1.7]),
        )

        def value(theta):
            outputs = simulator.expectations(circuit, theta[None], batch.features, observables).mean[0]
            return loss((), outputs, batch.targets, batch.weights)

        steps = 1e-5 * jnp.concatenate([jnp.eye(circuit.num_params), -jnp.eye(circuit.num_params)])

        @jax.jit
        def compute(params):
            gradients = [
                method.estimate((), objective, params, batch, KEY)[0].circuit
                for method in (parameter_shift(), adjoint())
            ]
            return *gradients, jax.grad(value)(params.circuit), jax.vmap(value)(params.circuit + steps)

        shifted, reverse, expected, values = compute(params)
        np.testing.assert_allclose(shifted, expected, atol=1e-9)
        np.testing.assert_allclose(reverse, expected, atol=1e-12)
        values = values.reshape(2, -1)
        np.testing.assert_allclose(expected, (values[0] - values[1]) / 2e-5, atol=1e-7)


@given(
    seed=st.integers(0, 2**32 - 1),
    num_qubits=st.integers(1, 3),
    num_ops=st.integers(1, 8),
    linear=st.booleans(),
)
@settings(max_examples=5, deadline=None, derandomize=True)
def test_random_circuits_have_exact_gradients(seed, num_qubits, num_ops, linear):
    check_gradients(random_circuit(seed, num_qubits, num_ops), seed, linear)


@pytest.mark.long
@given(
    seed=st.integers(0, 2**32 - 1),
    num_qubits=st.integers(1, 4),
    num_ops=st.integers(1, 12),
    linear=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_many_random_circuits_have_exact_gradients(seed, num_qubits, num_ops, linear):
    check_gradients(random_circuit(seed, num_qubits, num_ops), seed, linear)


@pytest.mark.parametrize("reuploading", [False, True])
def test_shared_controlled_and_repeated_angles_have_exact_gradients(reuploading):
    # Where a parameter multiplies a feature all angles with features are freed; else features stay.
    feature = 0 if reuploading else None
    ops = (
        Op("ry", (0,), Angle(feature=1, scale=0.5)),
        Op("u3", (1,), [Angle(param=0, feature=feature), Angle(param=1), Angle(param=0, offset=0.3)]),
        Op("crx", (0, 1), Angle(param=1, feature=feature, scale=-0.8)),
        Repeat(
            (
                Op("rzz", (0, 1), Angle(param=2, scale=0.6)),
                Repeat((Op("ry", (1,), Angle(param=0)), Op("rx", (0,), Angle(feature=0))), 2, 1, 1),
                Op("cp", (1, 0), Angle(param=1, feature=feature)),
            ),
            times=2,
            param_stride=1,
            feature_stride=0,
        ),
    )
    check_gradients(Circuit(2, ops), 1, False)


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.long)]
)
def test_nested_repeats_of_random_gates_have_exact_gradients(seed):
    repeat = nested_repeat(np.random.default_rng(seed), 2)
    check_gradients(Circuit(2, (Op("h", (0,)), repeat), num_params=7, num_features=5), seed, True)


@given(circuit_seed=st.integers(0, 2**32 - 1), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_freed_circuits_have_the_same_angles(circuit_seed, seed):
    """The freed circuit at its slots' values has, gate by gate, the circuit's own angles."""
    circuit = random_circuit(circuit_seed, 3, 6)
    rng = np.random.default_rng(seed)
    params, features = rng.normal(size=circuit.num_params), rng.normal(size=(1, circuit.num_features))
    freed = free_occurrences(circuit)

    def values(circuit, params, features):
        def value(angle):
            if angle.is_constant:
                return angle.offset
            param = 1.0 if angle.param is None else params[angle.param]
            return (
                angle.scale * param * (1.0 if angle.feature is None else features[angle.feature])
                + angle.offset
            )

        return [value(angle) for op in circuit.unrolled() for angle in op.angles]

    with jax.enable_x64(True):
        free_params = np.asarray(freed.free_params(jnp.asarray(params)))
        free_features = np.asarray(freed.free_features(jnp.asarray(params), jnp.asarray(features)))
        slopes = np.asarray(freed.slopes(jnp.asarray(features)))
    np.testing.assert_allclose(
        values(freed.circuit, free_params, free_features[0]), values(circuit, params, features[0]), atol=1e-12
    )
    # Every trainable angle has a slot of its own, and moves with its parameter at the stated slope.
    slots = list(zip(freed.in_features.tolist(), freed.slots.tolist(), strict=True))
    assert len(set(slots)) == len(slots)
    for index, angle in enumerate(freed.trainable):
        change = angle.scale * (1.0 if angle.feature is None else features[0, angle.feature])
        np.testing.assert_allclose(slopes[0, index], change, atol=1e-12)


def test_the_rule_of_controlled_rotations():
    shifts, coefficients = shift_rule((-0.5, 0.0, 0.5))
    rule = dict(zip(np.round(shifts / np.pi, 6).tolist(), coefficients.tolist(), strict=True))
    expected = {0.5: 0.4267767, -0.5: -0.4267767, 1.5: -0.0732233, -1.5: 0.0732233}
    assert rule == pytest.approx(expected, abs=1e-7)


@given(
    count=st.integers(1, 8),
    base=st.integers(1, 80).map(lambda k: k / 8),  # multiples are exact
    point=st.floats(-5, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, derandomize=True)
def test_the_rule_is_exact_for_equidistant_frequencies(count, base, point, seed):
    rng = np.random.default_rng(seed)
    frequencies = base * np.arange(1, count + 1)
    cosines, sines = rng.normal(size=(2, count))

    def function(x):
        return (
            0.7
            + np.cos(np.multiply.outer(x, frequencies)) @ cosines
            + np.sin(np.multiply.outer(x, frequencies)) @ sines
        )

    exact = np.cos(frequencies * point) @ (frequencies * sines) - np.sin(frequencies * point) @ (
        frequencies * cosines
    )
    # Eigenvalues 0, base, ..., count * base in any order, some twice.
    spectrum = tuple(rng.permutation(np.append(base * np.arange(count + 1), base)))
    shifts, coefficients = shift_rule(spectrum)
    assert len(shifts) == 2 * count
    np.testing.assert_allclose(coefficients @ function(point + shifts), exact, atol=1e-9 * base * count**2)


@pytest.mark.parametrize("spectrum", [(0.0, 1.0, 2.5), (-1.0, 0.3, 1.0)])
def test_other_frequencies_are_refused(spectrum):
    with pytest.raises(ArgumentError, match=r"^Argument `spectrum` must .+, but .+\. .+\.$"):
        shift_rule(spectrum)


def test_a_shared_parameter_is_not_shifted_as_one():
    # cos(2 theta): the two-term rule on the parameter itself sees a function of another frequency.
    theta, shared = np.arcsin(0.5425) / 2, Angle(param=0)
    circuit = Circuit(1, (Op("rx", (0,), shared), Op("rx", (0,), shared)))

    def value(theta):
        return Simulator().expectations(circuit, jnp.array([[theta]]), None, PauliSum("Z0")).mean.item()

    naive = (value(theta + np.pi / 2) - value(theta - np.pi / 2)) / 2
    objective = Objective(Simulator(), circuit, (PauliSum("Z0"),), mean_loss, True)
    gradient, _, info = parameter_shift().estimate((), objective, Params(jnp.array([theta])), ONE_SAMPLE, KEY)
    assert abs(naive) < 1e-6
    assert gradient.circuit[0] == pytest.approx(-1.085, abs=1e-5)
    assert int(info.circuits) == 4


@pytest.mark.parametrize("theta", [0.0, 0.7, 1.5])
def test_the_noise_of_shots_is_the_derived_one(theta):
    """RX then Z: the derivative is -sin(theta), its variance with N shots a term cos(theta)^2 / (2 N)."""
    num_shots, num_keys = 50, 4000
    circuit = Circuit(1, (Op("rx", (0,), Angle(param=0)),))
    objective = Objective(Simulator(shots=num_shots), circuit, (PauliSum("Z0"),), mean_loss, True)
    params = Params(jnp.array([theta]))

    @jax.jit
    @jax.vmap
    def gradient(key):
        return parameter_shift().estimate((), objective, params, ONE_SAMPLE, key)[0].circuit[0]

    samples = np.asarray(gradient(jax.random.split(KEY, num_keys))).astype(float)
    variance = np.cos(theta) ** 2 / (2 * num_shots)
    assert abs(samples.mean() + np.sin(theta)) < 4 * np.sqrt(variance / num_keys)
    squares = (samples - samples.mean()) ** 2
    assert abs(squares.mean() - variance) < 4 * squares.std() / np.sqrt(num_keys)


def model_48() -> Circuit:
    """8 qubits, depth 2: RX, RY, RZ on every qubit and a chain of CX; 48 parameters, angle encoding."""
    body = tuple(
        Op(gate, (q,), Angle(param=3 * q + k)) for q in range(8) for k, gate in enumerate(("rx", "ry", "rz"))
    )
    chain = tuple(Op("cx", (q, q + 1)) for q in range(7))
    encoding = tuple(Op("ry", (q,), Angle(feature=q)) for q in range(8))
    return Circuit(8, (*encoding, Repeat(body + chain, 2, 24)))


@pytest.mark.parametrize(("linear", "circuits"), [(True, 960), (False, 970)])
def test_the_model_of_48_parameters_takes_960_circuits_in_one_job(linear, circuits):
    batch = Batch(jnp.ones((10, 8)) * jnp.linspace(0, 1, 10)[:, None], jnp.zeros(10), jnp.ones(10))
    loss = mean_loss if linear else squared_loss
    objective = Objective(Simulator(), model_48(), (PauliSum("Z0"),), loss, linear)
    params = Params(jnp.linspace(-1, 1, 48))
    gradient, _, info = jax.jit(lambda: parameter_shift().estimate((), objective, params, batch, KEY))()
    assert params.circuit.size == objective.circuit.num_params == 48
    assert (int(info.circuits), int(info.jobs)) == (circuits, 1)
    assert bool(info.at_params) is not linear
    exact = jax.jit(lambda: adjoint().estimate((), objective, params, batch, KEY))()[0]
    np.testing.assert_allclose(gradient.circuit, exact.circuit, atol=2e-5)


@pytest.mark.parametrize("linear", [True, False])
def test_a_circuit_without_trainable_angles_has_a_zero_gradient(linear):
    circuit = Circuit(1, (Op("h", (0,)),), num_params=2)
    loss = mean_loss if linear else squared_loss
    objective = Objective(Simulator(), circuit, (PauliSum("X0"),), loss, linear)
    gradient, _, info = parameter_shift().estimate((), objective, Params(jnp.ones(2)), ONE_SAMPLE, KEY)
    assert not np.any(gradient.circuit)
    assert info.loss == pytest.approx(1.0, abs=1e-6)


def test_the_compiled_program_does_not_grow_with_depth():
    def lines(num_layers):
        circuit = layered_circuit(2, num_layers)
        objective = Objective(Simulator(), circuit, (PauliSum("Z0"),), squared_loss)
        batch = Batch(jnp.ones((3, 2)), jnp.ones(3), jnp.ones(3))

        def gradient(theta):
            return parameter_shift().estimate((), objective, Params(theta), batch, KEY)[0].circuit

        return num_lines(gradient, jnp.zeros(circuit.num_params))

    assert lines(2) == lines(64)
