"""Laws of circuits as values: repeats, inverses, copies, and equal values for equal circuits."""

import copy
import itertools
import json
import pickle
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Repeat, Simulator, gates
from qjax.errors import ArgumentError
from tests.circuits import circuits, random_op
from tests.messages import check_message


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
@settings(max_examples=40, deadline=None)
def test_copies_are_equal(circuit):
    hash(circuit)  # so that it is cached
    for again in (copy.copy(circuit), copy.deepcopy(circuit), pickle.loads(pickle.dumps(circuit))):
        assert again == circuit
        assert hash(again) == hash(circuit)
        assert len({again, circuit}) == 1
    assert eval(repr(circuit), {"Circuit": Circuit, "Op": Op, "Repeat": Repeat, "Angle": Angle}) == circuit


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
    # On a basis state a wrong phase of the inverse would go unseen.
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
    assert json.dumps(make(integer, real).to_json()) == json.dumps(make(int, float).to_json())


def test_negative_zeros_are_zeros():
    matrix = np.array([[complex(-1, -0.0), complex(-0.0, -0.0)], [complex(0, -0.0), 1]])
    minus = Circuit(1, (Op("unitary", (0,), matrix=matrix), Op("rx", (0,), Angle(param=0, offset=-0.0))))
    plus = Circuit(1, (Op("unitary", (0,), matrix=[[-1, 0], [0, 1]]), Op("rx", (0,), Angle(param=0))))
    assert minus == plus
    assert minus.content_hash == plus.content_hash
    assert minus.inverse().content_hash == plus.inverse().content_hash
