"""A trained model as data: everything that its predictions need, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jax
import numpy as np

from qjax.gradients import Params
from qjax.store import ModelRecord, RunRecord, to_bytes
from qjax.train.prepare import Prepared

FORMAT = 1
"""Number of the form of a model's description; it grows when a reader has to know."""


def describe_model(prepared: Prepared, run: RunRecord) -> dict[str, Any]:
    """Describes the model of a run, all but what comes of training it.

    Args:
        prepared: what the run was prepared to.
        run: the run.

    Returns:
        JSON data: circuit, head, fitted preprocessing, names of features and classes, units of the targets,
        version of the dataset, and the run with its configuration and environment.
    """
    dataset, model = prepared.dataset, prepared.model
    targets = prepared.train_set.targets
    units = {"mean": float(targets.mean()), "scale": float(targets.std() or 1.0)}
    return {
        "format": FORMAT,
        "name": run.name,
        "run": run.id,
        "circuit": model.circuit.to_json(),
        "circuit_hash": model.circuit.content_hash,
        "config": prepared.config.to_mapping(),
        "preprocessing": prepared.preprocessing.to_mapping(),
        "features": dataset.feature_names,
        "classes": dataset.class_names,
        "units": units if model.task == "regression" else None,
        "dataset": {"name": dataset.name, "version": dataset.content_hash},
        "environment": dict(run.environment),
    }


def params_to_bytes(params: Params) -> bytes:
    """The parameters of a model as the store keeps them.

    Args:
        params: the parameters.

    Returns:
        The arrays in order, see `qjax.store.to_bytes`.
    """
    return to_bytes([np.asarray(leaf) for leaf in jax.tree.leaves(params)])


def trained_model(
    description: Mapping[str, Any],
    params: bytes,
    results: Mapping[str, Any],
    texts: Mapping[str, str] | None = None,
) -> ModelRecord:
    """A trained model as the store keeps it.

    Args:
        description: what `describe_model` gave.
        params: the parameters, see `params_to_bytes`.
        results: what the run came to; what depends on the clock is left out.
        texts: what `entry_texts` gave for the description, where that was asked before.

    Returns:
        The model.
    """
    metrics = {key: value for key, value in results.items() if key != "run" and not key.startswith("seconds")}
    return ModelRecord({**description, "metrics": metrics}, params, datetime.now(UTC), texts or {})
