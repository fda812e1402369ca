"""The alternating ansatz is the product of the matrix exponentials that its formula names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import PauliSum
from qjax.ansatz import qaoa
from qjax.errors import ArgumentError
from qjax.gates import pauli_string_matrix
from tests.ansatz.states import state


@st.composite
def diagonal_costs(draw):
    num_qubits = draw(st.integers(1, 4))
    strings = draw(
        st.dictionaries(
            st.sets(st.integers(0, num_qubits - 1)).map(lambda s: " ".join(f"Z{q}" for q in sorted(s))),
            st.floats(-2, 2).filter(lambda c: abs(c) > 1e-3),
            min_size=1,
            max_size=6,
        ).filter(lambda terms: set(terms) != {""})
    )
    return PauliSum(strings)


def dense(observable):
    total = np.zeros((2**observable.num_qubits,) * 2, complex)
    for string, value in observable.terms:
        letters = dict(string)
        total += value * pauli_string_matrix(
            "".join(letters.get(q, "I") for q in range(observable.num_qubits))
        )
    return total


def evolution(matrix, time):
    energies, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.exp(-1j * time * energies)) @ vectors.conj().T


@given(cost=diagonal_costs(), num_layers=st.integers(1, 3), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_state_is_the_product_of_exponentials(cost, num_layers, seed):
    params = np.random.default_rng(seed).normal(size=(num_layers, 2))
    mixer = dense(PauliSum({f"X{q}": 1.0 for q in range(cost.num_qubits)}))
    size = 2**cost.num_qubits
    expected = np.full(size, size**-0.5, complex)
    for gamma, beta in params:
        expected = evolution(mixer, beta) @ evolution(dense(cost), gamma) @ expected
    identity = dict(cost.terms).get((), 0.0)  # only a phase, which the circuit leaves out
    actual = np.exp(-1j * identity * params[:, 0].sum()) * state(qaoa(cost, num_layers), params.ravel())
    np.testing.assert_allclose(actual, expected, atol=1e-12)


@given(cost=diagonal_costs(), num_layers=st.integers(1, 50))
@settings(deadline=None)
def test_two_parameters_a_layer_and_a_size_without_the_depth(cost, num_layers):
    circuit = qaoa(cost, num_layers)
    assert (circuit.num_params, circuit.num_features) == (2 * num_layers, 0)
    assert len(circuit.ops) == len(qaoa(cost, 1).ops)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (PauliSum({"Z0": 1.0, "X0 Z1": 2.0}), "`cost` must be diagonal.*it has the term `X0 Z1`"),
        (PauliSum({"I": 2.0}), "`cost` must depend on a qubit, but it is the constant `2 I`"),
        (PauliSum({}), "`cost` must depend on a qubit, but it is the constant `0`"),
    ],
)
def test_costs_without_meaning_are_refused(cost, message):
    with pytest.raises(ArgumentError, match=message):
        qaoa(cost, 1)


def test_no_layers_are_refused():
    with pytest.raises(ArgumentError, match="`num_layers` must be an integer of 1 or more"):
        qaoa(PauliSum("Z0"), 0)
