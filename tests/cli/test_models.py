"""`qjax models`, `predict`, `replay`, `search`, `runs diff` and `runs report`, as a person calls them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from qjax.models import load
from qjax.store import RunStore

from .commands import Outcome, end, settings, start, write_table

Command = Callable[..., Outcome]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_model_goes_from_training_to_predictions_elsewhere(qjax: Command, tmp_path: Path) -> None:
    write_table(tmp_path / "data.csv", num_features=3)
    words = settings(dataset="data.csv", num_samples=None, num_features=2, epochs=4)
    run = qjax("train", *words, "--json").json["run"]
    (listed,) = qjax("models", "list", "--json").json
    assert (listed["run"], listed["aliases"]) == (run, [])
    assert qjax("models", "promote", "latest", "production").output == f"production: {listed['model'][:12]}\n"
    assert qjax("models", "export", "production", "-o", "model.json").output == "model.json\n"
    assert qjax("models", "load", "model.json", "--name", "staging", "--runs-dir", "other").code == 0
    shown = qjax("models", "show", "staging", "--json", "--runs-dir", "other").json
    assert shown["model"] == listed["model"]
    assert [move["alias"] for move in shown["promotions"]] == ["staging"]
    assert listed["model"] in qjax("models", "show").output
    assert "not in this store" in qjax("models", "show", "--runs-dir", "other").output
    assert qjax("models", "save").output == f"{listed['model'][:12]}\n"

    # Columns in another order, one that the model does not take, and none for the target.
    rows = [line.split(",") for line in (tmp_path / "data.csv").read_text().splitlines()]
    turned = [[row[2], row[0], "note" if row is rows[0] else "7", row[1]] for row in rows]
    (tmp_path / "new.csv").write_text("\n".join(",".join(row) for row in turned) + "\n")
    predicted = end(start("predict", "staging", "new.csv", "--runs-dir", "other"))
    assert predicted.code == 0
    assert "note" in predicted.errors
    table = read(predicted.output)
    model = load(tmp_path / "runs")
    features = np.array([row[:3] for row in rows[1:]], float)
    assert [row["prediction"] for row in table] == model.predict(features).tolist()
    assert {row["prediction"] for row in table} <= {"yes", "no"}
    for place, name in enumerate(model.class_names):
        exact = [float(row[f"probability_{name}"]) for row in table]
        assert exact == model.predict_proba(features)[:, place].tolist()
    assert qjax("predict", "model.json", "data.csv", "--output", "out.csv").output == ""
    assert (tmp_path / "out.csv").read_text() == predicted.output

    assert qjax("replay").output.startswith(f"{run}: the losses of all 12 steps and 2 evaluations agree")
    assert qjax("runs", "report").output == f"runs/{run}.html\n"
    assert "class \\ predicted" in (tmp_path / "runs" / f"{run}.html").read_text()


def test_two_runs_are_compared_and_states_are_found(qjax: Command) -> None:
    one = qjax("train", *settings(record_states="epoch"), "--json").json["run"]
    other = qjax("train", *settings(record_states="epoch", num_layers=2), "--json").json["run"]
    found = qjax("runs", "diff", one, other, "--json").json
    assert found["runs"] == [one, other]
    assert found["first_different_step"] == 0
    assert found["configuration"] == {"num_layers": [1, 2]}
    assert found["circuit"]["parameters"] == [4, 8]
    assert "dataset" not in found
    assert "results" in qjax("runs", "diff", one, other).output
    same = qjax("runs", "diff", one, one)
    assert "the same to the bit" in same.output
    everything = qjax("runs", "diff", one, one, "--all", "--json").json
    assert everything["configuration"]["num_qubits"] == [2, 2]

    nearest = qjax("search", f"{one}#state_t6_i3", "-k", "3", "--json").json
    assert len(nearest) == 3
    assert all(state["id"] != f"{one}#state_t6_i3" and state["run"] == one for state in nearest)
    scores = [state["fidelity"] for state in nearest]
    assert scores == sorted(scores, reverse=True)
    some = qjax(
        "search", "latest#sample_i3", "--all-runs", "--label", "inner", "--split", "test", "--json"
    ).json
    assert {(state["label"], state["split"]) for state in some} == {("inner", "test")}
    assert {state["run"] for state in some} == {one, other}
    np.save("state.npy", np.array([1, 0, 0, 1j]))
    shown = qjax("search", "state.npy", "--epoch", "1").output.splitlines()
    assert "fidelity" in shown[0]
    # Whole, also where the terminal is narrow.
    assert all(re.match(r"\S+#state_t\d+_i\d+ +\d\.\d{6} ", line) for line in shown[1:])


def test_a_replay_that_differs_ends_with_code_1(qjax: Command) -> None:
    run = qjax("train", *settings(), "--json").json["run"]
    from tests.train.test_replay import change

    with RunStore.open("runs") as store:
        change(store, "metrics", 4, 2, 1.0)
    found = qjax("replay", run)
    assert found.code == 1
    assert "the loss of step 2 was" in found.output
    answer = qjax("replay", "--json")
    assert answer.code == 1
    difference = json.loads(answer.output)["difference"]
    assert (difference["what"], difference["step"]) == ("loss", 2)


@pytest.fixture
def place(qjax: Command, tmp_path: Path) -> Path:
    write_table(tmp_path / "data.csv")
    assert qjax("train", *settings(dataset="data.csv", num_samples=None), "--json").code == 0
    assert qjax("models", "export", "latest", "-o", "model.json").code == 0
    whole = (tmp_path / "model.json").read_text()
    (tmp_path / "damaged.json").write_text(whole.replace("0", "1", 1))
    (tmp_path / "newer.json").write_text(whole.replace('"version": 1', '"version": 9', 1))
    (tmp_path / "narrow.csv").write_text("x0\n1\n")
    (tmp_path / "text.csv").write_text("x0,x1\n1,tall\n")
    (tmp_path / "empty.csv").write_text("")
    np.save(tmp_path / "wrong.npy", np.ones(3))
    return tmp_path


def test_what_cannot_work_is_one_sentence(qjax: Command, place: Path) -> None:
    for words, part in (
        (["models", "show", "nothing"], "There is no model 'nothing'"),
        (["models", "promote", "latest", "a b"], "Argument `alias`"),
        (["models", "list", "--runs-dir", "elsewhere"], "elsewhere"),
        (["models", "export", "latest", "-o", "nowhere/model.json"], "nowhere"),
        (["models", "load", "missing.json"], "missing.json"),
        (["models", "load", "damaged.json"], "damaged.json"),
        (["models", "load", "newer.json"], "Update qjax"),
        (["models", "load", "data.csv"], "not the JSON of a model"),
        (["models", "save", "nothing"], "nothing"),
        (["predict", "latest", "missing.csv"], "missing.csv"),
        (["predict", "latest", "narrow.csv"], "x1"),
        (["predict", "latest", "text.csv"], "tall"),
        (["predict", "latest", "empty.csv"], "empty"),
        (["predict", "latest", "data.csv", "-o", "nowhere/out.csv"], "nowhere"),
        (["predict", "missing.json", "data.csv"], "missing.json"),
        (["predict", "nothing", "data.csv"], "nothing"),
        (["replay", "nothing"], "nothing"),
        (["runs", "diff", "latest", "nothing"], "nothing"),
        (["runs", "report", "-o", "nowhere/report.html"], "nowhere"),
        (["search", "latest#state_t1_i0"], "no states"),
        (["search", "latest"], "Argument `QUERY`"),
        (["search", "latest#sample_i0", "--kind", "models"], "Argument `--kind`"),
        (["search", "latest#sample_i0", "-k", "0"], "Argument `count`"),
        (["search", "wrong.npy", "--kind", "samples"], "Argument `query`"),
        (["search", "data.csv.npy"], "data.csv.npy"),
    ):
        complaint = qjax(*words).complaint
        assert part in complaint, words
        assert len(complaint) < 500, words
