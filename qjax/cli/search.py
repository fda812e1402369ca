"""`qjax search`: the recorded states or samples nearest to a given one."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
            wanted = [store.run(run).id for run in runs or [own.partition("#")[0] if own else "latest"]]
        index = read_index(store, list(dict.fromkeys(wanted)), chosen_kind)
    filters = {name: value for name, value in where.items() if value is not None}
    if "label" in filters and index.columns["label"].dtype.kind == "f":
        filters["label"] = _as_number(filters["label"])
    # One more, because what was asked about is the nearest to itself.
    nearest = [each for each in index.nearest(values, count + 1, by=measure, where=filters) if each.id != own]
    nearest = nearest[:count]
    if json_output:
        print(json.dumps([{"id": each.id, measure: each.score, **each.metadata} for each in nearest]))
        return
    table = Table(box=None, pad_edge=False)
    # Where the terminal is narrow the metadata give way: people copy the id, and ask for the number.
    widths = {"id": 36, measure: 8}
    for heading in ("id", measure, *(name for name in index.columns if name != "run")):
        table.add_column(heading, no_wrap=True, min_width=widths.get(heading))
    for each in nearest:
        about = [str(value) for name, value in each.metadata.items() if name != "run"]
        table.add_row(each.id, f"{each.score:.6f}", *about)
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
