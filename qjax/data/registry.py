"""One way to every dataset: by a name of the project's own list, or by the path of a file."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

from qjax.data.bundled import BUNDLED, load_bundled
from qjax.data.checks import did_you_mean, listed, shown
from qjax.data.dataset import Dataset, Task
from qjax.data.files import read_csv, read_npz
from qjax.data.splits import subsample
from qjax.data.synthetic import SYNTHETIC
from qjax.errors import ArgumentError, DataError


def names() -> tuple[str, ...]:
    """Return the names that `load` knows, sorted.

    Example:
        >>> names()[:4]
        ('breast_cancer', 'diabetes', 'digits', 'hidden_manifold')
    """
    return tuple(sorted([*BUNDLED, *SYNTHETIC]))


def load(
    name_or_path: str | os.PathLike[str],
    *,
    target: str | None = None,
    task: Task | None = None,
    num_samples: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Dataset:
    """Return a dataset by its name, or from a .csv or .npz file.

    Args:
        name_or_path: one of `names()`, or a path that ends with ".csv" or ".npz".
        target: name of the target column, for .csv files only.
        task: "classification" or "regression", for files only; inferred where left out.
        num_samples: for synthetic data how many samples to draw; for real data the size of a stratified
            subsample without replacement. All there are where left out.
        seed: seed of the synthetic data, or of the subsample.
        **options: further arguments of the synthetic dataset, such as `noise`.

    Returns:
        The dataset.

    Raises:
        ArgumentError: an argument does not apply to this dataset or is out of range.
        DataError: nothing has this name, or the file is at fault.

    Example:
        >>> load("wine", num_samples=20).features.shape
        (20, 13)
        >>> load("rings", num_samples=50, noise=0.1).num_samples
        50
    """
    name = os.fspath(name_or_path)
    suffix = Path(name).suffix.lower()
    is_file = suffix in (".csv", ".npz")
    if not is_file and name not in names():
        raise DataError(
            f"There is no dataset {shown(name)}. Give a path that ends with .csv or .npz, or one of "
            f"the names {listed(names())}.{did_you_mean(name, names())}"
        )
    _refuse_what_does_not_apply(name, {"target": target}, suffix == ".csv", ".csv files")
    _refuse_what_does_not_apply(name, {"task": task}, is_file, "files")
    if name in SYNTHETIC:
        return _draw_synthetic(name, num_samples, seed, options)
    _refuse_what_does_not_apply(name, options, False, "synthetic datasets")
    if suffix == ".csv":
        dataset = read_csv(name, target, task)
    elif suffix == ".npz":
        dataset = read_npz(name, task)
    else:
        dataset = load_bundled(name)
    return dataset if num_samples is None else subsample(dataset, num_samples, seed)


def _draw_synthetic(name: str, num_samples: int | None, seed: int, options: dict[str, Any]) -> Dataset:
    """Call the function of a synthetic dataset with options that it has."""
    function = SYNTHETIC[name]
    accepted = [p for p in inspect.signature(function).parameters if p not in ("num_samples", "seed")]
    for option in options:
        if option not in accepted:
            raise ArgumentError(
                option,
                f"be left out for dataset {shown(name)}",
                f"it is {shown(options[option])}",
                f"The options of this dataset are {listed(accepted)}.{did_you_mean(option, accepted)}",
            )
    size = {} if num_samples is None else {"num_samples": num_samples}
    return function(**size, seed=seed, **options)


def _refuse_what_does_not_apply(name: str, given: dict[str, Any], applies: bool, where: str) -> None:
    """Refuse arguments that would silently do nothing."""
    for argument, value in given.items():
        if value is not None and not applies:
            raise ArgumentError(
                argument,
                f"be left out for dataset {shown(name)}",
                f"it is {shown(value)}",
                f"It applies to {where} only.",
            )
