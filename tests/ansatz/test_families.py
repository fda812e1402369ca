"""Laws of the ansatz families: their parameters, their features, their states and their size."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, PauliSum, Simulator
from qjax.ansatz import (
    ANSATZ_FAMILIES,
    ENTANGLERS,
    TOPOLOGIES,
    angle,
    data_reuploading,
    edges,
    hardware_efficient,
    iqp,
    strongly_entangling,
)
from qjax.errors import ArgumentError
from qjax.gates import GATES
from tests.ansatz.states import state

seeds = st.integers(0, 2**32 - 1)
rotation_lists = st.lists(st.sampled_from(["rx", "ry", "rz"]), min_size=1, max_size=3)
layer_options = {
    "rotations": rotation_lists,
    "entangler": st.sampled_from(ENTANGLERS),
    "topology": st.sampled_from(sorted(TOPOLOGIES)),
}


@st.composite
def ansatz_circuits(draw, max_qubits=4, max_layers=5):
    num_qubits, num_layers = draw(st.integers(1, max_qubits)), draw(st.integers(1, max_layers))
    options = {name: draw(strategy) for name, strategy in layer_options.items()}
    match draw(st.sampled_from(sorted(ANSATZ_FAMILIES))):
        case "data_reuploading":
            features = draw(st.integers(1, 2 * num_qubits + 1))
            scales = draw(st.booleans())
            return data_reuploading(
                num_qubits, num_layers, num_features=features, trainable_scales=scales, **options
            )
        case "strongly_entangling":
            return strongly_entangling(num_qubits, num_layers, encoding=draw(st.sampled_from([None, iqp()])))
        case _:
            encoding = draw(st.sampled_from([None, angle("rx"), angle("rz")]))
            return hardware_efficient(num_qubits, num_layers, encoding=encoding, **options)


def random_inputs(circuit, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_features)


@given(ansatz_circuits())
@settings(deadline=None)
def test_parameters_are_used_once_each_and_in_order(circuit):
    params = [a.param for op in circuit.unrolled() for a in op.angles if a.param is not None]
    assert params == list(range(circuit.num_params))


@given(ansatz_circuits())
@settings(deadline=None)
def test_every_feature_is_used(circuit):
    used = {a.feature for op in circuit.unrolled() for a in op.angles} - {None}
    assert used == set(range(circuit.num_features))


@given(circuit=ansatz_circuits(max_qubits=3), seed=seeds)
@settings(max_examples=10, deadline=None)
def test_rolled_and_unrolled_circuits_prepare_the_same_state(circuit, seed):
    unrolled = Circuit(
        circuit.num_qubits, tuple(circuit.unrolled()), circuit.num_params, circuit.num_features
    )
    assert circuit.content_hash == unrolled.content_hash
    inputs = random_inputs(circuit, seed)
    np.testing.assert_allclose(state(circuit, *inputs), state(unrolled, *inputs), atol=1e-12)


@given(circuit=ansatz_circuits(max_qubits=2, max_layers=2), seed=seeds)
@settings(max_examples=6, deadline=None)
def test_gradients_are_finite(circuit, seed):
    params, features = (jnp.asarray(x) for x in random_inputs(circuit, seed))

    def value(params, features):
        return Simulator().expectations(circuit, params[None], features[None], PauliSum("Z0")).mean.sum()

    for gradient in jax.jit(jax.grad(value, argnums=(0, 1)))(params, features):
        assert np.isfinite(gradient).all()


@given(
    num_qubits=st.integers(1, 10), num_layers=st.integers(1, 20), options=st.fixed_dictionaries(layer_options)
)
@settings(deadline=None)
def test_hardware_efficient_has_the_gates_and_parameters_it_says(num_qubits, num_layers, options):
    circuit = hardware_efficient(num_qubits, num_layers, encoding=None, **options)
    pairs = edges(options["topology"], num_qubits)
    per_pair = GATES[options["entangler"]].num_angles
    per_layer = num_qubits * len(options["rotations"]) + per_pair * len(pairs)
    assert circuit.num_params == num_layers * per_layer
    layer = [
        *((rotation, (qubit,)) for qubit in range(num_qubits) for rotation in options["rotations"]),
        *((options["entangler"], pair) for pair in pairs),
    ]
    assert [(op.gate, op.qubits) for op in circuit.unrolled()] == layer * num_layers


def test_hardware_efficient_counts():
    def count(entangler, topology, rotations=("rx", "ry", "rz")):
        return hardware_efficient(
            8, 2, rotations=rotations, entangler=entangler, topology=topology
        ).num_params

    assert count("cx", "linear") == 48
    assert count("rzz", "ring") == 48 + 2 * 8
    assert count("crx", "full", ("ry",)) == 16 + 2 * 28


@pytest.mark.parametrize("name", sorted(ANSATZ_FAMILIES))
def test_circuits_do_not_grow_with_their_depth(name):
    def circuit(num_layers):
        return ANSATZ_FAMILIES[name](4, num_layers, num_features=3)

    assert len(circuit(300).to_json()["ops"]) == len(circuit(3).to_json()["ops"])
    assert len(str(circuit(300).to_json())) < 1.1 * len(str(circuit(3).to_json()))


@given(num_qubits=st.integers(1, 4), num_layers=st.integers(1, 7), seed=seeds, data=st.data())
@settings(max_examples=20, deadline=None)
def test_strongly_entangling_agrees_with_pennylane(num_qubits, num_layers, seed, data):
    distances = st.lists(st.integers(1, max(num_qubits - 1, 1)), min_size=num_layers, max_size=num_layers)
    ranges = data.draw(st.none() | distances)
    circuit = strongly_entangling(num_qubits, num_layers, ranges=ranges, encoding=None)
    weights = np.random.default_rng(seed).normal(size=(num_layers, num_qubits, 3))

    @qml.qnode(qml.device("default.qubit", wires=num_qubits))
    def oracle():
        qml.StronglyEntanglingLayers(weights, range(num_qubits), ranges=ranges if num_qubits > 1 else None)
        return qml.state()

    np.testing.assert_allclose(state(circuit, weights.ravel()), oracle(), atol=1e-12)


@given(
    num_qubits=st.integers(1, 4),
    num_layers=st.integers(1, 3),
    num_features=st.integers(1, 9),
    trainable_scales=st.booleans(),
    options=st.fixed_dictionaries(layer_options),
)
@settings(deadline=None)
def test_data_reuploading_has_the_parameters_it_says(
    num_qubits, num_layers, num_features, trainable_scales, options
):
    circuit = data_reuploading(
        num_qubits, num_layers, num_features=num_features, trainable_scales=trainable_scales, **options
    )
    blocks = -(-num_features // num_qubits)
    pairs = len(edges(options["topology"], num_qubits)) * GATES[options["entangler"]].num_angles
    per_layer = blocks * num_qubits * (trainable_scales + len(options["rotations"])) + pairs
    assert (circuit.num_params, circuit.num_features) == (num_layers * per_layer, num_features)
    uses = [a for op in circuit.unrolled() for a in op.angles if a.feature is not None]
    assert all((a.param is not None) == trainable_scales for a in uses)
    for index in range(num_features):
        assert sum(a.feature == index for a in uses) >= num_layers


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_data_reuploading_turns_by_weight_times_feature_plus_bias(seed):
    circuit = data_reuploading(1, 2, num_features=1, rotations=("ry",))
    params, features = random_inputs(circuit, seed)
    turn = sum(w * features[0] + b for w, b in params.reshape(2, 2))
    np.testing.assert_allclose(state(circuit, params, features), [np.cos(turn / 2), np.sin(turn / 2)])


def test_encoding_comes_first_and_is_checked():
    circuit = hardware_efficient(2, 1, encoding=angle("rx"), num_features=1)
    assert circuit.ops[:2] == (Op("rx", (0,), Angle(feature=0)), Op("rx", (1,), Angle(feature=1)))
    assert hardware_efficient(2, 1, encoding=None).num_features == 0
    for family in (hardware_efficient, strongly_entangling):
        with pytest.raises(ArgumentError, match=r"hold 2 feature\(s\) or fewer .* there are 3"):
            family(2, 1, num_features=3)
        with pytest.raises(ArgumentError, match="hold 0 feature"):
            family(2, 1, encoding=None, num_features=3)


@pytest.mark.parametrize("name", sorted(ANSATZ_FAMILIES))
@pytest.mark.parametrize("argument", ["num_qubits", "num_layers"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_numbers_below_one_are_refused(name, argument, value):
    arguments = {"num_qubits": 2, "num_layers": 2, "num_features": 2, argument: value}
    with pytest.raises(ArgumentError, match=f"`{argument}` must be an integer of 1 or more, but it is"):
        ANSATZ_FAMILIES[name](**arguments)


@pytest.mark.parametrize("family", [hardware_efficient, data_reuploading])
@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("entangler", "cxx", r"`entangler` must be one of cx, .*rzz, but it is 'cxx'. Did you mean `\w+`"),
        ("entangler", "swap", "`entangler` must be one of"),
        ("topology", "lineer", "Did you mean `linear`"),
        ("rotations", ("ry", "rxx"), "`rotations` must be one of rx, ry, rz.*Did you mean `rx`"),
        ("rotations", "ry", "`rotations` must be a sequence of one, two or three"),
        ("rotations", (), "`rotations` must be a sequence of one, two or three"),
        ("rotations", ("rx",) * 4, "`rotations` must be a sequence of one, two or three"),
        ("rotations", None, "`rotations` must be a sequence of one, two or three"),
    ],
)
def test_misspelt_options_are_refused(family, option, value, message):
    assert option in inspect.signature(family).parameters
    with pytest.raises(ArgumentError, match=message):
        family(2, 1, num_features=1, **{option: value})


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ((1,), r"hold one range for each of the 2 layer\(s\), but it holds 1"),
        ((1, 3), r"hold ranges from 1 to 2 for 3 qubit\(s\), but one is 3"),
        ((0, 1), "`ranges` must be an integer of 1 or more"),
    ],
)
def test_ranges_that_do_not_fit_are_refused(ranges, message):
    with pytest.raises(ArgumentError, match=message):
        strongly_entangling(3, 2, ranges=ranges)
