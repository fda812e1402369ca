"""`qjax search`: the recorded states or samples nearest to a given one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from qjax.errors import ArgumentError, DataError
from qjax.search import read_index, resolve
from qjax.store import RunStore


def search(
    runs_directory: Path,
    query: str,
    *,
    runs: Sequence[str],
    everywhere: bool,
    kind: str | None,
    by: str | None,
    count: int,
    where: dict[str, Any],
    sink_name: str | None = None,
    json_output: bool,
) -> None:
    """Prints the nearest recorded states or samples.

    Args:
        runs_directory: folder of the store.
        query: id of a state or a sample, or a .npy file.
        runs: runs to search; that of the query where empty.
        everywhere: whether to search all runs instead.
        kind: "states" or "samples"; that of the query where None.
        by: "fidelity" or "cosine"; fidelity for states and cosine for samples where None.
        count: how many are wanted.
        where: values that metadata must have; None for any.
        sink_name: a replica to search instead of the store; None for the store.
        json_output: whether to print a JSON list.

    Raises:
        QjaxError: what is asked for does not exist or does not fit.
    """
    if count < 1:
        raise ArgumentError("count", "be 1 or more", f"it is {count}", "Ask for ten, for example.")
    with RunStore.open(runs_directory, create=False) as store:
        own, found_kind, values = None, None, None
        if query.endswith(".npy"):
            values = _read_vector(Path(query))
        else:
            own, found_kind, values = resolve(store, query)
        chosen_kind = _choice("kind", kind or found_kind or "states", ("states", "samples"))
        measure = _choice(
            "by", by or ("fidelity" if chosen_kind == "states" else "cosine"), ("fidelity", "cosine")
        )
        if everywhere:
            wanted = [record.id for record in store.runs()]
        else:
            named = runs or [own.partition("#")[0] if own else "latest"]
            # A run that is named twice is searched once.
            wanted = list(dict.fromkeys(store.run(run).id for run in named))
        if sink_name is not None:
            has_classes = where.get("label") is not None and bool(store.data(wanted[0]).class_names)
            filters = _replica_filters(chosen_kind, where, has_classes)
            places = [None] if everywhere else wanted
            found = _search_replica(sink_name, values, own, chosen_kind, measure, places, count, filters)
            _print_found(found, measure, json_output)
            return
        index = read_index(store, wanted, chosen_kind)
    filters = {name: value for name, value in where.items() if value is not None}
    if "label" in filters and index.columns["label"].dtype.kind == "f":
        filters["label"] = _as_number(filters["label"])
    # One more, because what was asked about is the nearest to itself.
    nearest = [each for each in index.nearest(values, count + 1, by=measure, where=filters) if each.id != own]
    nearest = nearest[:count]
    _print_found([(each.id, each.score, each.metadata) for each in nearest], measure, json_output)


def _search_replica(
    sink_name: str,
    values: np.ndarray,
    own: str | None,
    kind: str,
    measure: str,
    runs: Sequence[str | None],
    count: int,
    filters: dict[str, Any],
) -> list[Found]:
    """The nearest on a service, in each of some runs or (None) in all at once."""
    from qjax.sinks import open_sink
    from qjax.sinks.search import nearest_by_cosine, nearest_by_fidelity

    if measure == "fidelity" and (kind != "states" or not np.iscomplexobj(values)):
        raise ArgumentError(
            "--by", "be cosine where real vectors are searched", "it is fidelity", "Fidelity compares states."
        )
    service, found = open_sink(sink_name).service, []
    for run in runs:
        wanted = filters if run is None else {**filters, "run": run}
        if measure == "fidelity":
            nearest = nearest_by_fidelity(service, values, count + 1, wanted)
        else:
            nearest = nearest_by_cosine(service, kind, values, count + 1, wanted)
        if not nearest.is_certain:
            Console(stderr=True).print(
                "The service gives no more candidates: nearer states may be left out. Name a run or a step."
            )
        found += [tuple(match) for match in nearest.matches if match.id != own]
    return sorted(found, key=lambda each: (-each[1], each[0]))[:count]


def _replica_filters(kind: str, where: dict[str, Any], has_classes: bool) -> dict[str, Any]:
    """Filters by what vectors carry on a service: names of classes, or numbers to be predicted."""
    filters = {name: value for name, value in where.items() if value is not None}
    for name in ("epoch", "split"):
        if kind == "states" and name in filters:
            raise ArgumentError(
                f"--{name}", "be left out for states of a replica", "it is given", "Use --step."
            )
    if "label" in filters:
        label = filters.pop("label")
        filters |= {"class": label} if has_classes else {"label": _as_number(label)}
    return filters


Found = tuple[str, float, Mapping[str, Any]]


def _print_found(found: Sequence[Found], measure: str, json_output: bool) -> None:
    if json_output:
        print(json.dumps([{"id": name, measure: score, **metadata} for name, score, metadata in found]))
        return
    table = Table(box=None, pad_edge=False)
    # Where the terminal is narrow the metadata give way: people copy the id, and ask for the number.
    widths = {"id": 36, measure: 8}
    columns = [name for name in (found[0][2] if found else {}) if name != "run"]
    for heading in ("id", measure, *columns):
        table.add_column(heading, no_wrap=True, min_width=widths.get(heading))
    for name, score, metadata in found:
        table.add_row(name, f"{score:.6f}", *(str(metadata.get(column, "")) for column in columns))
    Console().print(table)


def _choice(argument: str, value: str, known: tuple[str, ...]) -> Any:
    if value not in known:
        raise ArgumentError(
            f"--{argument}", f"be {' or '.join(known)}", f"it is {value!r}", "Pick one of them."
        )
    return value


def _read_vector(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is no array of numbers"
        raise DataError(f"The file `{path}` cannot be read ({reason}). Write it with `numpy.save`.") from None


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentError(
            "--label", "be a number for regression data", f"it is {text!r}", "Give one of its targets."
        ) from None
