"""Datasets read from .csv and .npz files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np

from qjax.data.checks import listed, shown
from qjax.data.csv_table import read_csv_table
from qjax.data.dataset import Dataset, Task
from qjax.data.targets import encode_classes, infer_task
from qjax.errors import ArgumentError, DataError


def read_csv(path: str | os.PathLike[str], target: str | None = None, task: Task | None = None) -> Dataset:
    r"""Read a dataset from a comma-separated file with a header of column names.

    Args:
        path: the file, in UTF-8.
        target: name of the target column; where left out, the column named "target" or "label" (in any
            case), or else the last one. All other columns are features and hold numbers.
        task: "classification" or "regression"; where left out, text and at most 20 different whole
            numbers make a classification.

    Returns:
        The dataset, named after the file. Classes are numbered in the sorted order of their names.

    Raises:
        ArgumentError: `task` is not one of the two.
        DataError: the file cannot be read, or a place in it, which the message names, is at fault.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "pets.csv")
        ...     _ = path.write_text("weight,height,label\n4.0,25,cat\n30.5,60,dog\n")
        ...     pets = read_csv(path)
        >>> pets.features.tolist(), pets.targets.tolist(), pets.class_names
        ([[4.0, 25.0], [30.5, 60.0]], [0, 1], ('cat', 'dog'))
    """
    _check_task(task)
    path = Path(path).expanduser()
    table = read_csv_table(path)
    target_column = table.find_target(target)
    feature_columns = [i for i in range(len(table.column_names)) if i != target_column]
    return _build(
        path,
        np.stack([table.numbers(i) for i in feature_columns], axis=1),
        table.targets(target_column, task),
        task,
        [table.column_names[i] for i in feature_columns],
    )


def read_npz(path: str | os.PathLike[str], task: Task | None = None) -> Dataset:
    """Read a dataset from the arrays of a numpy archive.

    The archive holds `features` (or `X`), numbers of shape [N, F], and `targets` (or `y`), numbers or
    text of shape [N]. Pickled objects are never loaded, because they can run code.

    Args:
        path: the file, as `numpy.savez` writes it.
        task: as for `read_csv`.

    Returns:
        The dataset, named after the file.

    Raises:
        ArgumentError: `task` is not one of the two.
        DataError: the file cannot be read, an array is missing, or the arrays do not fit together.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "line.npz")
        ...     np.savez(path, X=[[0.0], [1.0], [2.0]], y=[0.5, 1.5, 2.5])
        ...     line = read_npz(path)
        >>> line.task, line.targets
        ('regression', array([0.5, 1.5, 2.5]))
    """
    _check_task(task)
    path = Path(path).expanduser()
    arrays = _read_arrays(path)
    features = _pick(path, arrays, "features", "X")
    targets = _pick(path, arrays, "targets", "y")
    if targets.dtype.kind == "S":
        targets = np.strings.decode(targets, "utf-8", "replace")
    if targets.dtype.kind not in "biufU" or targets.ndim != 1:
        raise DataError(
            f"The targets in {shown(path)} have dtype {targets.dtype} and shape {targets.shape}, but must "
            "be numbers or text of shape [N]. Store one number or one word for each sample."
        )
    bad = np.flatnonzero(~np.isfinite(targets)) if targets.dtype.kind == "f" else []
    if len(bad):
        raise DataError(
            f"The targets in {shown(path)} hold {targets[bad[0]]} at index {bad[0]}. Correct that value, or "
            "leave the sample out."
        )
    return _build(path, features, targets, task, ())


def _build(
    path: Path, features: np.ndarray, targets: np.ndarray, task: Task | None, feature_names: Sequence[str]
) -> Dataset:
    """Encode the targets for the task; the checks of `Dataset` come last."""
    if len(targets) == 0:
        raise DataError(f"{shown(path)} holds no samples. Store at least one.")
    task = task or infer_task(targets)
    if task == "regression":
        return Dataset(path.stem, features, targets, task, (), tuple(feature_names))
    indices, class_names = encode_classes(targets)
    return Dataset(path.stem, features, indices, task, class_names, tuple(feature_names))


def _check_task(task: object) -> None:
    if task is not None and task not in get_args(Task):
        raise ArgumentError(
            "task",
            'be "classification" or "regression"',
            f"it is {shown(task)}",
            "Leave it out to have it inferred from the targets.",
        )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of an archive by name."""
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it holds one array without a name")
        with archive:
            arrays = {name: archive[name] for name in archive.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it holds files that are no arrays")
        return arrays
    except FileNotFoundError:
        raise DataError(f"The file {shown(path)} does not exist. Check the path.") from None
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        RuntimeError,
        SyntaxError,
        BadZipFile,
        ZlibError,
    ) as error:
        reason = shown(getattr(error, "strerror", None) or error)
        raise DataError(
            f"{shown(path)} cannot be read as a numpy archive of plain arrays ({reason}). Write it with "
            "`numpy.savez(path, features=..., targets=...)`."
        ) from None


def _pick(path: Path, arrays: dict[str, np.ndarray], *names: str) -> np.ndarray:
    """Return the one array that has one of the names."""
    found = [name for name in names if name in arrays]
    if len(found) == 1:
        return arrays[found[0]]
    if found:
        raise DataError(f"{shown(path)} holds both {' and '.join(map(shown, found))}. Remove one of them.")
    there = f"only {listed(arrays)}" if arrays else "nothing at all"
    raise DataError(
        f"{shown(path)} holds no array {' or '.join(map(shown, names))}, {there}. "
        "Write it with `numpy.savez(path, features=..., targets=...)`."
    )
