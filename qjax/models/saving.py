"""The model of a run as its newest checkpoint has it."""

from __future__ import annotations

from typing import Any

from qjax.errors import StoreError
from qjax.simulator import Simulator
from qjax.store import ModelRecord, RunStore
from qjax.store.models import read_models
from qjax.train.artifact import describe_model, params_to_bytes, trained_model
from qjax.train.checkpoint import state_from_bytes
from qjax.train.replay import prepare_recorded
from qjax.train.run import initial_state


def model_of_run(store: RunStore, wanted: str) -> ModelRecord:
    """Makes the model of a run, also of one that was broken off; of a finished one it is there already.

    Args:
        store: the store, which is only read.
        wanted: id, beginning of an id, or "latest".

    Returns:
        The model.

    Raises:
        StoreError: the run has no checkpoint yet, or keeps no record of its data.
    """
    run = store.run(wanted)
    with store.transaction("read") as connection:
        kept = [model for model in read_models(connection, store.path) if model.run == run.id]
    if run.status == "finished" and kept:
        return kept[0]
    checkpoint = store.latest_checkpoint(run.id)
    if checkpoint is None:
        raise StoreError(f"Run {run.id} has no checkpoint yet, so it has no model. Train it further first.")
    # Nothing is run, so any executor will do.
    prepared = prepare_recorded(store, run, Simulator())
    state = state_from_bytes(initial_state(prepared), checkpoint.payload)
    results: dict[str, Any] = {"steps": checkpoint.step}
    for evaluation in store.evaluations(run.id):
        if evaluation.step == checkpoint.step and evaluation.accuracy is not None:
            results[f"{evaluation.split}_accuracy"] = evaluation.accuracy
    return trained_model(describe_model(prepared, run), params_to_bytes(state.params), results)
