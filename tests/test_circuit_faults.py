"""What cannot be a circuit is refused with one sentence that names cause and cure."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Repeat
from qjax.errors import ArgumentError
from tests.circuits import random_unitary
from tests.messages import check_message, faults


def test_traced_arrays_are_refused_as_numbers():
    with pytest.raises(ArgumentError) as caught:
        jax.jit(lambda theta: Op("rx", (0,), theta))(0.3)
    check_message(caught.value, "angles")


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
