"""Any combination of choices is a run that can be traced, or one sentence that says why not."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from qjax import data
from qjax.errors import ArgumentError, QjaxError
from qjax.train import TrainingConfig, init_state, make_step
from qjax.train.config import GRADIENT_METHODS
from qjax.train.optimizers import make_optimizer
from qjax.train.prepare import dispatched, prepare

from ..messages import check_message
from .problems import batch_at, tiny

pytestmark = pytest.mark.usefixtures("quick_compilation")

paulis = st.sampled_from(["Z0", "X1", "Y0 Z1", "Z2", "X0 X1", "", "I0", "Z0 Z0", "z1"])
choices = st.fixed_dictionaries(
    {},
    optional={
        "dataset": st.sampled_from(["rings", "iris", "diabetes", "wine", "parity", "two_curves"]),
        "num_samples": st.integers(2, 60),
        "test_fraction": st.sampled_from([0.01, 0.2, 0.5, 0.99]),
        "num_features": st.none() | st.integers(1, 6),
        "scaling": st.sampled_from(["minmax", "standard", "none", "unit_norm"]),
        "num_qubits": st.integers(1, 4),
        "num_layers": st.integers(1, 3),
        "ansatz": st.sampled_from(["hardware_efficient", "data_reuploading", "strongly_entangling"]),
        "rotations": st.none() | st.lists(st.sampled_from(["rx", "ry", "rz", "h", "cx"]), max_size=3),
        "entangler": st.sampled_from([None, "cx", "cz", "crx", "rzz", "iswap", "swap", "h"]),
        "topology": st.sampled_from([None, "linear", "ring", "full", "brick"]),
        "encoding": st.sampled_from([None, "angle", "iqp", "amplitude", "none"]),
        "observables": st.none() | st.lists(paulis, max_size=3),
        "head": st.sampled_from(["linear", "none"]),
        "loss": st.sampled_from([None, "cross_entropy", "hinge", "squared_error", "huber"]),
        "gradient_method": st.sampled_from(GRADIENT_METHODS),
        "gradient_subsample_size": st.none() | st.integers(1, 12),
        "num_directions": st.integers(1, 3),
        "optimizer": st.sampled_from(["adam", "sgd", "lion", "rprop", "lbfgs"]),
        "schedule": st.sampled_from(["constant", "cosine", "linear", "spall"]),
        "batch_size": st.integers(1, 12),
        "shots_per_circuit": st.none() | st.integers(1, 2**31 - 1),
        "enable_circuit_batching": st.booleans(),
        "max_parallel_circuits": st.none() | st.integers(1, 9),
    },
)


def trace(choice: dict[str, Any]) -> QjaxError | None:
    """Prepares a run and traces its step; the error that refused it, if any."""
    try:
        config = TrainingConfig.from_mapping({**tiny().to_mapping(), **choice})
        prepared = prepare(config)
        model, optimizer = prepared.model, make_optimizer(config, prepared.loader().num_steps)
        objective = model.objective(dispatched(config, prepared.executor))
        step = make_step(objective, prepared.method, optimizer, model.measured_score)
        params = jax.eval_shape(model.init, jax.random.key(0))
        state = jax.eval_shape(
            lambda key: init_state(model.init(key), prepared.method, optimizer, key), jax.random.key(0)
        )
        after, info = jax.eval_shape(step, state, batch_at(prepared, 0))
    except QjaxError as error:
        return error
    same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), state, after)
    assert all(jax.tree.leaves(same))
    assert jax.tree.structure(params) == jax.tree.structure(after.params)
    assert info.loss.shape == ()
    assert prepared.num_train + prepared.test_set.num_samples == len(prepared.features)
    assert prepared.features.shape[1] == model.circuit.num_features
    assert np.isfinite(prepared.features).all()
    return None


def check(choice: dict[str, Any]) -> None:
    error = trace(choice)
    if isinstance(error, ArgumentError):
        check_message(error)
    elif error is not None:
        assert "\n" not in str(error)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(choices)
def test_choices_fit_or_are_refused(choice: dict[str, Any]) -> None:
    check(choice)


@pytest.mark.long
@settings(deadline=None, max_examples=1500, suppress_health_check=[HealthCheck.too_slow])
@given(choices)
def test_choices_fit_or_are_refused_campaign(choice: dict[str, Any]) -> None:
    check(choice)


def test_preprocessing_never_sees_the_test_part(monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(dataset="iris", num_samples=None, num_features=3, num_qubits=3)
    prepared = prepare(config)
    fit = data.Preprocessing.fit

    def watched(features: np.ndarray, **options: Any) -> data.Preprocessing:
        assert np.array_equal(features, prepared.train_set.features)
        return fit(features, **options)

    monkeypatch.setattr(data.Preprocessing, "fit", watched)
    assert np.array_equal(prepare(config).features, prepared.features)
