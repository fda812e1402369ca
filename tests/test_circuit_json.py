"""Laws of the JSON form and of the content hash, also for damaged JSON."""

import hashlib
import itertools
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Repeat, gates
from qjax.errors import ArgumentError
from tests.circuits import circuits
from tests.messages import check_message


def through_json(circuit: Circuit) -> Circuit:
    return Circuit.from_json(json.loads(json.dumps(circuit.to_json(), allow_nan=False)))


def unrolled(circuit: Circuit) -> Circuit:
    return replace(circuit, ops=tuple(circuit.unrolled()))


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
def test_rolled_and_unrolled_have_one_content_hash(circuit):
    assert unrolled(circuit).content_hash == circuit.content_hash


@given(circuits())
@settings(max_examples=60, deadline=None)
def test_content_hash_is_that_of_the_canonical_json(circuit):
    text = json.dumps(unrolled(circuit).to_json(), sort_keys=True, separators=(",", ":"))
    assert circuit.content_hash == hashlib.sha256(text.encode()).hexdigest()


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
