"""What a person can get wrong: one sentence, exit code 2, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qjax.store import RunStore

from .commands import Outcome, settings, write_table

Command = Callable[..., Outcome]


def contents(folder: Path) -> dict[str, bytes]:
    """All files under a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with a store of one run, which every test must leave as it was."""
    with RunStore.open(tmp_path / "runs") as store:
        store.finish_run(store.create_run({}, {}, "", {}, "earlier"), "finished", {})
    write_table(tmp_path / "good.csv")
    write_table(tmp_path / "wide.csv", num_features=5)
    write_table(tmp_path / "hole.csv", x1_4="nan")
    write_table(tmp_path / "text.csv", x0_7="tall")
    write_table(tmp_path / "short.csv", num_rows=1)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(b"a,b\n\xff\xfe\x00,1\n")
    (tmp_path / "broken.toml").write_text("epochs = 3\nseed =\n")
    (tmp_path / "table.toml").write_text("[training]\nepochs = 3\n")
    (tmp_path / "misspelt.toml").write_text("epoch = 3\n")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe = 1\n")
    (tmp_path / "deep.toml").write_text("epochs = " + "[" * 5000)
    before = contents(tmp_path)
    yield tmp_path
    assert contents(tmp_path) == before


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"dataset": "hole.csv"}, "x1"),
    ({"dataset": "text.csv"}, "tall"),
    ({"dataset": "empty.csv"}, "empty.csv"),
    ({"dataset": "binary.csv"}, "binary.csv"),
    ({"dataset": "short.csv"}, "short"),
    ({"dataset": "missing.csv"}, "missing.csv"),
    ({"dataset": "good.csv", "target": "price"}, "label"),
    ({"dataset": "ringz"}, "Did you mean `rings`?"),
    ({"dataset": ""}, "dataset"),
    ({"dataset": "rings\nmoons"}, "rings"),
    ({"dataset": "rings", "target": "label"}, "target"),
    ({"dataset": "wide.csv", "num_features": 5, "encoding": "amplitude"}, "features"),
    ({"dataset": "wide.csv", "num_features": 5, "encoding": "angle"}, "features"),
    ({"rotations": ["rq"]}, "Argument `rotations`"),
    ({"rotations": []}, "Argument `rotations`"),
    ({"entangler": "cy2"}, "Argument `entangler`"),
    ({"topology": "star"}, "Argument `topology`"),
    ({"encoding": "angel"}, "angle"),
    ({"ansatz": "strongly_entangled"}, "strongly_entangling"),
    ({"observables": ["Z9"]}, "Argument `observables`"),
    ({"observables": ["Q0"]}, "Argument `observables`"),
    ({"observables": []}, "Argument `observables`"),
    ({"observables": ["Z0", "Z1"], "head": "none"}, "Argument `observables`"),
    ({"loss": "huber2"}, "Did you mean `huber`?"),
    ({"dataset": "diabetes", "loss": "hinge"}, "Argument `loss`"),
    ({"batch_size": 23}, "Argument `batch_size`"),
    ({"shots_per_circuit": -5}, "Argument `shots_per_circuit`"),
    ({"shots_per_circuit": 100}, "Argument `gradient_method`"),
    ({"gradient_method": "spsa_subsampled"}, "Argument `gradient_subsample_size`"),
    ({"num_qubits": 31}, "Argument `num_qubits`"),
    ({"num_qubits": 10**9}, "Argument `num_qubits`"),
    ({"num_samples": 1}, "Argument `num_samples`"),
    ({"num_samples": 3}, "rings"),
    ({"num_samples": 10**15}, "memory"),
    ({"test_fraction": 1.5}, "Argument `test_fraction`"),
    ({"seed": -1}, "Argument `seed`"),
    ({"seed": 2**80}, "Argument `seed`"),
    ({"learning_rate": "1e999"}, "Argument `learning_rate`"),
    ({"optimizer": "lbfgs"}, "Argument `optimizer`"),
    ({"optimizer": "adamm"}, "Did you mean `adam`?"),
    ({"executor": "simulater"}, "Did you mean `simulator`?"),
    ({"epoch": 3}, "Did you mean `epochs`?"),
    ({"epochs": "three"}, "Argument `epochs`"),
    ({"epochs": "[[" * 5000}, "Argument `epochs`"),
]


@pytest.mark.parametrize(("values", "part"), BAD_SETTINGS, ids=lambda value: str(value)[:60])
def test_a_setting_that_cannot_work_is_one_sentence(
    qjax: Command, place: Path, values: dict[str, Any], part: str
) -> None:
    changes = {"num_samples": None, **values} if "csv" in str(values) else values
    complaint = qjax("train", *settings(**changes), "--json").complaint
    assert part in complaint
    assert len(complaint) < 700


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["train", "missing.toml"], "`missing.toml` cannot be read"),
        (["train", "runs"], "`runs` cannot be read"),
        (["train", "broken.toml"], "line 2"),
        (["train", "binary.toml"], "`binary.toml` is not TOML"),
        (["train", "deep.toml"], "`deep.toml` is not TOML"),
        (["train", "table.toml"], "Argument `training`"),
        (["train", "misspelt.toml"], "Did you mean `epochs`?"),
        (["train", "--preset", "fastt"], "Did you mean `fast`?"),
        (["train", "--set", "epochs"], "KEY=VALUE"),
        (["train", "--resume", "latest", "--preset", "fast"], "--preset"),
        (["train", "--resume", "latest", "--set", "epochs=3"], "`batch_submission_timeout`"),
        (["train", "--resume", "nothing"], "nothing"),
        (["train", "--resume", "latest", "--json"], "another version"),
        (["train", "--resume", "latest", "--runs-dir", "elsewhere"], "elsewhere"),
        (["train", *settings(), "--json", "--runs-dir", "good.csv"], "good.csv"),
        (["train", *settings(), "--json", "--runs-dir", "good.csv/runs"], "good.csv"),
        (["train", *settings(), "--json", "--runs-dir", "/proc/runs"], "/proc/runs"),
        (["runs", "list", "--runs-dir", "elsewhere"], "elsewhere"),
        (["runs", "show", "nothing"], "nothing"),
        (["runs", "plot", "nothing"], "nothing"),
        (["runs", "plot"], "has no step yet"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_a_command_that_cannot_work_is_one_sentence(
    qjax: Command, place: Path, words: list[str], part: str
) -> None:
    assert part in qjax(*words).complaint


def test_a_plot_that_cannot_be_written_is_one_sentence(qjax: Command, tmp_path: Path) -> None:
    assert qjax("train", *settings(epochs=1), "--json").code == 0
    assert "nowhere" in qjax("runs", "plot", "--output", "nowhere/picture.png").complaint


@pytest.mark.parametrize("damage", ["no database", "another database", "cut off", "overwritten"])
def test_a_damaged_store_is_named_and_left_as_it_is(qjax: Command, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "runs" / "runs.sqlite"
    with RunStore.open(path.parent) as store:
        for seed in range(50):
            store.finish_run(store.create_run({"seed": seed}, {}, "", {}, "earlier"), "finished", {})
    whole = path.read_bytes()
    path.write_bytes(
        {
            "no database": b"run,loss\n1,0.5\n" * 500,
            "another database": whole[:60] + bytes(40) + whole[100:],
            "cut off": whole[: len(whole) // 2],
            "overwritten": whole[:4096] + b"\xa5" * (len(whole) - 4096),
        }[damage]
    )
    before = contents(tmp_path)
    for words in (["runs", "list"], ["train", *settings(), "--json"], ["train", "--resume", "latest"]):
        assert "runs.sqlite" in qjax(*words).complaint
        assert contents(tmp_path) == before


def test_a_misspelt_word_leaves_no_empty_store_behind(qjax: Command, tmp_path: Path) -> None:
    for words in (["--set", "epoch=3"], settings(dataset="ringz"), ["--resume", "latest"]):
        assert qjax("train", *words).complaint
        assert contents(tmp_path) == {}
        assert not (tmp_path / "runs").exists()
