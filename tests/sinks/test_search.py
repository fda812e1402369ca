"""Search on a service that knows cosines alone finds what exact fidelity finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.sinks import TooWideError
from qjax.sinks.search import nearest_by_cosine, nearest_by_fidelity
from qjax.sinks.service import Match, Stored


class Cosines:
    """A service in memory, which ranks by cosine in single precision and counts what it is asked."""

    def __init__(self, states: np.ndarray, dimension: int):
        vectors = np.concatenate([np.real(states), np.imag(states)], axis=1).astype(np.float32)
        self.vectors = np.pad(vectors, ((0, 0), (0, dimension - vectors.shape[1])))
        self.labels = np.arange(len(states)) % 3
        self.width = vectors.shape[1]
        self.asked: list[int] = []

    def dimension(self) -> int:
        return self.vectors.shape[1]

    def query(self, namespace, vector, top_k, where=None):
        assert namespace == "states"
        self.asked.append(top_k)
        query = np.asarray(vector)
        scores = self.vectors @ query / np.linalg.norm(self.vectors, axis=1) / np.linalg.norm(query)
        order = [i for i in np.argsort(-scores) if not where or self.labels[i] == where["label"]]
        return [Match(str(i), float(scores[i]), {"label": int(self.labels[i])}) for i in order[:top_k]]

    def fetch(self, namespace, ids):
        return {key: Stored(self.vectors[int(key)], {"dimension": self.width}) for key in ids}


def random_states(count: int, num_qubits: int, spread: float, seed: int) -> np.ndarray:
    """States about one state, each with a global phase of its own, which cosines are confused by."""
    rng = np.random.default_rng(seed)
    shape = (count, 2**num_qubits)
    noise = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    states = rng.normal(size=2**num_qubits) + spread * noise
    states *= np.exp(2j * np.pi * rng.random((count, 1)))
    return states / np.linalg.norm(states, axis=1, keepdims=True)


@given(
    count=st.integers(1, 300),
    num_qubits=st.integers(1, 4),
    spread=st.sampled_from([0.1, 1.0, 10.0]),
    wanted=st.integers(1, 12),
    label=st.sampled_from([None, 1]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_the_result_is_that_of_brute_force(count, num_qubits, spread, wanted, label, seed):
    states = random_states(count, num_qubits, spread, seed)
    query = random_states(1, num_qubits, spread, seed)[0]
    service: Any = Cosines(states, 2 * 2**num_qubits + 5)
    where = {} if label is None else {"label": label}
    found = nearest_by_fidelity(service, query, wanted, where, first=4)
    assert found.is_certain
    exact = np.abs(states.conj() @ query) ** 2
    if label is not None:
        exact = exact[service.labels == label]
    np.testing.assert_allclose([m.score for m in found.matches], np.sort(exact)[::-1][:wanted], atol=1e-5)
    assert all(label is None or match.metadata["label"] == label for match in found.matches)


def test_few_candidates_are_enough_where_states_differ():
    states = random_states(2000, 4, 10.0, 0)
    service: Any = Cosines(states, 768)
    found = nearest_by_fidelity(service, 1j * states[7], 1, {}, first=50)
    assert (found.matches[0].id, found.is_certain) == ("7", True)
    assert service.asked == [50] * 4


def test_cosines_see_the_phase_that_fidelity_does_not():
    states = random_states(50, 2, 1.0, 1)
    service: Any = Cosines(states, 8)
    assert nearest_by_cosine(service, "states", states[3], 1, {}).matches[0].id == "3"
    turned = nearest_by_cosine(service, "states", -states[3], 50, {}).matches
    assert turned[-1].id == "3"


def test_a_state_wider_than_the_index_is_refused():
    service: Any = Cosines(random_states(3, 2, 1.0, 0), 8)
    with pytest.raises(TooWideError, match="8"):
        nearest_by_fidelity(service, np.ones(8), 1, {})
