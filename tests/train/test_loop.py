"""The loop: compiled once, the same numbers however steps fall into chunks, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest

from qjax import Simulator
from qjax.errors import QjaxError
from qjax.train import loop, train
from qjax.train.loop import DivergedError, StepTimeoutError

from .problems import METHODS, Watcher, same, tiny

COMPILED = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """Names of the functions that JAX compiles during the test."""
    names: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == COMPILED:
            names.append(str(kwargs["fun_name"]))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.mark.parametrize("method", ["adjoint", "spsa_subsampled-shots"])
def test_steps_are_traced_and_compiled_once(
    method: str, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    traces: list[int] = []
    expectations = Simulator.expectations

    def counted(self, *args, **kwargs):
        traces.append(1)
        return expectations(self, *args, **kwargs)

    monkeypatch.setattr(Simulator, "expectations", counted)
    counts, seen = [], []
    for epochs, chunk_seconds in ((1, 0.5), (4, 0.0), (7, 1e9)):
        monkeypatch.setattr(loop, "CHUNK_SECONDS", chunk_seconds)
        traces.clear()
        compiled.clear()
        watcher = Watcher()
        result = train(tiny(epochs=epochs, evaluate="epoch", **METHODS[method]), observers=[watcher])
        assert result.evaluation_circuits == 28 * epochs
        counts.append(len(traces))
        seen.append(watcher.lengths)
        assert compiled.count("jit(scan)") == 1
        assert compiled.count("jit(evaluate)") == 1
    assert len(set(counts)) == 1
    assert seen[1] == [1] * 12
    assert max(seen[2]) > 1


@pytest.mark.parametrize("method", ["adjoint", "spsa_parallel-shots"])
def test_numbers_do_not_depend_on_chunks(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(epochs=4, **METHODS[method])
    watchers = []
    for chunk_seconds, most in ((0.0, 2048), (1e9, 2048), (1e9, 5)):
        monkeypatch.setattr(loop, "CHUNK_SECONDS", chunk_seconds)
        monkeypatch.setattr(loop, "_MAX_STEPS", most)
        watchers.append(Watcher())
        train(config, observers=[watchers[-1]])
    assert [watcher.lengths for watcher in watchers] == [[1] * 12, [1, 2, 4, 5], [1, 2, 4, 5]]
    for watcher in watchers[1:]:
        assert same(watcher.infos, watchers[0].infos)
        assert watcher.payload == watchers[0].payload


def test_another_seed_gives_other_numbers_and_the_same_seed_the_same() -> None:
    payloads = []
    for seed in (3, 3, 4):
        watcher = Watcher()
        train(tiny(seed=seed), observers=[watcher])
        payloads.append(watcher.payload)
    assert payloads[0] == payloads[1] != payloads[2]


@pytest.mark.parametrize(("evaluate", "steps"), [("epoch", [3, 6]), ("end", [6]), ("never", [])])
def test_evaluations_come_when_they_are_due(evaluate: str, steps: list[int]) -> None:
    watcher = Watcher()
    result = train(tiny(evaluate=evaluate, epochs=2), observers=[watcher])
    assert [chunk.next_step for chunk in watcher.chunks if chunk.evaluations] == steps
    assert result.evaluation_circuits == 28 * len(steps)
    first_steps = [chunk.first_step for chunk in watcher.chunks]
    assert first_steps == np.cumsum([0, *watcher.lengths])[:-1].tolist()
    assert sum(watcher.lengths) == 6
    if evaluate == "never":
        assert (result.train_score, result.test_score) == (None, None)
        assert result.loss == watcher.infos.loss[-1]
    else:
        train_part, test_part = watcher.chunks[-1].evaluations
        assert (train_part.split, test_part.split) == ("train", "test")
        assert (train_part.circuits, test_part.circuits) == (22, 6)
        assert (result.loss, result.train_score) == (train_part.loss, train_part.score)
        assert result.test_score == test_part.score
        assert (22 * train_part.score) % 1 == pytest.approx(0, abs=1e-5)
        assert (6 * test_part.score) % 1 == pytest.approx(0, abs=1e-5)


def test_a_run_that_diverges_says_so_and_shows_no_bad_step() -> None:
    watcher = Watcher()
    with pytest.raises(DivergedError, match=r"The loss of step \d+ is .* Lower `learning_rate`") as caught:
        train(tiny(learning_rate=1e38, loss="squared_error"), observers=[watcher])
    assert isinstance(caught.value, QjaxError)
    assert "\n" not in str(caught.value)
    assert all(np.isfinite(chunk.infos.loss).all() for chunk in watcher.chunks)


def test_an_evaluation_that_is_no_number_ends_the_run() -> None:
    # One step, whose own loss is still a number.
    config = tiny(learning_rate=3e38, loss="squared_error", num_samples=10, evaluate="end")
    with pytest.raises(DivergedError, match="The train loss after step 0 is"):
        train(config)


def test_a_step_that_takes_too_long_ends_the_run_after_it_was_shown() -> None:
    watcher = Watcher()
    with pytest.raises(StepTimeoutError, match=r"Step 0 took .* `batch_submission_timeout`"):
        train(tiny(batch_submission_timeout=1e-9), observers=[watcher])
    assert watcher.lengths == [1]
    # Nothing is left to stop once the last step is done.
    assert train(tiny(batch_submission_timeout=1e-9, batch_size=22)).gradient_circuits == 22
