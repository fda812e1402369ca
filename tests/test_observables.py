"""Laws of Pauli sums, of their text, and of the bases they are measured in."""

import copy
import functools
import json
import pickle
import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import PauliSum, Simulator, gates
from qjax.errors import ArgumentError
from qjax.observables import as_observables, format_pauli, measurement_groups, parse_pauli
from tests.circuits import circuits
from tests.messages import check_message, faults

NUM_QUBITS = 3
MATRICES = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}


def dense(observable: PauliSum, num_qubits: int = NUM_QUBITS) -> np.ndarray:
    total = np.zeros((2**num_qubits, 2**num_qubits), complex)
    for string, coefficient in observable.terms:
        letters = dict(string)
        factors = [MATRICES[letters.get(qubit, "I")] for qubit in range(num_qubits)]
        total += coefficient * functools.reduce(np.kron, factors, np.eye(1))
    return total


strings = st.dictionaries(st.integers(0, NUM_QUBITS - 1), st.sampled_from("XYZ")).map(
    lambda factors: tuple(sorted(factors.items()))
)
# Multiples of 1/8 add and multiply without rounding, so the laws hold exactly.
numbers = st.integers(-64, 64).map(lambda value: value / 8)
sums = st.lists(st.tuples(strings, numbers), max_size=6).map(PauliSum)


@given(sums, sums, sums, numbers, numbers)
def test_sums_are_a_vector_space(a, b, c, s, t):
    zero = PauliSum(())
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + zero == a
    assert a - a == a + (-a) == 0.0 * a == zero
    assert s * (a + b) == s * a + s * b
    assert (s + t) * a == s * a + t * a
    assert s * (t * a) == (s * t) * a == a * (s * t)
    assert 1.0 * a == a


@given(sums, sums, numbers)
def test_sums_are_their_matrices(a, b, s):
    np.testing.assert_array_equal(dense(a + b), dense(a) + dense(b))
    np.testing.assert_array_equal(dense(a - b), dense(a) - dense(b))
    np.testing.assert_array_equal(dense(s * a), s * dense(a))
    assert (a == b) == np.array_equal(dense(a), dense(b))
    assert a != b or hash(a) == hash(b)


@given(sums)
def test_num_qubits_is_the_least_that_holds_it(a):
    n = a.num_qubits
    larger = np.kron(dense(a, n), np.eye(2 ** (NUM_QUBITS - n)))
    np.testing.assert_array_equal(larger, dense(a))
    if n:
        with pytest.raises(ArgumentError) as caught:
            as_observables(a, n - 1)
        check_message(caught.value, "observables")
    assert as_observables(a, n) == as_observables([a], n) == (a,)


@given(
    st.dictionaries(st.integers(0, 10**9 - 1), st.sampled_from("XYZ")), st.randoms(), st.sampled_from(" *")
)
def test_parse_reads_factors_in_any_order(factors, order: random.Random, separator):
    string = tuple(sorted(factors.items()))
    assert parse_pauli(format_pauli(string)) == string
    words = [f"{letter}{qubit}" for qubit, letter in string] + ["I"] * order.randint(0, 2)
    order.shuffle(words)
    assert parse_pauli(separator.join(words)) == string


@given(st.lists(st.tuples(strings, st.floats(allow_nan=False, allow_infinity=False, width=32))).map(PauliSum))
def test_copies_and_json_keep_a_sum(a):
    assert PauliSum(json.loads(json.dumps(a.to_json(), allow_nan=False))) == a
    assert eval(repr(a), {"PauliSum": PauliSum}) == a
    assert copy.deepcopy(a) == pickle.loads(pickle.dumps(a)) == a


@given(st.lists(st.tuples(strings, numbers), max_size=6))
def test_all_ways_to_write_a_sum_agree(pairs):
    expected = sum((number * PauliSum(format_pauli(string)) for string, number in pairs), PauliSum(()))
    assert PauliSum(pairs) == expected
    assert PauliSum([(string[::-1], number) for string, number in pairs]) == expected
    assert PauliSum([(format_pauli(string), np.float64(number)) for string, number in pairs]) == expected
    unique = {format_pauli(string): number for string, number in pairs}
    assert PauliSum(unique) == PauliSum(tuple(unique.items()))


@given(st.lists(sums, max_size=4))
def test_each_string_is_measured_in_one_group(observables):
    groups = measurement_groups(observables)
    measured = [string for group in groups for string in group.strings]
    wanted = {string for observable in observables for string, _ in observable.terms if string}
    assert len(measured) == len(set(measured))
    assert set(measured) == wanted
    for group in groups:
        letters = dict(group.basis)
        touched = {qubit for string in group.strings for qubit, _ in string}
        assert letters.keys() == touched
        assert all(letters[qubit] == letter for string in group.strings for qubit, letter in string)


@given(st.lists(sums, max_size=4))
def test_groups_cannot_be_merged(observables):
    groups = measurement_groups(observables)
    for index, later in enumerate(groups):
        for earlier in groups[:index]:
            # The first string of a group opened it because it fits none before.
            letters = dict(earlier.basis)
            assert any(letters.get(qubit, letter) != letter for qubit, letter in later.strings[0])


@given(st.lists(sums, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_basis_change_turns_strings_into_z(observables):
    for group in measurement_groups(observables):
        change = np.eye(2**NUM_QUBITS)
        for op in group.basis_change():
            factors = [np.eye(2)] * NUM_QUBITS
            factors[op.qubits[0]] = np.asarray(gates.GATES[op.gate].matrix)
            change = functools.reduce(np.kron, factors) @ change
        for string in group.strings:
            turned = change @ dense(PauliSum([(string, 1.0)])) @ change.conj().T
            z = PauliSum([(tuple((qubit, "Z") for qubit, _ in string), 1.0)])
            np.testing.assert_allclose(turned, dense(z), atol=1e-14)


@given(
    circuits(min_qubits=NUM_QUBITS, max_qubits=NUM_QUBITS, max_ops=6), st.lists(sums, min_size=1, max_size=3)
)
@settings(max_examples=5, deadline=None)
def test_expectation_is_that_of_the_matrix(circuit, observables):
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        params = jnp.asarray(rng.normal(size=(1, circuit.num_params)))
        features = jnp.asarray(rng.normal(size=(1, circuit.num_features)))
        simulator = Simulator(dtype="complex128")
        state = np.asarray(simulator.statevector(circuit, params, features))[0, 0]
        found = np.asarray(simulator.expectations(circuit, params, features, observables).mean)[0, 0]
    expected = [(state.conj() @ dense(observable) @ state).real for observable in observables]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.text(alphabet="XYZI0123 *-\n٣é", max_size=8))
@settings(max_examples=200)
def test_any_text_is_read_or_refused_with_one_sentence(text):
    try:
        string = parse_pauli(text)
    except ArgumentError as error:
        check_message(error, "terms")
    else:
        assert parse_pauli(format_pauli(string)) == string
        assert set(text) <= set("XYZI0123 *\n")


NAN, INF = float("nan"), float("inf")
Z0 = PauliSum("Z0")
UNREADABLE = ("Q0", "Z", "0Z", "z0", "Z0Z1", "Z0 X0", "Z-1", "Z1.5", "Z0 Z00")
NO_STRINGS = (
    None,
    3,
    (0, "X"),
    ((0, "Q"),),
    ((-1, "X"),),
    ((0, "X"), (0, "Y")),
    ((0.5, "X"),),
    ((0, ["X"]),),
)
FAULTS = [
    *faults("terms", PauliSum, *UNREADABLE, None, 5, [1], ["Z0"], [("Z0",)], [("Z0", 1, 2)], Z0),
    *faults("terms", lambda v: PauliSum({"Z0": v}), NAN, INF, 1j, np.complex128(1 + 1j), "1", None, True, Z0),
    *faults("terms", lambda v: PauliSum([(v, 1.0)]), *NO_STRINGS),
    *faults("terms", lambda v: PauliSum([("Z0", v), ("Z0", v)]), 1e308),
    *faults("terms", lambda v: v * PauliSum({"Z0": v}), 1e200),
    *faults("factor", lambda v: v * Z0, NAN, 1j, "2", None, PauliSum("X0")),
    *faults("observables", lambda v: as_observables(v, 1), (), None, "Z0", 3, [Z0, "Z0"], PauliSum("Z1")),
]


@pytest.mark.parametrize(("argument", "make"), FAULTS)
def test_faults_are_named_in_one_sentence(argument, make):
    with pytest.raises(ArgumentError) as caught:
        make()
    check_message(caught.value, argument)
