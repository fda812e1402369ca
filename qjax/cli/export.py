"""`qjax runs export`: the record of a run as vectors in a file."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from qjax.errors import ArgumentError, DataError
from qjax.store import RunStore
from qjax.store.vectors import VectorReader

_AT_ONCE = 500


def export_vectors(runs_directory: Path, wanted: str, output: Path, kind: str, dimension: int | None) -> None:
    """Writes one JSON object a line, with `id`, `values` and `metadata`; the file is whole or not there.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        output: the file; one that is there is replaced.
        kind: "samples" or "states".
        dimension: numbers of a vector, reached by zeros; None for as many as it has. The true dimension is in
            the metadata.

    Raises:
        QjaxError: the run keeps no record, a vector is wider, or the file cannot be written.
    """
    if kind not in ("samples", "states"):
        raise ArgumentError("--kind", "be samples or states", f"it is {kind!r}", "Pick one of them.")
    chosen: Any = kind
    with RunStore.open(runs_directory, create=False) as store:
        reader = VectorReader(store, store.run(wanted).id)
        count = 0
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=output.absolute().parent, prefix=output.name, suffix=".part", delete=False
            ) as file:
                try:
                    while vectors := reader.read(chosen, count, _AT_ONCE):
                        for vector in vectors:
                            line = {
                                "id": vector.id,
                                "values": _padded(vector.values, dimension),
                                "metadata": dict(vector.metadata),
                            }
                            file.write(json.dumps(line) + "\n")
                        count += len(vectors)
                except BaseException:
                    os.unlink(file.name)
                    raise
            os.replace(file.name, output)
        except OSError as error:
            raise DataError(
                f"The file `{output}` cannot be written ({error.strerror}). Name another one with --output."
            ) from None
    Console().print(f"{count:,} vectors: {output}", highlight=False, markup=False)


def _padded(values: np.ndarray, dimension: int | None) -> list[float]:
    if dimension is None:
        return values.tolist()
    if len(values) > dimension:
        raise ArgumentError(
            "--dimension",
            f"be at least {len(values)}, as vectors are never cut off",
            f"it is {dimension}",
            "Raise it.",
        )
    return np.pad(values, (0, dimension - len(values))).tolist()
