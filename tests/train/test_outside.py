"""Executors outside of JAX: the numbers of the scan, the steps in flight, and how a run ends."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from qjax import Simulator
from qjax.errors import ArgumentError
from qjax.store import RunStore
from qjax.train import TrainingConfig, loop, train
from qjax.train.loop import DivergedError, StepTimeoutError
from qjax.train.prepare import make_executor, prepare
from qjax.train.run import initial_state

from .problems import METHODS, Outside, Watcher, tiny

pytestmark = pytest.mark.usefixtures("quick_compilation")

MEASURED = [name for name in METHODS if name != "adjoint"]


def outside(config: TrainingConfig, **options: Any) -> Outside:
    return Outside(make_executor(config), **options)


def seen(config: TrainingConfig, executor: Outside | None = None) -> Watcher:
    watcher = Watcher()
    train(config, observers=[watcher], prepared=prepare(config, executor))
    return watcher


def assert_same_numbers(one: Watcher, other: Watcher, atol: float = 2e-6) -> None:
    for name, ours, theirs in zip(one.infos._fields, one.infos, other.infos, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=atol, err_msg=name)
    pairs = zip(*(jax.tree.leaves(w.chunks[-1].state._replace(key=())) for w in (one, other)), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=atol)


@pytest.mark.parametrize(
    ("method", "depth", "changes"),
    [
        ("spsa-shots", 0, {}),
        ("spsa_subsampled-shots", 1, {"num_directions": 2, "optimizer": "adam"}),
        ("parameter_shift-shots", 7, {}),
        *(
            pytest.param(method, depth, {"max_parallel_circuits": most}, marks=pytest.mark.long)
            for method in MEASURED
            for depth in (0, 1, 2)
            for most in (None, 3)
        ),
    ],
)
def test_steps_outside_of_jax_give_the_numbers_of_the_scan(
    method: str, depth: int, changes: dict[str, Any]
) -> None:
    config = tiny(epochs=2, pipeline_depth=depth, **METHODS[method], **changes)
    executor = outside(config)
    ours, scanned = seen(config, executor), seen(config)
    assert_same_numbers(ours, scanned)
    assert executor.calls


@pytest.mark.parametrize("depth", [0, 2])
def test_a_gradient_comes_as_many_steps_late_as_told(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an independent account: every call's perturbed pair lies around the parameters of step t - d."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    config = tiny(epochs=2, pipeline_depth=depth, gradient_method="spsa_parallel")
    executor = outside(config)
    watcher = seen(config, executor)
    start = initial_state(prepare(config, executor)).params.circuit
    by_step = [start, *(chunk.state.params.circuit for chunk in watcher.chunks)]
    centres = [params.mean(axis=0) for *_, params in sorted(executor.calls, key=lambda call: call[0])]
    assert len(centres) == 6
    for step, centre in enumerate(centres):
        wanted = by_step[max(0, step - depth)]
        np.testing.assert_allclose(centre, wanted, atol=1e-6)
        others = [other for other in by_step[1:] if not np.array_equal(other, wanted)]
        assert all(np.abs(centre - other).max() > 1e-4 for other in others)


def test_pipelined_steps_are_in_flight_together_and_land_in_order() -> None:
    config = tiny(epochs=2, pipeline_depth=2, gradient_method="spsa_parallel", shots_per_circuit=20)
    # The first of three answers last.
    executor = outside(config, delay=lambda call: 0.0)
    slow = outside(config, delay=_alternating())
    assert_same_numbers(seen(config, slow), seen(config, executor))
    begins, ends = zip(*((began, ended) for began, ended, _ in slow.calls), strict=True)
    most = max(sum(b <= begin < e for b, e in zip(begins, ends, strict=True)) for begin in begins)
    assert most == 3


def _alternating() -> Any:
    counter, lock = iter(range(100)), threading.Lock()

    def delay(_: int) -> float:
        with lock:
            return (0.3, 0.15, 0.05)[next(counter) % 3]

    return delay


def test_resuming_with_steps_in_flight_gives_the_same_numbers(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    for depth in (0, 2):
        config = tiny(epochs=3, pipeline_depth=depth, evaluate="epoch", **METHODS["spsa_subsampled-shots"])
        unbroken = seen(config, outside(config))
        with RunStore.open(tmp_path / str(depth)) as store:
            for stop in (2, 5):
                run = "latest" if stop == 5 else None
                with pytest.raises(KeyboardInterrupt):
                    _train(config, store, run, Watcher(stop_at=stop))
                assert store.run("latest").status == "interrupted"
                assert store.run("latest").steps == stop
            watcher = Watcher()
            _train(config, store, "latest", watcher)
            assert watcher.payload == unbroken.payload
            np.testing.assert_array_equal(store.metrics(store.run("latest").id).loss, unbroken.infos.loss)


def _train(config: TrainingConfig, store: RunStore, run: str | None, watcher: Watcher) -> None:
    train(config, store=store, resume=run, observers=[watcher], prepared=prepare(config, outside(config)))


def test_a_step_without_results_ends_the_run_with_all_that_was_done(tmp_path) -> None:
    config = tiny(epochs=2, **METHODS["spsa_parallel-shots"])
    ready = threading.Event()
    executor = outside(config, delay=lambda call: 0.0 if call < 2 else 0.0 * ready.wait(30))
    with RunStore.open(tmp_path) as store:
        config = replace(config, batch_submission_timeout=0.5)
        # Compiling takes longer than the timeout.
        seen(replace(config, batch_submission_timeout=50.0), outside(config))
        with pytest.raises(StepTimeoutError, match=r"step 2 did not come within 0.5 s .*--resume latest"):
            train(config, store=store, prepared=prepare(config, executor))
        ready.set()
        assert (store.run("latest").status, store.run("latest").steps) == ("interrupted", 2)


def test_what_an_executor_raises_ends_the_run_in_the_words_of_the_executor() -> None:
    class Broken(Outside):
        def expectations(self, *args, **kwargs):
            raise RuntimeError("no network")

    config = tiny(**METHODS["spsa_parallel"])
    with pytest.raises(RuntimeError, match="no network"):
        train(config, prepared=prepare(config, Broken(Simulator())))


def test_a_run_that_diverges_sends_nothing_more() -> None:
    config = tiny(learning_rate=1e38, loss="squared_error", epochs=3, gradient_method="spsa_parallel")
    executor = outside(config)
    with pytest.raises(DivergedError, match="Lower `learning_rate`"):
        train(config, prepared=prepare(config, executor))
    assert len(executor.calls) < 9


def test_nothing_is_evaluated_but_the_result_and_that_is_counted_apart() -> None:
    config = tiny(epochs=2, evaluate="end", **METHODS["spsa_parallel-shots"])
    results = [train(config, prepared=prepare(config, e)) for e in (None, outside(config))]
    assert results[0].evaluation_circuits == results[1].evaluation_circuits == 28
    assert results[0].gradient_circuits == results[1].gradient_circuits == 2 * 44
    assert results[0].jobs == results[1].jobs == 6
    assert results[0].loss == pytest.approx(results[1].loss, abs=1e-5)
    assert results[0].test_score == pytest.approx(results[1].test_score)
    assert TrainingConfig(executor="ionq-local", gradient_method="spsa").evaluation == "end"
    assert TrainingConfig().evaluation == "epoch"


def test_a_method_that_differentiates_the_simulation_is_refused_by_name() -> None:
    words = "Use spsa_subsampled, spsa_parallel, spsa or parameter_shift"
    with pytest.raises(ArgumentError, match=words):
        prepare(tiny(), Outside(Simulator()))
    with pytest.raises(ArgumentError, match=words):
        TrainingConfig(executor="ionq")
    with pytest.raises(ArgumentError, match=r"`executor` must be given as an object.*prepare\(config, exec"):
        prepare(tiny(executor="ionq", gradient_method="spsa"))


def test_the_host_adds_little_to_a_step() -> None:
    """No timing: what is pure is compiled once, so a step makes no program of its own."""
    config = tiny(epochs=4, **METHODS["spsa_subsampled-shots"])
    names: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(str(kwargs.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        seen(config, outside(config))
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert names.count("jit(ask)") == names.count("jit(advance)") == 1
