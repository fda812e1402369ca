"""Recorded states and samples as an index, and the ids by which they are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from qjax.errors import ArgumentError, StoreError
from qjax.search.index import VectorIndex
from qjax.store import RunData, RunStore

Kind = Literal["states", "samples"]

_ID = re.compile(r"(?P<run>[^#]+)#(?:state_t(?P<step>\d+)|sample)_i(?P<place>\d+)")


class _Part(NamedTuple):
    run: str
    step: int
    epoch: int
    places: np.ndarray
    values: np.ndarray


def read_index(store: RunStore, runs: Sequence[str], kind: Kind) -> VectorIndex:
    """Reads states or samples into memory.

    States are what the circuit made of a sample after so many steps: `RUN#state_t{step}_i{place}`. Samples
    are what the circuit took: `RUN#sample_i{place}`. The place is that in the prepared data, where the
    training part comes first.

    Args:
        store: the store.
        runs: full run ids, of models with as many amplitudes or features each.
        kind: "states" or "samples".

    Returns:
        The index, with the metadata `run`, `split`, `sample` (its place in the dataset), `label` and, for
        states, `step` and `epoch` (epochs done).

    Raises:
        ArgumentError: the kind does not exist, or the runs differ in dimension.
        StoreError: nothing of this kind is recorded, or it cannot be read.
    """
    if kind not in get_args(Kind):
        raise ArgumentError("kind", 'be "states" or "samples"', f"it is {kind!r}", "Pick one of them.")
    parts, data = [], {}
    for run in runs:
        if not store.has_data(run):
            continue
        data[run] = store.data(run)
        parts += _states(store, run) if kind == "states" else [_samples(run, data[run])]
    if not parts:
        cure = 'Train with `--set record_states="epoch"`' if kind == "states" else "Train one"
        raise StoreError(
            f"No {kind} are recorded in {store.path} for what was asked. {cure}, or name another run."
        )
    dimensions = sorted({part.values.shape[1] for part in parts})
    if len(dimensions) > 1:
        raise ArgumentError(
            "runs",
            "be of models of one size",
            f"their {kind} have {' and '.join(map(str, dimensions))} numbers",
            "Name one run, or several of the same model.",
        )
    return _index(parts, data, kind)


def resolve(store: RunStore, text: str) -> tuple[str, Kind, np.ndarray]:
    """Finds the state or the sample that an id names.

    Args:
        store: the store.
        text: `RUN#state_t{step}_i{place}` or `RUN#sample_i{place}`, with a run's id, its beginning or
            "latest".

    Returns:
        The full id, its kind and its values `[D]`.

    Raises:
        ArgumentError: the text is no such id.
        StoreError: nothing of this id is recorded.
    """
    parts = _ID.fullmatch(text)
    if parts is None:
        raise ArgumentError(
            "QUERY",
            "be an id such as latest#state_t46_i3 or latest#sample_i3, or a .npy file",
            f"it is {text[:80]!r}",
            "`qjax search` prints such ids.",
        )
    run, place = store.run(parts["run"]).id, int(parts["place"])
    kind: Kind = "samples" if parts["step"] is None else "states"
    if kind == "samples":
        rows = store.data(run).prepared_features
        if place < len(rows):
            return f"{run}#sample_i{place}", kind, rows[place]
        raise StoreError(
            f"Run {run} has {len(rows):,} samples, so there is none at place {place}. Name another."
        )
    for states in store.states(run, int(parts["step"])):
        found = np.flatnonzero(states.samples == place)
        if found.size:
            return f"{run}#state_t{parts['step']}_i{place}", kind, states.values[found[0]]
    steps = store.state_steps(run)
    kept = f"states after the steps {', '.join(map(str, steps[:8]))}" if steps else "no states"
    raise StoreError(
        f"Run {run} keeps no state of place {place} after step {parts['step']}; it keeps {kept}."
    )


def _states(store: RunStore, run: str) -> list[_Part]:
    batches = np.asarray(store.metrics(run).batch)
    steps_per_epoch = int(batches.max(initial=0)) + 1
    return [
        _Part(run, states.step, states.step // steps_per_epoch, states.samples, states.values)
        for states in store.states(run)
    ]


def _samples(run: str, data: RunData) -> _Part:
    return _Part(run, 0, 0, np.arange(len(data.prepared_features)), data.prepared_features)


def _index(parts: list[_Part], data: dict[str, RunData], kind: Kind) -> VectorIndex:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("run", "split", "sample", "label", "step", "epoch")
    }
    ids: list[str] = []
    for part in parts:
        about, size = data[part.run], len(part.places)
        originals = about.order[part.places]
        labels = about.targets[originals]
        columns["run"].append(np.full(size, part.run))
        columns["split"].append(np.where(part.places < about.num_train, "train", "test"))
        columns["sample"].append(originals)
        columns["label"].append(np.asarray(about.class_names)[labels] if about.class_names else labels)
        columns["step"].append(np.full(size, part.step))
        columns["epoch"].append(np.full(size, part.epoch))
        name = f"{part.run}#state_t{part.step}_i" if kind == "states" else f"{part.run}#sample_i"
        ids += [f"{name}{place}" for place in part.places.tolist()]
    kept = {
        name: np.concatenate(arrays)
        for name, arrays in columns.items()
        if kind == "states" or name not in ("step", "epoch")
    }
    return VectorIndex(ids, np.concatenate([part.values for part in parts]), kept)
