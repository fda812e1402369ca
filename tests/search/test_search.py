"""The nearest vectors are those that comparing with each one finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.errors import ArgumentError, StoreError
from qjax.search import VectorIndex, read_index, resolve
from qjax.store import RunStore
from qjax.train import TrainingConfig, train


def brute_force(values: np.ndarray, query: np.ndarray, by: str) -> np.ndarray:
    """Scores of all vectors, one by one and in the widest precision there is."""
    scores = []
    for value in values.astype(np.clongdouble):
        wanted = query.astype(np.clongdouble)
        norms = np.sqrt(np.sum(np.abs(value) ** 2) * np.sum(np.abs(wanted) ** 2))
        product = np.sum(wanted.conj() * value) / (norms or 1)
        scores.append(float(abs(product) ** 2 if by == "fidelity" else product.real))
    return np.array(scores)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 300),
    dimension=st.sampled_from([1, 2, 16, 33]),
    dtype=st.sampled_from([np.complex64, np.complex128, np.float32, np.float64]),
    complex_query=st.booleans(),
    spread=st.sampled_from([1.0, 1e-3, 1e-7, 0.0]),
    count=st.integers(1, 20),
    by=st.sampled_from(["fidelity", "cosine"]),
    filtered=st.booleans(),
)
def test_search_finds_what_brute_force_finds(
    seed, size, dimension, dtype, complex_query, spread, count, by, filtered
) -> None:
    random = np.random.default_rng(seed)
    # All near one vector, so that their order hangs on the last digits.
    values = random.normal(size=dimension) + spread * random.normal(size=(size, dimension))
    if np.dtype(dtype).kind == "c":
        values = values + 1j * spread * random.normal(size=(size, dimension))
    values = (values * 10.0 ** random.integers(-3, 4)).astype(dtype)
    query = random.normal(size=dimension) + (1j * random.normal(size=dimension) if complex_query else 0)
    labels = random.integers(0, 3, size)
    index = VectorIndex([str(place) for place in range(size)], values, {"label": labels})
    where = {"label": [0, 2]} if filtered else None
    found = index.nearest(query, count, by=by, where=where)
    allowed = np.flatnonzero(labels != 1) if filtered else np.arange(size)
    scores = brute_force(values, np.asarray(query), by)
    expected = np.sort(scores[allowed])[::-1][:count]
    assert len(found) == len(expected)
    np.testing.assert_allclose([each.score for each in found], expected, rtol=1e-12, atol=1e-14)
    assert len({each.id for each in found}) == len(found)
    for each in found:
        assert each.score == pytest.approx(scores[int(each.id)], rel=1e-12, abs=1e-14)
        assert each.metadata == {"label": labels[int(each.id)]}
        assert int(each.id) in allowed


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), phase=st.floats(0, 7))
def test_fidelity_does_not_see_a_phase_and_the_cosine_does(seed: int, phase: float) -> None:
    random = np.random.default_rng(seed)
    states = (random.normal(size=(50, 8)) + 1j * random.normal(size=(50, 8))).astype(np.complex64)
    index = VectorIndex([str(place) for place in range(50)], states, {})
    turned = np.exp(1j * phase) * states[7]
    (best,) = index.nearest(turned, 1)
    assert best.id == "7"
    assert best.score == pytest.approx(1)
    scores = {each.id: each.score for each in index.nearest(turned, 50, by="cosine")}
    assert scores["7"] == pytest.approx(np.cos(phase), abs=1e-6)


@pytest.mark.parametrize(
    ("words", "argument"),
    [
        ({"query": [1.0, 0.0, 0.0]}, "query"),
        ({"query": [0.0, 0.0]}, "query"),
        ({"query": [np.nan, 0.0]}, "query"),
        ({"query": ["a", "b"]}, "query"),
        ({"count": 0}, "count"),
        ({"by": "distance"}, "by"),
        ({"where": {"colour": 1}}, "where"),
    ],
)
def test_what_cannot_be_searched_is_named(words, argument: str) -> None:
    index = VectorIndex(["a"], np.ones((1, 2)), {"label": np.zeros(1)})
    with pytest.raises(ArgumentError) as caught:
        index.nearest(**{"query": [1.0, 0.0], **words})
    assert caught.value.argument == argument
    with pytest.raises(ArgumentError):
        VectorIndex(["a", "b"], np.ones((1, 2)), {})


def test_recorded_states_and_samples_are_found(tmp_path: Path) -> None:
    config = TrainingConfig(
        dataset="iris", num_samples=30, num_qubits=2, num_layers=1, epochs=2, record_states="epoch"
    )
    with RunStore.open(tmp_path) as store:
        first, second = (train(config, store=store).run for _ in range(2))
        train(TrainingConfig(dataset="rings", num_features=2, num_qubits=3, num_samples=30), store=store)
        data = store.data(first)
        for text, kind in ((f"{first}#state_t6_i28", "states"), (f"{first}#sample_i28", "samples")):
            identifier, found_kind, values = resolve(store, text)
            assert (identifier, found_kind) == (text, kind)
            index = read_index(store, [first, second], found_kind)
            twins = index.nearest(values, 2)
            # The same configuration gives the same states.
            assert [each.id for each in twins] == [text, text.replace(first, second)]
            assert twins[0].score == pytest.approx(1)
            about = twins[0].metadata
            original = int(data.order[28])
            expected = {
                "run": first,
                "split": "test",
                "sample": original,
                "label": data.class_names[int(data.targets[original])],
            }
            assert about == (expected | {"step": 6, "epoch": 2} if kind == "states" else expected)
            only = index.nearest(values, 99, where={"split": "train", "run": second})
            assert len(only) == data.num_train * (2 if kind == "states" else 1)
        for text in (
            f"{first}#state_t6_i99",
            f"{first}#state_t5_i1",
            f"{first}#sample_i30",
            "nothing#sample_i0",
        ):
            with pytest.raises(StoreError):
                resolve(store, text)
        with pytest.raises(ArgumentError, match="QUERY"):
            resolve(store, "state 3")
        with pytest.raises(StoreError, match="No states are recorded"):
            read_index(store, [store.run("latest").id], "states")
