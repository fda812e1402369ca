"""What the commands print and write."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qjax.circuit import Circuit
from qjax.cli.configuration import read_config
from qjax.cli.progress import LiveProgress
from qjax.errors import ArgumentError
from qjax.store import RunStore, from_bytes
from qjax.train import preset

from .commands import Outcome, end, settings, start

RESULT = {
    *("run", "loss", "train_accuracy", "test_accuracy", "jobs"),
    *("circuits", "gradient_circuits", "evaluation_circuits"),
    *("seconds", "seconds_training", "seconds_to_first_step"),
}
Command = Callable[..., Outcome]


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what depends on the clock."""
    return {key: value for key, value in result.items() if "seconds" not in key}


def test_training_prints_one_json_object_and_records_it(qjax: Command) -> None:
    result = qjax("train", *settings(), "--json", "--baselines", "--plot").json
    assert result.keys() == RESULT | {"baselines", "plot"}
    assert (result["gradient_circuits"], result["evaluation_circuits"], result["circuits"]) == (44, 28, 72)
    assert 0 < result["seconds_training"] < result["seconds"]
    assert [baseline["name"] for baseline in result["baselines"]] == [
        "logistic regression",
        "frozen circuit, trained head",
    ]
    assert Path(result["plot"]).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    (listed,) = qjax("runs", "list", "--json").json
    assert (listed["run"], listed["status"], listed["steps"]) == (result["run"], "finished", 6)
    assert listed["summary"].keys() == RESULT - {"seconds"}
    assert without_times(listed["summary"]) == without_times({key: result[key] for key in RESULT})


def test_runs_are_listed_shown_and_drawn(qjax: Command, tmp_path: Path) -> None:
    first = qjax("train", *settings(), "--json").json["run"]
    second = qjax("train", *settings(seed=1, evaluate="epoch"), "--json").json["run"]
    assert [run["run"] for run in qjax("runs", "list", "--json").json] == [second, first]
    table = qjax("runs", "list")
    assert table.code == 0
    assert first in table.output
    assert second in table.output
    assert "finished" in table.output
    for wanted in (second, "latest"):
        shown = qjax("runs", "show", wanted, "--json").json
        assert shown["run"] == second
        assert shown["config"]["seed"] == 1
        assert Circuit.from_json(shown["circuit"]).content_hash == shown["circuit_hash"]
        assert [(e["step"], e["split"]) for e in shown["evaluations"]] == [
            *[(3, "test"), (3, "train")],
            *[(6, "test"), (6, "train")],
        ]
    text = qjax("runs", "show", first).output
    assert first in text
    assert 'dataset = "rings"' in text
    assert "test_accuracy" in text
    assert qjax("runs", "plot", first, "--output", "picture.png").output == "picture.png\n"
    picture = (tmp_path / "picture.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
    assert (width, height) == (7 * 150, 6 * 150)
    assert len(picture) > 5000
    other = qjax("runs", "plot", second).output.strip()
    assert Path(other).read_bytes() != picture
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [f"{second}.png", "runs.sqlite"]


def test_a_person_is_told_what_runs_and_what_came_of_it(qjax: Command) -> None:
    told = qjax("train", *settings(evaluate="epoch"))
    assert (told.code, told.output) == (0, "")
    for part in (
        "22 training and 6 test samples",
        "2 qubits",
        "epoch 1",
        "epoch 2",
        "test accuracy",
        "circuits",
    ):
        assert part in told.errors
    regression = qjax("train", *settings(dataset="diabetes", num_samples=40, batch_size=32), "--baselines")
    assert "R²" in regression.errors
    assert "ridge regression" in regression.errors
    assert "accuracy" not in regression.errors
    result = qjax("train", "--resume", "latest", "--json").json
    assert {"train_r2", "test_r2"} <= result.keys()
    assert "accuracy" not in json.dumps(result)


def test_info_names_versions_and_devices(qjax: Command) -> None:
    info = qjax("info", "--json").json
    assert info["devices"]
    assert info["engine"]
    assert "jax" in json.dumps(info)
    assert info["devices"][0] in qjax("info").output.replace("\n", " ")


def test_a_service_manager_stops_a_run_as_a_person_does(
    qjax: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(LiveProgress, "on_chunk", lambda self, chunk: signal.raise_signal(signal.SIGTERM))
        stopped = qjax("train", *settings(), "--json")
    assert (stopped.code, stopped.output) == (130, "")
    assert "qjax train --resume latest" in stopped.errors
    (listed,) = qjax("runs", "list", "--json").json
    assert (listed["status"], listed["steps"]) == ("interrupted", 1)
    assert qjax("train", "--resume", "latest", "--json").json["gradient_circuits"] == 44


def test_a_finished_run_is_not_trained_again(qjax: Command, tmp_path: Path) -> None:
    result = qjax("train", *settings(), "--json").json
    before = (tmp_path / "runs" / "runs.sqlite").read_bytes()
    again = qjax("train", "--resume", "latest", "--json").json
    assert without_times(again) == without_times(result)
    assert (tmp_path / "runs" / "runs.sqlite").read_bytes() == before


def test_a_step_that_takes_too_long_can_be_given_longer(qjax: Command) -> None:
    told = qjax("train", *settings(batch_submission_timeout=1e-9), "--json")
    assert told.complaint.startswith("Error: Step 0 took ")
    (listed,) = qjax("runs", "list", "--json").json
    assert (listed["status"], listed["steps"]) == ("interrupted", 1)
    # As impatient as before, it gets one step further.
    assert qjax("train", "--resume", "latest", "--json").complaint.startswith("Error: Step 1 took ")
    longer = ("--set", "batch_submission_timeout=300")
    result = qjax("train", "--resume", listed["run"], *longer, "--json").json
    unbroken = qjax("train", *settings(), "--json").json
    assert all(
        result[key] == unbroken[key] for key in ("loss", "train_accuracy", "test_accuracy", "circuits")
    )


def test_double_precision_is_turned_on_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "double.toml").write_text('dtype = "complex128"\nepochs = 1\n', encoding="utf-8")
    words = settings("epochs", "gradient_method")
    result = end(start("train", "double.toml", "--preset", "exact", *words, "--json")).json
    assert result.keys() == RESULT
    with RunStore.open("runs") as store:
        record, checkpoint = store.run(result["run"]), store.latest_checkpoint(result["run"])
        assert record.name == "double"
        assert (record.config["dtype"], record.config["epochs"]) == ("complex128", 1)
        assert checkpoint is not None
        assert from_bytes(checkpoint.payload)[0].dtype == np.float64


def test_later_sources_win(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('epochs = 7\nseed = 3\nobservables = ["Z0", "X1"]\n', encoding="utf-8")
    config = read_config(path, "fast", ["seed=4", "learning_rate = 0.5"])
    assert config.gradient_subsample_size == preset("fast")["gradient_subsample_size"]
    assert (config.epochs, config.seed, config.learning_rate) == (7, 4, 0.5)
    assert config.observables == ("Z0", "X1")
    assert read_config(None, None, ["epochs=1", "epochs=2"]).epochs == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("epochs=3", 3),
        ("learning_rate=1e-3", 1e-3),
        ("learning_rate=1", 1.0),
        ("dataset=wine", "wine"),
        ("dataset='wine'", "wine"),
        ("dataset=a=b.csv", "a=b.csv"),
        ("dataset=~/data/x y.csv", "~/data/x y.csv"),
        ('observables=["Z0", "X0 Y1"]', ("Z0", "X0 Y1")),
        ("num_features=none", None),
        ("num_features=NULL", None),
        ("head=none", "none"),
        ("scaling=none", "none"),
        ("encoding=none", "none"),
        ("encoding=null", None),
        ("target=None", None),
        ("enable_circuit_batching=false", False),
        (" seed = 5 ", 5),
    ],
)
def test_a_setting_is_read_as_toml_or_else_as_text(text: str, value: object) -> None:
    config = read_config(None, None, [text])
    assert getattr(config, text.partition("=")[0].strip()) == value


@pytest.mark.parametrize("text", ["epochs", "", "=3", " = 3"])
def test_a_setting_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="KEY=VALUE"):
        read_config(None, None, [text])


def test_vectors_are_exported_padded_and_exact(qjax: Command) -> None:
    assert qjax("train", *settings(record_states="end")).code == 0
    assert qjax("runs", "export", "-o", "samples.jsonl", "--dimension", "768").code == 0
    lines = [json.loads(line) for line in Path("samples.jsonl").read_text().splitlines()]
    with RunStore.open("runs", create=False) as store:
        run = store.run("latest").id
        batches, data = store.batches(run), store.data(run)
    assert len(lines) == np.sum(batches.indices >= 0) == len({line["id"] for line in lines})
    assert lines[0]["id"] == f"{run}#train_e0_b0_s0"
    for line in lines:
        about = line["metadata"]
        assert line["id"].startswith(f"{run}#train_e{about['epoch']}_b{about['batch']}_s")
        values = np.asarray(line["values"], np.float32)
        assert (values.size, about["dimension"]) == (768, 2)
        place = np.flatnonzero(data.order == about["sample"])[0]
        np.testing.assert_array_equal(values[:2], np.float32(data.prepared_features[place]))
        assert not values[2:].any()
    assert qjax("runs", "export", "-o", "states.jsonl", "--kind", "states").code == 0
    assert len(Path("states.jsonl").read_text().splitlines()) == 28
    assert "at least 2" in qjax("runs", "export", "--dimension", "1").complaint
    assert "cannot be written" in qjax("runs", "export", "-o", "nowhere/file").complaint
    assert sorted(path.name for path in Path().glob("*.part")) == []
