"""Laws of the topologies, for every number of qubits."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.ansatz import TOPOLOGIES, edges
from qjax.errors import ArgumentError

sizes = st.integers(1, 40)
names = st.sampled_from(sorted(TOPOLOGIES))


def degrees(topology, num_qubits):
    counts = Counter(qubit for edge in edges(topology, num_qubits) for qubit in edge)
    return [counts[qubit] for qubit in range(num_qubits)]


@given(topology=names, num_qubits=sizes)
@settings(deadline=None)
def test_pairs_are_valid_and_none_occurs_twice(topology, num_qubits):
    pairs = edges(topology, num_qubits)
    assert all(0 <= a < num_qubits and 0 <= b < num_qubits and a != b for a, b in pairs)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


@given(topology=names, num_qubits=sizes)
@settings(deadline=None)
def test_every_qubit_is_reached_from_the_first(topology, num_qubits):
    reached = {0}
    for _ in range(num_qubits):
        reached |= {q for pair in edges(topology, num_qubits) if reached & set(pair) for q in pair}
    assert reached == set(range(num_qubits))


@given(num_qubits=st.integers(3, 40))
@settings(deadline=None)
def test_degrees(num_qubits):
    assert degrees("ring", num_qubits) == [2] * num_qubits
    assert degrees("full", num_qubits) == [num_qubits - 1] * num_qubits
    for path in ("linear", "brick"):
        assert sorted(degrees(path, num_qubits)) == [1, 1] + [2] * (num_qubits - 2)


@given(num_qubits=sizes)
@settings(deadline=None)
def test_brick_fits_in_two_time_steps(num_qubits):
    steps = []
    for pair in edges("brick", num_qubits):
        if not steps or steps[-1] & set(pair):
            steps.append(set())
        steps[-1] |= set(pair)
    assert len(steps) <= 2


@pytest.mark.parametrize("topology", sorted(TOPOLOGIES))
def test_one_qubit_has_no_pair_and_two_have_one(topology):
    assert edges(topology, 1) == ()
    assert edges(topology, 2) == ((0, 1),)


def test_errors_name_the_choices():
    with pytest.raises(ArgumentError, match=r"`topology` must be one of linear, .*Did you mean `linear`\?"):
        edges("lienar", 4)
    with pytest.raises(ArgumentError, match="`num_qubits` must be an integer of 1 or more"):
        edges("linear", 0)
