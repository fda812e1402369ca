"""Encodings prepare the states that their formulas say, for every number of features."""

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Circuit, PauliSum, Simulator
from qjax.ansatz import ENCODINGS, TOPOLOGIES, Encoding, amplitude, angle, check_features, identity, iqp, none
from qjax.circuit import Repeat
from qjax.errors import ArgumentError
from tests.ansatz.states import encode, encode_jacobian, encoded_state
from tests.circuits import cirq_state

seeds = st.integers(0, 2**32 - 1)
TAKING_FEATURES = {
    **{f"angle {rotation}": angle(rotation) for rotation in ("rx", "ry", "rz")},
    **{f"iqp {topology}": iqp(2, topology) for topology in TOPOLOGIES},
    "amplitude": amplitude(),
}
encodings = pytest.mark.parametrize("encoding", TAKING_FEATURES.values(), ids=TAKING_FEATURES.keys())


def pennylane_state(num_qubits, operations):
    @qml.qnode(qml.device("default.qubit", wires=num_qubits))
    def circuit():
        operations()
        return qml.state()

    return np.asarray(circuit())


def cyclic(features, num_qubits):
    return np.resize(features, num_qubits)


@encodings
@given(num_qubits=st.integers(1, 3), seed=seeds, data=st.data())
@settings(max_examples=8, deadline=None)
def test_declared_sizes_hold_and_every_feature_changes_the_state(encoding, num_qubits, seed, data):
    num_features = data.draw(st.integers(1, encoding.max_features(num_qubits)))
    features = np.random.default_rng(seed).uniform(0.2, 1.0, num_features)
    encoded = encode(encoding, num_qubits, features)
    assert encoded.shape == (encoding.num_encoded(num_qubits),)
    circuit = Circuit(num_qubits, encoding.ops(num_qubits))
    assert (circuit.num_params, circuit.num_features) == (0, encoding.num_encoded(num_qubits))
    reference = encoded_state(encoding, num_qubits, features)
    for index in range(num_features):
        changed = features.copy()
        changed[index] = -changed[index] if num_features > 1 else changed[index] + 0.5
        other = encoded_state(encoding, num_qubits, changed)
        if num_features > 1 or encoding != amplitude():  # one amplitude is 1, whatever its size
            assert abs(np.vdot(reference, other)) < 1 - 1e-4


@encodings
@given(seed=seeds)
@settings(max_examples=2, deadline=None)
def test_encode_is_the_same_for_a_batch_under_jit_and_under_vmap(encoding, seed):
    features = np.random.default_rng(seed).normal(size=(2, 3, 3)).astype(np.float32)
    rows = np.array([[encode(encoding, 3, row) for row in block] for block in features])

    def eager(x):
        return encoding.encode(x, 3)

    for other in (eager, jax.jit(eager), jax.jit(jax.vmap(jax.vmap(eager)))):
        np.testing.assert_allclose(other(features), rows, atol=1e-5)


@encodings
def test_both_precisions_can_be_used_in_turn(encoding):
    features = np.random.default_rng(0).normal(size=3)
    single = encode(encoding, 3, features.astype(np.float32))
    with jax.enable_x64(True):
        double = encoding.encode(features, 3)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, double, atol=1e-5)


@encodings
@given(seed=seeds, zeros=st.sets(st.integers(0, 7)), tiny=st.sets(st.integers(0, 7)))
@settings(max_examples=30, deadline=None)
def test_gradients_are_finite_wherever_features_vanish(encoding, seed, zeros, tiny):
    features = np.random.default_rng(seed).normal(size=min(8, encoding.max_features(3))).astype(np.float32)
    features[[index for index in tiny if index < len(features)]] *= 1e-30
    features[[index for index in zeros if index < len(features)]] = 0.0
    assert np.isfinite(encode(encoding, 3, features)).all()
    assert np.isfinite(encode_jacobian(encoding, 3, features)).all()


def test_gradient_through_the_circuit_agrees_with_finite_differences():
    with jax.enable_x64(True):
        simulator, observable = Simulator(dtype="complex128"), PauliSum({"Z0 Z1": 1.0, "X2": 0.5})
        for encoding in (angle("rz"), iqp(), amplitude()):
            circuit = Circuit(3, encoding.ops(3))

            def value(features, encoding=encoding, circuit=circuit):
                encoded = encoding.encode(features, 3)[None]
                return simulator.expectations(circuit, jnp.zeros((1, 0)), encoded, observable).mean[0, 0, 0]

            point = jnp.array([0.3, -0.8, 0.5])
            compiled = jax.jit(value)
            steps = 1e-5 * np.eye(3)
            numeric = [(compiled(point + step) - compiled(point - step)) / 2e-5 for step in steps]
            np.testing.assert_allclose(jax.grad(value)(point), numeric, atol=1e-8)


@given(
    rotation=st.sampled_from(["rx", "ry", "rz"]),
    num_qubits=st.integers(1, 4),
    seed=seeds,
    data=st.data(),
)
@settings(max_examples=15, deadline=None)
def test_angle_agrees_with_pennylane(rotation, num_qubits, seed, data):
    features = np.random.default_rng(seed).normal(size=data.draw(st.integers(1, num_qubits)))

    def operations():
        if rotation == "rz":
            for wire in range(num_qubits):
                qml.Hadamard(wire)
        qml.AngleEmbedding(cyclic(features, num_qubits), range(num_qubits), rotation=rotation[1].upper())

    expected = pennylane_state(num_qubits, operations)
    np.testing.assert_allclose(encoded_state(angle(rotation), num_qubits, features), expected, atol=1e-12)


@given(num_qubits=st.integers(1, 4), num_repeats=st.integers(1, 3), seed=seeds, data=st.data())
@settings(max_examples=15, deadline=None)
def test_iqp_agrees_with_pennylane(num_qubits, num_repeats, seed, data):
    features = np.random.default_rng(seed).normal(size=data.draw(st.integers(1, num_qubits)))
    expected = pennylane_state(
        num_qubits,
        lambda: qml.IQPEmbedding(cyclic(features, num_qubits), range(num_qubits), n_repeats=num_repeats),
    )
    encoding = iqp(num_repeats, scale=1.0)
    np.testing.assert_allclose(encoded_state(encoding, num_qubits, features), expected, atol=1e-12)


@given(num_qubits=st.integers(1, 4), topology=st.sampled_from(sorted(TOPOLOGIES)), seed=seeds)
@settings(max_examples=15, deadline=None)
def test_iqp_has_the_phases_of_its_formula(num_qubits, topology, seed):
    features = np.random.default_rng(seed).normal(size=num_qubits)
    bits = (np.arange(2**num_qubits)[:, None] >> np.arange(num_qubits)[::-1]) & 1
    signs = 1 - 2 * bits
    neighbours = {frozenset((q, q + 1)) for q in range(num_qubits - 1)}
    if topology == "ring" and num_qubits > 2:
        neighbours.add(frozenset((num_qubits - 1, 0)))
    if topology == "full":
        neighbours = {frozenset((a, b)) for a in range(num_qubits) for b in range(a)}
    energy = signs @ features + sum(
        np.prod(features[list(pair)]) * np.prod(signs[:, list(pair)], axis=1) for pair in neighbours
    )
    hadamard = (-1.0) ** (bits @ bits.T) / np.sqrt(2**num_qubits)
    expected = np.zeros(2**num_qubits)
    expected[0] = 1
    for _ in range(2):
        expected = np.exp(-1j * energy) * (hadamard @ expected)
    np.testing.assert_allclose(
        encoded_state(iqp(topology=topology), num_qubits, features), expected, atol=1e-12
    )


@st.composite
def vectors(draw):
    num_qubits = draw(st.integers(1, 4))
    vector = np.random.default_rng(draw(seeds)).normal(size=draw(st.integers(1, 2**num_qubits)))
    # Zero subvectors of every size, and numbers whose squares leave the range of floats.
    for level in draw(st.lists(st.integers(0, num_qubits), max_size=3)):
        size = 2**level
        start = draw(st.integers(0, 2 ** (num_qubits - level) - 1)) * size
        vector[start : start + size] = 0.0
    return num_qubits, vector * 10.0 ** draw(st.integers(-200, 200))


@given(vectors())
@settings(max_examples=25, deadline=None)
def test_amplitudes_are_the_normalised_vector(case):
    num_qubits, vector = case
    padded = np.pad(vector, (0, 2**num_qubits - len(vector)))
    largest = np.abs(padded).max()
    expected = np.eye(2**num_qubits)[0]
    if largest > 0:
        expected = padded / largest / np.linalg.norm(padded / largest)
    np.testing.assert_allclose(encoded_state(amplitude(), num_qubits, vector), expected, atol=1e-12)


def test_amplitudes_agree_with_pennylane_and_with_cirq():
    rng = np.random.default_rng(0)
    for num_qubits in (1, 3, 6):  # from five qubits on, loops take over from Gray code
        vector = rng.normal(size=2**num_qubits)
        expected = pennylane_state(
            num_qubits,
            lambda vector=vector, n=num_qubits: qml.AmplitudeEmbedding(vector, range(n), normalize=True),
        )
        with jax.enable_x64(True):
            encoded = np.asarray(amplitude().encode(vector, num_qubits))
        circuit = Circuit(num_qubits, amplitude().ops(num_qubits))
        np.testing.assert_allclose(cirq_state(circuit, np.zeros(0), encoded), expected, atol=1e-12)
        np.testing.assert_allclose(encoded_state(amplitude(), num_qubits, vector), expected, atol=1e-12)


@given(num_qubits=st.integers(1, 11))
@settings(deadline=None)
def test_amplitude_circuits_stay_small_and_use_plain_gates(num_qubits):
    circuit = Circuit(num_qubits, amplitude().ops(num_qubits))
    gates = [op.gate for op in circuit.unrolled()]
    assert set(gates) <= {"ry", "cx"}
    assert gates.count("ry") == 2**num_qubits - 1
    # Gray code needs 2**n - 2; closing repeats costs less than a quarter more.
    assert 2**num_qubits - 2 <= gates.count("cx") <= 1.25 * 2**num_qubits
    if num_qubits <= 4:
        assert gates.count("cx") == 2**num_qubits - 2
    assert size(circuit.ops) <= 30 * num_qubits


def size(ops):
    return sum(1 + size(op.body) if isinstance(op, Repeat) else 1 for op in ops)


def test_encodings_without_gates():
    features = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(identity(3).encode(features, 1), features)
    assert identity(3).ops(5) == ()
    assert none() == identity(0)
    assert none().encode(np.zeros((4, 0)), 2).shape == (4, 0)


@given(num_qubits=st.integers(1, 5), excess=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_too_many_features_are_refused_with_a_cure_that_works(num_qubits, excess):
    for encoding in (angle(), iqp(), amplitude()):
        most = encoding.max_features(num_qubits)
        assert check_features(encoding, most, num_qubits) == most
        with pytest.raises(ArgumentError, match=rf"hold {most} .*there are {most + excess}\.") as error:
            encoding.encode(np.zeros(most + excess), num_qubits)
        cured = int(str(error.value).split(" qubits.")[0].split()[-1])
        assert encoding.max_features(cured) >= most + excess > encoding.max_features(cured - 1)
        assert f"`num_components={most}`" in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: angle("ryy"), r"`rotation` must be one of rx, ry, rz.*Did you mean `ry`"),
        (lambda: iqp(0), "`num_repeats` must be an integer of 1 or more, but it is 0"),
        (lambda: iqp(topology="fully"), "Did you mean `full`"),
        (lambda: iqp(scale=0.0), "`scale` must be a finite number other than zero"),
        (lambda: iqp(scale=float("nan")), "`scale` must be a finite number other than zero"),
        (lambda: angle().encode(np.zeros((5, 0)), 2), "hold one feature or more.*`none`"),
        (lambda: angle().encode(1.0, 2), "`features` must be real with shape"),
        (lambda: angle().encode(np.ones(2) * 1j, 2), "`features` must be real with shape"),
        (lambda: none().encode(np.zeros(2), 2), "hold 0 feature.*Choose another encoding"),
        (lambda: identity(-1), "`num_features` must be an integer of 0 or more"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_encodings_are_values():
    for make in ENCODINGS.values():
        assert isinstance(make(), Encoding)
        assert make() == make()
        assert hash(make()) == hash(make())
    assert angle("rx") != angle("ry")
