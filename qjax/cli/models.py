"""`qjax models` and `qjax predict`: trained models and what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qjax.cli.settings import apply_settings
from qjax.errors import StoreError
from qjax.models import Registry, TrainedModel, export_model, import_model
from qjax.models.registry import Listed
from qjax.models.tables import csv_text, predictions_table, read_features, write_whole
from qjax.store import ModelRecord, RunStore, from_bytes
from qjax.store.models import SHOWN_DIGITS
from qjax.train.config import TrainingConfig


def list_models(runs_directory: Path, json_output: bool) -> None:
    """Prints all models, the one kept last first.

    Args:
        runs_directory: folder of the store.
        json_output: whether to print a JSON list.
    """
    with RunStore.open(runs_directory, create=False) as store:
        models = Registry(store).models()
    if json_output:
        print(json.dumps([_to_json(each) for each in models]))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "aliases", "score", "dataset", "name", "run"):
        table.add_column(heading, no_wrap=True, min_width=SHOWN_DIGITS if heading == "model" else None)
    for record, aliases in models:
        about = record.description
        table.add_row(
            record.id[:SHOWN_DIGITS],
            ", ".join(aliases) or "-",
            _score(record),
            # A model may come from elsewhere, and Rich takes brackets for markup.
            *map(escape, (about["dataset"]["name"], about["name"], record.run)),
        )
    Console().print(table)


def show_model(runs_directory: Path, wanted: str, json_output: bool) -> None:
    """Prints one model: what it is, what it reached and where it came from.

    Args:
        runs_directory: folder of the store.
        wanted: alias, id, run, or "latest".
        json_output: whether to print a JSON object.
    """
    with RunStore.open(runs_directory, create=False) as store:
        registry = Registry(store)
        found = registry.find(wanted)
        listed = next(each for each in registry.models() if each.record.id == found.id)
        history = [each for each in registry.promotions() if each.model == found.id]
        known = any(run.id == found.run for run in store.runs())
    # Built, so that what cannot predict is not shown as if it could.
    _check_settings(found)
    model = TrainedModel.from_record(found)
    parameters = sum(array.size for array in from_bytes(found.payload))
    if json_output:
        promotions = [{"alias": each.alias, "promoted_at": each.promoted_at.isoformat()} for each in history]
        about = {"description": dict(found.description), "parameters": parameters, "promotions": promotions}
        print(json.dumps({**_to_json(listed), **about}))
        return
    description = found.description
    lines = {
        "model": found.id,
        "aliases": ", ".join(listed.aliases) or "-",
        "saved": found.saved_at.isoformat(timespec="seconds"),
        "run": f"{found.run}{'' if known else ' (not in this store)'}",
        "dataset": f"{description['dataset']['name']}, version {description['dataset']['version']}",
        "features": f"{len(model.feature_names)}: {', '.join(model.feature_names)}",
        "predicts": ", ".join(model.class_names) or "a number",
        "circuit": f"{model.model.circuit.num_qubits} qubits, {description['circuit_hash']}",
        "parameters": f"{parameters:,}",
        **description["metrics"],
    }
    console = Console()
    for key, value in lines.items():
        console.print(f"{key}: {value}", highlight=False, markup=False, soft_wrap=True)
    for each in history:
        moment = each.promoted_at.isoformat(timespec="seconds")
        console.print(f"promoted to {each.alias} on {moment}", highlight=False)


def promote_model(runs_directory: Path, wanted: str, alias: str) -> None:
    """Lets an alias point to a model.

    Args:
        runs_directory: folder of the store.
        wanted: alias, id, run, or "latest".
        alias: the name, such as "production".
    """
    with RunStore.open(runs_directory, create=False) as store:
        record = Registry(store).promote(wanted, alias)
    print(f"{alias}: {record.id[:SHOWN_DIGITS]}")


def save_model(runs_directory: Path, wanted: str, name: str | None) -> None:
    """Keeps the model of a run as it stands, also of one that was broken off.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        name: an alias to give it, or None.
    """
    from qjax.models.saving import model_of_run

    with RunStore.open(runs_directory, create=False) as store:
        registry = Registry(store)
        apply_settings(TrainingConfig.from_mapping(store.run(wanted).config))
        record = model_of_run(store, wanted)
        registry.save(record)
        if name is not None:
            registry.promote(record.id, name)
    print(record.id[:SHOWN_DIGITS])


def export_to_file(runs_directory: Path, wanted: str, output: Path | None) -> None:
    """Writes a model to one file and prints where it is.

    Args:
        runs_directory: folder of the store.
        wanted: alias, id, run, or "latest".
        output: the file; None for one in this folder, named after the model.
    """
    with RunStore.open(runs_directory, create=False) as store:
        record = Registry(store).find(wanted)
    path = output or Path(f"{record.id[:SHOWN_DIGITS]}.qjax.json")
    export_model(record, path)
    print(path)


def load_from_file(runs_directory: Path, path: Path, name: str | None) -> None:
    """Takes a model from a file into the store.

    Args:
        runs_directory: folder of the store.
        path: the file.
        name: an alias to give it, or None.
    """
    from qjax.models.exchange import read_model

    _check_settings(read_model(path))
    model = import_model(path)
    with RunStore.open(runs_directory) as store:
        registry = Registry(store)
        registry.save(model.record)
        if name is not None:
            registry.promote(model.id, name)
    print(model.id[:SHOWN_DIGITS])


def predict_file(runs_directory: Path, wanted: str, data: Path, output: Path | None) -> None:
    """Predicts for every row of a CSV file.

    Args:
        runs_directory: folder of the store.
        wanted: alias, id, run, "latest", or the path of an exported model.
        data: the CSV file.
        output: where to write the predictions; None for standard output.
    """
    from qjax.models.exchange import read_model

    if Path(wanted).suffix == ".json":
        record = read_model(Path(wanted))
    else:
        with RunStore.open(runs_directory, create=False) as store:
            record = Registry(store).find(wanted)
    _check_settings(record)
    model = TrainedModel.from_record(record)
    features = read_features(data, model)
    text = csv_text(predictions_table(model, features.values))
    if output is None:
        print(text, end="")
    else:
        write_whole(output, text)
    if features.ignored:
        ignored = ", ".join(features.ignored)
        Console(stderr=True).print(f"Columns that the model does not take: {ignored}", markup=False)


def _check_settings(record: ModelRecord) -> None:
    """Turns on what the model needs, as far as what is kept of it can be read."""
    config: Any = record.description.get("config")
    try:
        apply_settings(TrainingConfig.from_mapping(config))
    except (TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"The model {record.id[:SHOWN_DIGITS]} has a configuration that this qjax cannot read ({error}). "
            "Update qjax."
        ) from None


def _to_json(listed: Listed) -> dict[str, Any]:
    record, description = listed.record, listed.record.description
    return {
        "model": record.id,
        "aliases": list(listed.aliases),
        "name": description["name"],
        "run": record.run,
        "saved_at": record.saved_at.isoformat(),
        "dataset": description["dataset"],
        "metrics": description["metrics"],
    }


def _score(record: ModelRecord) -> str:
    metrics = record.description["metrics"]
    found = [metrics[key] for key in ("test_accuracy", "test_r2") if metrics.get(key) is not None]
    return f"{found[0]:.4f}" if found else "-"
