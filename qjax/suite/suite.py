"""What a suite file says: every cell of datasets x models x methods x seeds with its configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qjax.checks import as_finite, as_integer, shown
from qjax.errors import ArgumentError, QjaxError
from qjax.train.config import TrainingConfig

FROZEN = "frozen circuit"
_KEYS = ("name", "datasets", "models", "methods", "seeds", "num_seeds", "defaults", "latency")


class SuiteError(QjaxError, ValueError):
    """A suite file cannot work; the message names the place, the key and the cure."""


@dataclass(frozen=True)
class Latency:
    """The hardware that times are modelled for: circuits run one after another, jobs wait in a queue.

    Args:
        seconds_per_job: queue of a submission, in seconds.
        seconds_per_circuit: execution of a circuit, in seconds.

    Example:
        >>> Latency().seconds(circuits=970, jobs=1)
        244.5
    """

    seconds_per_job: float = 2.0
    seconds_per_circuit: float = 0.25

    def seconds(self, circuits: float, jobs: float) -> float:
        """The time that circuits in so many jobs take."""
        return jobs * self.seconds_per_job + circuits * self.seconds_per_circuit


@dataclass(frozen=True)
class Cell:
    """One training of a suite.

    Args:
        dataset: what the suite calls the dataset.
        model: name of the model.
        method: name of the method, or `FROZEN` for the model's twin whose circuit is not trained.
        config: what is trained; its seed is the cell's.
    """

    dataset: str
    model: str
    method: str
    config: TrainingConfig

    def __str__(self) -> str:
        return f"{self.dataset}, {self.model}, {self.method}, seed {self.config.seed}"


@dataclass(frozen=True)
class Suite:
    """What is trained and compared.

    Args:
        name: the suite's name.
        cells: every training, those of one dataset and model together, the frozen twin last.
        seeds: the seeds.
        latency: the hardware that times are modelled for.
    """

    name: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    latency: Latency


def read_suite(path: Path) -> Suite:
    """Reads a suite file.

    A configuration is made of the keys in `[defaults]`, of its dataset, its model and its method; of a key
    in several of them the last one holds.

    Args:
        path: the TOML file.

    Returns:
        The suite.

    Raises:
        SuiteError: if the file cannot be read, or says something that cannot work.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SuiteError(f"The suite `{path}` cannot be read ({error.strerror}). Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SuiteError(f"The suite `{path}` is not TOML ({error}). Correct the line it names.") from None
    try:
        return parse_suite(content, path.stem)
    except QjaxError as error:
        raise SuiteError(f"In the suite `{path}`: {error}") from None


def parse_suite(content: Mapping[str, Any], default_name: str) -> Suite:
    """A suite from what its file holds.

    Args:
        content: the parsed file.
        default_name: its name where the file gives none.

    Returns:
        The suite.

    Raises:
        QjaxError: if something cannot work.

    Example:
        >>> suite = parse_suite({
        ...     "datasets": ["rings"],
        ...     "num_seeds": 2,
        ...     "defaults": {"num_qubits": 2},
        ...     "models": [{"name": "small", "num_layers": 1}],
        ...     "methods": [{"name": "exact", "gradient_method": "adjoint"}],
        ... }, "demo")
        >>> [str(cell) for cell in suite.cells][:2]
        ['rings, small, exact, seed 0', 'rings, small, exact, seed 1']
    """
    for key in content:
        if key not in _KEYS:
            raise ArgumentError(
                key, "be a key of a suite", "there is none of that name", f"The keys are {', '.join(_KEYS)}."
            )
    defaults = content.get("defaults", {})
    if not isinstance(defaults, dict):
        raise _wrong("defaults", "be a table", defaults, "Write `[defaults]` above its keys.")
    _check_keys(defaults, "[defaults]", ())
    datasets = _tables(content, "datasets", "dataset")
    models, methods = (_tables(content, key, "name") for key in ("models", "methods"))
    seeds = _seeds(content)
    cells = tuple(_cells(defaults, datasets, models, methods, seeds))
    if len({cell.config.dtype for cell in cells}) > 1:
        cure = "Set it once, in `[defaults]`: the modes of JAX that the two need exclude each other."
        raise ArgumentError("dtype", "be the same in the whole suite", "both are used", cure)
    if any(cell.config.executor != "simulator" for cell in cells):
        but = "another is named"
        cure = "Leave it out, and train on other executors with `qjax train`, which knows what they cost."
        raise ArgumentError("executor", 'be "simulator" in a suite', but, cure)
    name = content.get("name", default_name)
    if not (isinstance(name, str) and name.strip() and name.isprintable() and "/" not in name):
        raise _wrong("name", "be printable text without slashes", name, "Give the suite a short name.")
    return Suite(name, cells, seeds, _latency(content.get("latency", {})))


def _cells(
    defaults: Mapping[str, Any],
    datasets: Sequence[tuple[str, dict[str, Any]]],
    models: Sequence[tuple[str, dict[str, Any]]],
    methods: Sequence[tuple[str, dict[str, Any]]],
    seeds: Sequence[int],
) -> Iterator[Cell]:
    twin = (FROZEN, {"gradient_method": "frozen", "gradient_subsample_size": None})
    for dataset, dataset_keys in datasets:
        for model, model_keys in models:
            for method, method_keys in [*methods, twin]:
                for seed in seeds:
                    values = {"evaluate": "end", **defaults, **dataset_keys, **model_keys, **method_keys}
                    try:
                        config = TrainingConfig.from_mapping({**values, "seed": seed})
                    except ArgumentError as error:
                        raise SuiteError(f"{dataset}, {model}, {method}: {error}") from None
                    yield Cell(dataset, model, method, config)


def _tables(content: Mapping[str, Any], key: str, naming: str) -> list[tuple[str, dict[str, Any]]]:
    """The entries of a list of tables with what names each; a dataset may be its name alone."""
    example = (
        '`datasets = ["breast_cancer", "rings"]`' if naming == "dataset" else f"`[[{key}]]` with a `name`"
    )
    entries = content.get(key)
    if not isinstance(entries, list) or not entries:
        but = "is missing" if entries is None else f"is {shown(entries)}"
        raise ArgumentError(key, "hold one entry or more", f"it {but}", f"Write {example}.")
    found: list[tuple[str, dict[str, Any]]] = []
    for number, entry in enumerate(entries, 1):
        place = f"{key}, entry {number}"
        table = {"dataset": entry} if naming == "dataset" and isinstance(entry, str) else entry
        name = (table.get("name") or table.get(naming)) if isinstance(table, dict) else None
        if not isinstance(name, str) or not isinstance(table.get(naming), str):
            raise _wrong(place, f"have a `{naming}`", entry, f"Write {example}.")
        if name in [other for other, _ in found] or name == FROZEN:
            raise _wrong(place, "have a name of its own", name, 'Give it another one, `name = "..."`.')
        _check_keys(table, place, ("name", naming))
        found.append((name, {k: v for k, v in table.items() if k != "name"}))
    return found


def _check_keys(table: Mapping[str, Any], place: str, others: Sequence[str]) -> None:
    known = {field.name for field in fields(TrainingConfig)} - {"dataset", "seed"}
    for key in table:
        if key in others or key in known:
            continue
        if key in ("dataset", "seed"):
            raise ArgumentError(
                key, f"be left out of {place}", "it is set there", f"Write `{key}s = [...]` at the top."
            )
        try:
            TrainingConfig.from_mapping({key: None})
        except ArgumentError as error:
            raise SuiteError(f"{place}: {error}") from None


def _seeds(content: Mapping[str, Any]) -> tuple[int, ...]:
    seeds, number = content.get("seeds"), content.get("num_seeds")
    if seeds is not None and number is not None:
        cure = "Leave one of them out: `num_seeds = 3` means `seeds = [0, 1, 2]`."
        raise ArgumentError("seeds", "stand without `num_seeds`", "both are given", cure)
    if number is not None:
        count = as_integer(number)
        if count is None or count < 1:
            raise _wrong("num_seeds", "be an integer of 1 or more", number, "Write `num_seeds = 3`.")
        return tuple(range(count))
    if seeds is None:
        raise ArgumentError("seeds", "be given", "it is not", "Write `seeds = [0, 1, 2]` or `num_seeds = 3`.")
    values = [as_integer(seed) for seed in seeds] if isinstance(seeds, list) else []
    good = [value for value in values if value is not None and 0 <= value < 2**32]
    if not values or len(good) != len(values) or len(set(good)) != len(good):
        must = "hold different integers between 0 and 2**32 - 1"
        raise _wrong("seeds", must, seeds, "Write `seeds = [0, 1, 2]`.")
    return tuple(good)


def _latency(table: Any) -> Latency:
    names = [field.name for field in fields(Latency)]
    if not isinstance(table, dict):
        raise _wrong("latency", "be a table", table, "Write `[latency]` above its keys.")
    for key, value in table.items():
        if key not in names:
            cure = f"The keys are {' and '.join(names)}."
            raise ArgumentError(key, "be a key of [latency]", "there is none of that name", cure)
        seconds = as_finite(value)
        if seconds is None or seconds < 0:
            raise _wrong(key, "be seconds, 0 or more", value, "Correct the value.")
    return Latency(**{key: float(value) for key, value in table.items()})


def _wrong(argument: str, must: str, value: Any, cure: str) -> ArgumentError:
    return ArgumentError(argument, must, f"it is {shown(value)}", cure)
