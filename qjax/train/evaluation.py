"""Loss and score on all samples, compiled while the steps are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.executor import Estimate
from qjax.gradients import Params
from qjax.store import Split
from qjax.train.observers import SplitEvaluation
from qjax.train.prepare import Prepared
from qjax.train.step import TrainState

_Scores = dict[Split, tuple[Array, Array]]
"""Loss and score of each part."""


def run_keys(seed: int) -> Array:
    """Keys `[3]` of a run: for the initial parameters, for the steps and for evaluations."""
    return jax.random.split(jax.random.key(seed), 3)


def make_evaluation(
    prepared: Prepared, state: TrainState
) -> Callable[[TrainState], tuple[SplitEvaluation, ...]]:
    """Builds the function that evaluates both parts of the data with one call of the executor.

    Its compilation, where there is one, starts at once in a thread of its own, so that it goes on beside that
    of the steps.

    Args:
        prepared: the run.
        state: any state of the run.

    Returns:
        A function from a state to the evaluations of the training and the test part.
    """
    model, executor = prepared.model, prepared.executor
    sizes: dict[Split, int] = {
        "train": prepared.num_train,
        "test": prepared.test_set.num_samples,
    }
    in_train = np.arange(len(prepared.targets)) < prepared.num_train
    weights = {"train": in_train.astype(model.dtype), "test": (~in_train).astype(model.dtype)}

    def ask(params: Params, step: Array, features: Array) -> Estimate:
        _, _, key = run_keys(prepared.config.seed)
        return executor.expectations(
            model.circuit,
            params.circuit[None],
            features,
            model.observables,
            key=jax.random.fold_in(key, step),
        )

    def score(params: Params, means: Array, targets: Array) -> _Scores:
        predictions = model.head.apply(params.head, means[0])
        by_split = {}
        for split, part in weights.items():
            arguments = (predictions, targets, jnp.asarray(part))
            by_split[split] = (model.loss(*arguments), model.score(*arguments))
        return by_split

    def evaluate(params: Params, step: Array, features: Array, targets: Array) -> tuple[_Scores, Array]:
        result = ask(params, step, features)
        return score(params, result.mean, targets), result.circuits

    def evaluate_outside(
        params: Params, step: Array, features: Array, targets: Array
    ) -> tuple[_Scores, Array]:
        result = ask(params, step, features)
        return jax.jit(score)(params, jnp.asarray(result.mean, model.dtype), targets), result.circuits

    def compiled() -> Callable[..., tuple[_Scores, Array]]:
        if not executor.traceable:
            return evaluate_outside
        lowered = jax.jit(evaluate).lower(state.params, state.step, prepared.features, prepared.targets)
        return lowered.compile()

    pool = ThreadPoolExecutor(1)
    future = pool.submit(compiled)
    pool.shutdown(wait=False)

    def evaluation(state: TrainState) -> tuple[SplitEvaluation, ...]:
        values = future.result()(state.params, state.step, prepared.features, prepared.targets)
        by_split, circuits = values
        per_sample = int(circuits) // len(prepared.targets)

        def report(split: Split) -> SplitEvaluation:
            loss, score = by_split[split]
            return SplitEvaluation(split, float(loss), float(score), per_sample * sizes[split])

        return report("train"), report("test")

    return evaluation
