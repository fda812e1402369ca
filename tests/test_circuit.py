"""Laws of circuits as values: JSON, hashes, inverses, repeats, and messages for what cannot be one."""

import copy
import itertools
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Repeat, Simulator, gates
from qjax.errors import ArgumentError
from tests.circuits import circuits, random_op, random_unitary
from tests.messages import check_message, faults


def through_json(circuit: Circuit) -> Circuit:
    return Circuit.from_json(json.loads(json.dumps(circuit.to_json(), allow_nan=False)))


def unrolled(circuit: Circuit) -> Circuit:
    return replace(circuit, ops=tuple(circuit.unrolled()))


def written_out(elements, params: int = 0, features: int = 0) -> list[Op]:
    """What repeats mean: the index of every angle is moved by the sum of its loops' strides."""
    ops = []
    for element in elements:
        if isinstance(element, Repeat):
            for t in range(element.times):
                moves = (params + t * element.param_stride, features + t * element.feature_stride)
                ops += written_out(element.body, *moves)
            continue
        angles = [
            Angle(
                None if angle.param is None else angle.param + params,
                None if angle.feature is None else angle.feature + features,
                angle.scale,
                angle.offset,
            )
            for angle in element.angles
        ]
        ops.append(Op(element.gate, element.qubits, angles, pauli=element.pauli, matrix=element.matrix))
    return ops


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_repeats_mean_what_they_say(circuit):
    assert list(circuit.unrolled()) == written_out(circuit.ops)


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_default_lengths_are_what_the_ops_use(circuit):
    angles = [angle for op in circuit.unrolled() for angle in op.angles]
    least = Circuit(circuit.num_qubits, circuit.ops)
    for name, kind in (("num_params", "param"), ("num_features", "feature")):
        used = [getattr(angle, kind) for angle in angles]
        length = 1 + max((index for index in used if index is not None), default=-1)
        assert getattr(least, name) == length
        if length:
            with pytest.raises(ArgumentError) as caught:
                replace(least, **{name: length - 1})
            check_message(caught.value, name)


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_json_round_trip(circuit):
    again = through_json(circuit)
    assert again == circuit
    assert hash(again) == hash(circuit)
    assert again.content_hash == circuit.content_hash
    assert again.to_json() == circuit.to_json()


@given(circuits())
@settings(max_examples=40, deadline=None)
def test_copies_are_equal(circuit):
    hash(circuit)  # so that it is cached
    for again in (copy.copy(circuit), copy.deepcopy(circuit), pickle.loads(pickle.dumps(circuit))):
        assert again == circuit
        assert hash(again) == hash(circuit)
        assert len({again, circuit}) == 1
    assert eval(repr(circuit), {"Circuit": Circuit, "Op": Op, "Repeat": Repeat, "Angle": Angle}) == circuit


@given(circuits())
@settings(max_examples=40, deadline=None)
def test_rolled_and_unrolled_have_one_content_hash(circuit):
    assert unrolled(circuit).content_hash == circuit.content_hash


@given(circuits(), circuits())
@settings(max_examples=40, deadline=None)
def test_content_hash_separates_circuits(one, other):
    assert (one.content_hash == other.content_hash) == (unrolled(one) == unrolled(other))


def changes(circuit: Circuit, index: int):
    """Circuits that differ from one in a single respect, at one op."""
    ops = list(circuit.unrolled())
    op = ops[index]
    yield replace(circuit, num_qubits=circuit.num_qubits + 1)
    yield replace(circuit, num_params=circuit.num_params + 1)
    yield replace(circuit, num_features=circuit.num_features + 1)

    def with_op(*replacement: Op) -> Circuit:
        return replace(circuit, ops=(*ops[:index], *replacement, *ops[index + 1 :]))

    yield with_op()
    yield with_op(op, op)
    fields = {"angles": op.angles, "pauli": op.pauli, "matrix": op.matrix}
    if len(op.qubits) > 1:
        yield with_op(Op(op.gate, op.qubits[::-1], **fields))
    if op.pauli is not None:
        yield with_op(
            Op(op.gate, op.qubits, op.angles, pauli=op.pauli[:-1] + "XYZX"["XYZ".index(op.pauli[-1]) + 1])
        )
    if op.matrix is not None:
        yield with_op(Op(op.gate, op.qubits, matrix=1j * np.array(op.matrix)))
    for k, angle in enumerate(op.angles):
        others = [Angle(None, angle.feature, angle.scale, angle.offset)] if angle.param is not None else []
        others += [replace(angle, param=0 if angle.param is None else (angle.param + 1) % 3)]
        others += [replace(angle, feature=0 if angle.feature is None else (angle.feature + 1) % 2)]
        others += [replace(angle, offset=np.nextafter(angle.offset, np.inf))]
        others += [] if angle.is_constant else [replace(angle, scale=np.nextafter(angle.scale, np.inf))]
        for changed in others:
            yield with_op(op.with_angles((*op.angles[:k], changed, *op.angles[k + 1 :])))
    same = [
        name
        for name, row in gates.GATES.items()
        if row.matrix is not None and (row.num_qubits, row.num_angles) == (len(op.qubits), len(op.angles))
    ]
    for name in same:
        if name != op.gate:
            yield with_op(Op(name, op.qubits, op.angles))


@given(circuits(repeats=False, min_ops=1), st.data())
@settings(max_examples=30, deadline=None)
def test_any_change_changes_the_content_hash(circuit, data):
    index = data.draw(st.integers(0, len(circuit.ops) - 1))
    hashes = [changed.content_hash for changed in changes(circuit, index)]
    assert len(hashes) >= 5
    assert circuit.content_hash not in hashes


def test_order_and_grouping_enter_the_content_hash():
    h, x = Op("h", (0,)), Op("x", (0,))
    sequences = [ops for length in range(4) for ops in itertools.product([h, x], repeat=length)]
    assert len({Circuit(1, ops).content_hash for ops in sequences}) == len(sequences)


EXAMPLE = Circuit(
    num_qubits=3,
    ops=(
        Op("h", (2,)),
        Repeat(
            (Op("ry", (0,), Angle(param=1, feature=0, scale=0.1, offset=-0.3)), Op("cx", (0, 2))), 2, 1, 1
        ),
        Op("u3", (1,), (0.5, Angle(param=0), Angle(feature=3, scale=1e-300))),
        Op("pauli_rotation", (2, 0), 1 / 3, pauli="YX"),
        Op("unitary", (1,), matrix=[[0, -1j], [1j, 0]]),
    ),
    num_params=5,
)


def test_content_hash_is_the_recorded_one():
    # Runs are stored under this hash: a change orphans them, so it needs a new number of the JSON form.
    assert EXAMPLE.content_hash == "c4e5a3c4002f85406bb88676f24c6ba908c367fdc3cbe6890e7e908f47cdfd00"


def test_hashes_survive_another_process():
    hash(EXAMPLE)
    script = """
import json, pickle, sys
from qjax import Circuit
pickled, text = pickle.load(sys.stdin.buffer)
circuit, rebuilt = pickle.loads(pickled), Circuit.from_json(json.loads(text))
assert circuit == rebuilt and hash(circuit) == hash(rebuilt) and circuit in {rebuilt}
print(circuit.content_hash)
"""
    found = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps((pickle.dumps(EXAMPLE), json.dumps(EXAMPLE.to_json()))),
        env={"PYTHONHASHSEED": "random", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        check=True,
    )
    assert found.stdout.decode().strip() == EXAMPLE.content_hash


def check_inverse(circuit: Circuit, seed: int):
    rng = np.random.default_rng(seed)
    params, features = rng.normal(size=(1, circuit.num_params)), rng.normal(size=(1, circuit.num_features))
    both = replace(circuit, ops=circuit.ops + circuit.inverse().ops)
    state = Simulator().statevector(both, jnp.asarray(params), jnp.asarray(features))[0, 0]
    np.testing.assert_allclose(state, np.eye(2**circuit.num_qubits)[0], atol=2e-5)


@given(circuits(max_qubits=3, max_ops=6), st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_inverse_undoes(circuit, seed):
    check_inverse(circuit, seed)


def test_inverse_undoes_every_gate():
    rng = np.random.default_rng(0)
    # A gate that is its own inverse up to a wrong sign could be undone by luck on |0>: each meets a dense state.
    dense = [Op("u3", (qubit,), tuple(rng.normal(size=3))) for qubit in range(4)]
    check_inverse(Circuit(4, (*dense, *(random_op(rng, 4, 3, 2, name) for name in gates.GATES))), 0)


def test_equal_angles_have_one_representation():
    assert Angle(scale=5.0, offset=0.3) == Angle(offset=0.3) == Op("rx", (0,), 0.3).angles[0]
    assert Angle(param=0, scale=-0.0) == Angle(param=0, scale=0.0)
    assert str(Angle(param=0, scale=-0.0, offset=-0.0)) == str(Angle(param=0, scale=0.0, offset=0.0))


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_inverse_reverses_the_ops_and_is_its_own_inverse(circuit):
    inverse = circuit.inverse()
    assert list(inverse.unrolled()) == [op.inverse() for op in reversed(list(circuit.unrolled()))]
    assert inverse.inverse() == circuit
    assert (inverse.num_params, inverse.num_features) == (circuit.num_params, circuit.num_features)


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_ops_made_from_ops_pass_all_checks(circuit):
    for op in itertools.chain(circuit.unrolled(), circuit.inverse().unrolled()):
        assert Op(op.gate, op.qubits, op.angles, pauli=op.pauli, matrix=op.matrix) == op


def test_nearly_unitary_matrices_can_be_inverted():
    skewed = np.array([[1, 9.9e-7], [0, 1]])
    op = Op("unitary", (0,), matrix=skewed)
    np.testing.assert_array_equal(np.array(op.inverse().matrix), skewed.T)


@given(
    st.sampled_from([np.int8, np.int64, np.uint16, int]),
    st.sampled_from([np.float32, np.float64, np.array, float]),
)
@settings(deadline=None)
def test_numbers_of_numpy_and_python_make_equal_circuits(integer, real):
    def make(integer: Any, real: Any) -> Circuit:
        angle = Angle(param=integer(1), feature=integer(2), scale=real(0.5), offset=real(-0.25))
        indices: Any = np.array([1])
        body: Any = [Op("ry", [integer(0)], angle), Op("rz", indices, real(1.5))]
        return Circuit(integer(2), [Repeat(body, integer(3), integer(2))], num_params=integer(9))

    assert make(integer, real) == make(int, float)
    assert through_json(make(integer, real)) == make(int, float)


def test_traced_arrays_are_refused_as_numbers():
    with pytest.raises(ArgumentError) as caught:
        jax.jit(lambda theta: Op("rx", (0,), theta))(0.3)
    check_message(caught.value, "angles")


def test_negative_zeros_are_zeros():
    matrix = np.array([[complex(-1, -0.0), complex(-0.0, -0.0)], [complex(0, -0.0), 1]])
    minus = Circuit(1, (Op("unitary", (0,), matrix=matrix), Op("rx", (0,), Angle(param=0, offset=-0.0))))
    plus = Circuit(1, (Op("unitary", (0,), matrix=[[-1, 0], [0, 1]]), Op("rx", (0,), Angle(param=0))))
    assert minus == plus
    assert minus.content_hash == plus.content_hash
    assert minus.inverse().content_hash == plus.inverse().content_hash


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["h", "unitary", "pauli_rotation", "repeat", "XYZ\n"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["gate", "qubits", "angles", "repeat", "times", "ops"]), inner, max_size=4
        )
    ),
    max_leaves=6,
)


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


@given(st.one_of(st.just(EXAMPLE), circuits(max_ops=4)), st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_json_never_raises_anything_else(circuit, data):
    value = json.loads(json.dumps(circuit.to_json()))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(list(places(value))))
        replacement = data.draw(JSON_VALUES)
        if not path:
            value = replacement
            continue
        *above, key = path
        parent = value
        for step in above:
            parent = parent[step]
        action = data.draw(st.sampled_from(["replace", "remove", "duplicate"]))
        if action == "replace":
            parent[key] = replacement
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, list):
            parent.insert(key, replacement)
        else:
            parent[str(key) + "s"] = parent[key]
    try:
        found = Circuit.from_json(value)
    except ArgumentError as error:
        check_message(error)
    else:
        assert through_json(found) == found


@given(JSON_VALUES)
@settings(max_examples=100, deadline=None)
def test_any_json_is_refused_with_one_sentence(value):
    with pytest.raises(ArgumentError) as caught:
        Circuit.from_json(value)
    check_message(caught.value, "value")


@given(circuits(min_ops=1), st.data())
@settings(max_examples=60, deadline=None)
def test_every_key_is_needed_and_no_other_is_accepted(circuit, data):
    value = json.loads(json.dumps(circuit.to_json()))
    objects = [value, *value["ops"]]
    chosen = objects[data.draw(st.integers(0, len(objects) - 1))]
    key = data.draw(st.sampled_from(sorted(chosen)))
    # An op without its angles may be another op only where the gate takes none, and then it has no such key.
    if data.draw(st.booleans()):
        del chosen[key]
    else:
        chosen[key + "_"] = chosen[key]
    with pytest.raises(ArgumentError) as caught:
        Circuit.from_json(value)
    check_message(caught.value)


def test_deep_json_is_refused():
    element = {"gate": "h", "qubits": [0]}
    for _ in range(5000):
        element = {"repeat": [element], "times": 1, "param_stride": 0, "feature_stride": 0}
    value = {"format": 1, "num_qubits": 1, "num_params": 0, "num_features": 0, "ops": [element]}
    with pytest.raises(ArgumentError) as caught:
        Circuit.from_json(value)
    check_message(caught.value, "value")


def test_faults_are_found_without_unrolling():
    endless = Repeat((Op("h", (0,)), Op("ry", (0,), Angle(param=0))), 10**12, 1)
    assert Circuit(1, (endless,)).num_params == 10**12
    with pytest.raises(ArgumentError) as caught:
        Circuit(1, (endless, Op("h", (1,))))
    check_message(caught.value, "ops")


H = Op("h", (0,))
RY = Op("ry", (0,), Angle(param=0))
RX = Op("rx", (0,), Angle(feature=4))
NAN, INF = float("nan"), float("inf")

FAULTS = [
    *faults("param", lambda v: Angle(param=v), -1, 1.0, "0", True, np.float64(1), [0]),
    *faults("param", lambda v: Angle(param=0).shifted(v, 0), -1),
    *faults("feature", lambda v: Angle(feature=v), -3, 0.5, "x", False),
    *faults("scale", lambda v: Angle(param=0, scale=v), NAN, INF, "1", 1j, np.complex128(1), None),
    *faults("offset", lambda v: Angle(offset=v), NAN, -INF, 10**400, True, np.zeros(2), np.zeros((2, 2))),
    *faults("gate", lambda v: Op(v, (0,)), "hadamard", "H", "", None, 7, "h\nx", ["h"]),
    *faults(
        "qubits", lambda v: Op("h", v), 0, None, (), (0, 1), (-1,), (0.0,), "0", (True,), ((0,),), np.int64(1)
    ),
    *faults("qubits", lambda v: Op("cx", v), (0, 0), (0,), (0, 1, 2), {0: 1, 1.5: 2}),
    *faults("qubits", lambda v: Op("pauli_rotation", v, 0.3, pauli=""), ()),
    *faults("qubits", lambda v: Op("unitary", v, matrix=np.eye(32)), range(5)),
    *faults("angles", lambda v: Op("rx", (0,), v), (), (1, 2), "0.3", None, NAN, 1j, np.zeros(1), [[0.3]]),
    *faults("angles", lambda v: Op("u3", (0,), v), 0.3, (1, 2), (1, 2, "3"), (1, 2, INF)),
    *faults("angles", lambda v: Op("h", (0,), v), 0.3),
    *faults("angles", lambda v: RY.with_angles(v), (), (1.0, 2.0), "a"),
    *faults(
        "pauli",
        lambda v: Op("pauli_rotation", (0, 1), 0.3, pauli=v),
        *(None, "X", "XYZ", "XI", "xy", 5, ["X", "Y"]),
    ),
    *faults("pauli", lambda v: Op("rx", (0,), 0.3, pauli=v), "X"),
    *faults(
        "matrix",
        lambda v: Op("unitary", (0,), matrix=v),
        *(None, 1, "X", [[1, 0]], [[1, 0], [0]], np.eye(4), np.eye(3), [["a", "b"], ["c", "d"]]),
        *(2 * np.eye(2), (1 + 1e-6) * np.eye(2), [[10**400, 0], [0, 1]]),
        *(np.full((2, 2), value) for value in (NAN, INF, 1e200)),
    ),
    *faults("matrix", lambda v: Op("h", (0,), matrix=v), [[1, 0], [0, 1]]),
    *faults("body", lambda v: Repeat(v, 2), H, None, 3, "h", (H, "h"), (H, [RY])),
    *faults("times", lambda v: Repeat((H,), v), 0, -1, 1.0, "2", None, True),
    *faults("param_stride", lambda v: Repeat((H,), 2, v), 0.5, "1", None),
    *faults("param_stride", lambda v: Circuit(1, (Repeat((RY,), 2, v),)), -1),
    *faults("feature_stride", lambda v: Repeat((H,), 2, 0, v), 1.0, False),
    *faults("feature_stride", lambda v: Circuit(1, (Repeat((RX,), 6, 0, v),)), -1),
    *faults("num_qubits", lambda v: Circuit(v), 0, -1, 1.0, "1", None, True),
    *faults("ops", lambda v: Circuit(1, v), H, None, 3, "h", (H, "h"), [H, [RY]], (Op("h", (1,)),)),
    *faults("ops", lambda v: Circuit(2, (Repeat((H, Repeat((v,), 2)), 2),)), Op("cx", (0, 2))),
    *faults("num_params", lambda v: Circuit(1, (RY,), v), 0, -1, 1.0, "1", True),
    *faults("num_params", lambda v: Circuit(1, (Repeat((RY,), 3, 2),), num_params=v), 4),
    *faults("num_features", lambda v: Circuit(1, (RX,), num_features=v), -1, 0.0, "0", 4),
]


@pytest.mark.parametrize(("argument", "make"), FAULTS)
def test_faults_are_named_in_one_sentence(argument, make):
    with pytest.raises(ArgumentError) as caught:
        make()
    check_message(caught.value, argument)


@given(st.integers(1, 3), st.floats(1.1e-6, 1.0), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_matrices_off_unitarity_are_refused(size, error, seed):
    u = random_unitary(np.random.default_rng(seed), 2**size)
    assert Op("unitary", range(size), matrix=u).matrix is not None
    with pytest.raises(ArgumentError):
        Op("unitary", range(size), matrix=u * np.sqrt(1 + error))
