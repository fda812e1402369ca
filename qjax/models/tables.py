"""From a table of raw features in a file to a table of predictions in another."""

from __future__ import annotations

import csv
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from qjax.data.checks import did_you_mean, listed, shown
from qjax.data.csv_table import read_csv_table
from qjax.errors import DataError
from qjax.models.trained import TrainedModel


class Features(NamedTuple):
    """The features that a model takes, from a file that may hold more.

    Attributes:
        values: float64 `[N, F]`, in the order of the model.
        ignored: names of the columns that the model does not take.
    """

    values: np.ndarray
    ignored: tuple[str, ...]


def read_features(path: Path, model: TrainedModel) -> Features:
    """Reads the columns that a model takes, by their names.

    Args:
        path: a comma-separated file with a header of column names, in UTF-8.
        model: the model.

    Returns:
        The features.

    Raises:
        DataError: the file cannot be read, a column is missing, or a cell holds no number.
    """
    table = read_csv_table(path.expanduser(), min_columns=1)
    missing = [name for name in model.feature_names if name not in table.column_names]
    if missing:
        hint = did_you_mean(missing[0], table.column_names) if len(missing) == 1 else ""
        raise DataError(
            f"{shown(path)} lacks {listed(missing)} of the {len(model.feature_names)} columns that the model "
            f"takes. Name the columns as in the data it was trained on.{hint}"
        )
    columns = [table.numbers(table.column_names.index(name)) for name in model.feature_names]
    ignored = tuple(name for name in table.column_names if name not in model.feature_names)
    return Features(np.stack(columns, axis=1), ignored)


def predictions_table(model: TrainedModel, features: np.ndarray) -> list[list[str]]:
    """Predicts, as a table of text.

    Args:
        model: the model.
        features: raw features `[N, F]`.

    Returns:
        A header, and for each sample its prediction and, where the model has them, the probability of each
        class; numbers read back as the same floats.
    """
    columns = {"prediction": [str(value) for value in model.predict(features)]}
    if model.has_probabilities:
        for name, values in zip(model.class_names, model.predict_proba(features).T, strict=True):
            columns[f"probability_{name}"] = [str(value) for value in values]
    return [list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]


def csv_text(table: list[list[str]]) -> str:
    r"""A table as comma-separated text.

    Args:
        table: rows of cells.

    Returns:
        The text.

    Example:
        >>> csv_text([["a", "b,c"]])
        'a,"b,c"\n'
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(table)
    return stream.getvalue()


def write_whole(path: Path, text: str) -> None:
    """Writes a file; whatever happens, it is whole or as it was before.

    Args:
        path: the file.
        text: what it is to hold.

    Raises:
        DataError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise DataError(
            f"The file {shown(path)} cannot be written ({error.strerror}). Choose another."
        ) from None
