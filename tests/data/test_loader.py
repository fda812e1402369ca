from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qjax.data import BatchLoader
from qjax.errors import ArgumentError, DataError


@st.composite
def loaders(draw, **fixed):
    num_samples = draw(st.integers(1, 20))
    options = {
        "batch_size": draw(st.integers(1, num_samples)),
        "num_epochs": draw(st.integers(1, 4)),
        "seed": draw(st.integers(0, 2**40)),
        "shuffle": draw(st.booleans()),
        "drop_last": draw(st.booleans()),
    } | fixed
    features = np.arange(num_samples * 2, dtype=np.float32).reshape(num_samples, 2) + 0.5
    return BatchLoader(features, 10 * np.arange(num_samples), **options), num_samples, options


def same(first, second):
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def concatenated(chunks):
    return tuple(np.concatenate(parts) for parts in zip(*chunks, strict=True))


@given(loaders(drop_last=False))
def test_every_epoch_visits_every_sample_once(case):
    loader, num_samples, options = case
    assert loader.num_steps == options["num_epochs"] * loader.steps_per_epoch
    for epoch in range(options["num_epochs"]):
        chunk = loader.chunk(epoch * loader.steps_per_epoch, loader.steps_per_epoch)
        visited = chunk.indices[chunk.indices >= 0]
        assert sorted(visited.tolist()) == list(range(num_samples))
        assert chunk.weights.sum() == num_samples
        if not options["shuffle"]:
            assert visited.tolist() == list(range(num_samples))


@given(loaders(drop_last=True))
def test_without_the_last_batch_all_batches_are_full_and_without_repeats(case):
    loader, num_samples, options = case
    assert loader.steps_per_epoch == num_samples // options["batch_size"]
    chunk = loader.chunk(0, loader.num_steps)
    assert (chunk.weights == 1.0).all()
    for rows in np.split(chunk.indices, options["num_epochs"]):
        assert len(np.unique(rows)) == rows.size


@given(loaders(), st.integers(0, 30), st.integers(1, 30))
def test_chunk_is_consistent_and_padded(case, start, length):
    loader, num_samples, options = case
    features, targets, weights, indices = loader.chunk(start, length)
    batch_size = options["batch_size"]
    assert features.shape == (length, batch_size, 2)
    assert targets.shape == weights.shape == indices.shape == (length, batch_size)
    assert (features.dtype, targets.dtype) == (np.float32, np.int64)
    assert (weights.dtype, indices.dtype) == (np.float32, np.int32)
    real = indices >= 0
    assert np.array_equal(weights, real.astype(float))
    assert np.array_equal(targets[real], 10 * indices[real])
    assert np.array_equal(features[real][:, 0], 2 * indices[real] + 0.5)
    assert (indices[~real] == -1).all()
    assert np.isin(targets, 10 * np.arange(num_samples)).all()
    assert np.array_equal(features[..., 0], targets / 5 + 0.5)
    beyond = np.arange(start, start + length) >= loader.num_steps
    assert not real[beyond].any()
    assert real[~beyond].any(axis=1).all()


@given(loaders(), st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 10), st.data())
def test_chunk_boundaries_do_not_matter(case, lengths, first, data):
    loader, _, _ = case
    chunks, step = [], first
    for length in lengths:
        if data.draw(st.booleans()):
            loader.prefetch(step, length)
        chunks.append(loader.chunk(step, length))
        step += length
    loader.close()
    assert same(concatenated(chunks), loader.chunk(first, sum(lengths)))


@given(loaders(), st.integers(0, 30))
def test_step_is_a_function_of_seed_and_step_alone(case, step):
    loader, num_samples, options = case
    features = np.arange(num_samples * 2, dtype=np.float32).reshape(num_samples, 2) + 0.5
    resumed = BatchLoader(features, 10 * np.arange(num_samples), **options)
    loader.chunk(0, step + 5)
    assert same(loader.chunk(step, 1), resumed.chunk(step, 1))


def test_order_is_the_documented_permutation():
    loader = BatchLoader(np.zeros((11, 1)), np.zeros(11), batch_size=4, num_epochs=5, seed=3)
    for epoch in range(5):
        expected = np.random.default_rng(np.random.SeedSequence([3, epoch])).permutation(11)
        assert loader.chunk(3 * epoch, 3).indices.ravel()[:11].tolist() == expected.tolist()


def test_epochs_and_seeds_differ():
    orders = set()
    for seed in range(4):
        loader = BatchLoader(np.zeros((50, 1)), np.zeros(50), batch_size=50, num_epochs=4, seed=seed)
        orders |= {tuple(row) for row in loader.chunk(0, 4).indices.tolist()}
    assert len(orders) == 16


def test_caller_dtypes_are_kept_and_integer_features_get_float64_weights():
    loader = BatchLoader(np.ones((3, 1), np.int8), np.ones(3, np.float32), batch_size=2, num_epochs=1, seed=0)
    chunk = loader.chunk(0, 2)
    assert [part.dtype.name for part in chunk] == ["int8", "float32", "float64", "int32"]


def make_loader(num_samples=6):
    return BatchLoader(
        np.arange(num_samples)[:, None] * 1.0, np.arange(num_samples), batch_size=2, num_epochs=2, seed=0
    )


class Spy(np.ndarray):
    """Features that note which threads gather from them, and may be made to fail."""

    threads: list[str]
    fails = False

    def __getitem__(self, key):
        if type(self).fails:
            raise MemoryError("no memory for this chunk")
        type(self).threads.append(threading.current_thread().name)
        return np.asarray(self)[key]


@pytest.fixture
def spied():
    class Fresh(Spy):
        threads: list[str] = []  # noqa: RUF012

    loader = make_loader()
    loader._features = loader._features.view(Fresh)
    yield loader, Fresh
    loader.close()


def prefetch_threads():
    return [t for t in threading.enumerate() if t.name.startswith("qjax-prefetch")]


def test_matching_chunk_takes_what_the_thread_prepared(spied):
    loader, spy = spied
    loader.prefetch(1, 3)
    taken = loader.chunk(1, 3)
    assert len(spy.threads) == 1
    assert spy.threads[0].startswith("qjax-prefetch")
    assert same(taken, make_loader().chunk(1, 3))
    loader.chunk(1, 3)
    assert spy.threads[1:] == [threading.current_thread().name]


def test_other_chunk_discards_what_the_thread_prepared(spied):
    loader, spy = spied
    loader.prefetch(0, 2)
    assert same(loader.chunk(2, 2), make_loader().chunk(2, 2))
    assert same(loader.chunk(0, 2), make_loader().chunk(0, 2))
    assert spy.threads.count(threading.current_thread().name) == 2


def test_later_prefetch_replaces_an_earlier_one(spied):
    loader, spy = spied
    for start in range(4):
        loader.prefetch(start, 2)
    assert same(loader.chunk(3, 2), make_loader().chunk(3, 2))
    assert threading.current_thread().name not in spy.threads


def test_error_in_the_thread_surfaces_in_chunk_and_the_loader_recovers(spied):
    loader, spy = spied
    spy.fails = True
    loader.prefetch(0, 2)
    with pytest.raises(MemoryError, match="no memory for this chunk"):
        loader.chunk(0, 2)
    spy.fails = False
    assert same(loader.chunk(0, 2), make_loader().chunk(0, 2))


def test_close_ends_the_thread_and_chunk_keeps_working():
    before = prefetch_threads()
    with make_loader() as loader:
        loader.prefetch(0, 2)
        started = [t for t in prefetch_threads() if t not in before]
        assert len(started) == 1
    assert not started[0].is_alive()
    loader.close()
    assert same(loader.chunk(0, 2), make_loader().chunk(0, 2))
    with pytest.raises(DataError, match="closed loader cannot prefetch"):
        loader.prefetch(0, 2)


def test_loader_without_prefetch_starts_no_thread():
    before = prefetch_threads()
    make_loader().chunk(0, 4)
    assert prefetch_threads() == before


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"num_epochs": 0}, "num_epochs"),
        ({"num_epochs": "3"}, "num_epochs"),
        ({"seed": -1}, "seed"),
        ({"features": np.zeros(4)}, "features"),
        ({"targets": np.zeros(5)}, "features"),
    ],
)
def test_argument_out_of_range_is_named(options, argument):
    good = {"features": np.zeros((4, 1)), "targets": np.zeros(4), "batch_size": 2, "num_epochs": 1, "seed": 0}
    with pytest.raises(ArgumentError) as caught:
        BatchLoader(**(good | options))
    assert caught.value.argument == argument


def test_batch_larger_than_the_data_names_both_numbers():
    with pytest.raises(ArgumentError, match=r"be at most 4, the number of samples, but it is 5"):
        BatchLoader(np.zeros((4, 1)), np.zeros(4), batch_size=5, num_epochs=1, seed=0)


@pytest.mark.parametrize("method", ["chunk", "prefetch"])
@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, 0), (0.0, 1), (0, None)])
def test_steps_out_of_range_are_refused_at_once(method, start, length):
    with pytest.raises(ArgumentError), make_loader() as loader:
        getattr(loader, method)(start, length)
