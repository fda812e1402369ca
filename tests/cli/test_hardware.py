"""Training on the local server as a person does it: one word changed, the same numbers, a sum kept."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qjax.store import RunStore

from .charges import read_charges
from .commands import Outcome, settings

Command = Callable[..., Outcome]

SUBSAMPLED = {
    "gradient_method": "spsa_subsampled",
    "gradient_subsample_size": 2,
    "optimizer": "adam",
}
SMALL = {**SUBSAMPLED, "epochs": 3, "shots_per_circuit": 50}


def losses(folder: str | Path) -> np.ndarray:
    """Losses of the last run of a store, step by step."""
    with RunStore.open(folder, create=False) as store:
        return store.metrics(store.run("latest").id).loss


def database(folder: str | Path) -> Path:
    return Path(folder) / "ionq-local.sqlite"


def test_one_word_takes_a_configuration_from_the_simulator_to_the_server(qjax: Command) -> None:
    """50 steps of 8 qubits on breast cancer, exact and in double precision."""
    words = ["--set", "dtype=complex128", "--set", "num_samples=125", "--json"]
    for key, value in SUBSAMPLED.items():
        words += ["--set", f"{key}={value}"]
    results = {}
    for name in ("simulator", "ionq-local"):
        results[name] = qjax(
            "train", "--executor", name, "--runs-dir", name, "--set", "evaluate=end", *words
        ).json
    here, there = losses("simulator"), losses("ionq-local")
    assert len(here) == 50
    np.testing.assert_allclose(there, here, atol=1e-5)
    assert np.ptp(here) > 0.05
    assert results["ionq-local"]["loss"] == pytest.approx(results["simulator"]["loss"], abs=1e-5)
    assert results["ionq-local"]["jobs"] == results["simulator"]["jobs"] == 50
    charges = read_charges(database("ionq-local"))
    # Two perturbed circuits for each of two samples, 50 times, and every sample once at the end.
    assert (charges.jobs, charges.circuits.total()) == (51, 50 * 4 + 125)
    assert charges.twice == charges.undone == 0


@pytest.mark.long
def test_one_word_takes_it_to_cirq_as_well(qjax: Command) -> None:
    words = settings(**SUBSAMPLED, epochs=1)
    for name in ("simulator", "cirq"):
        qjax("train", *words, "--executor", name, "--runs-dir", name, "--json").json  # noqa: B018
    np.testing.assert_allclose(losses("cirq"), losses("simulator"), atol=1e-5)
    assert not database("cirq").exists()


def test_a_batch_of_parameter_shift_is_one_job_of_970_circuits(qjax: Command) -> None:
    words = ["--preset", "baseline", "--executor", "ionq-local"]
    one_step = ["--set", "num_samples=13", "--set", "epochs=1", "--set", "evaluate=never", "--json"]
    result = qjax("train", *words, *one_step).json
    assert (result["gradient_circuits"], result["jobs"], result["evaluation_circuits"]) == (970, 1, 0)
    charges = read_charges(database("runs"))
    assert (charges.jobs, charges.circuits.total(), charges.twice) == (1, 970, 0)


def test_the_plan_of_the_old_training_is_fifty_jobs_by_any_method_and_sends_nothing(qjax: Command) -> None:
    shown = qjax("plan", "--preset", "baseline", "--executor", "ionq-local", "--json").json
    assert shown["steps"] == 50
    by_method = {name: (row["circuits"], row["jobs"]) for name, row in shown["gradients"].items()}
    # Five epochs of ten batches of ten samples, 48 parameters.
    assert by_method == {
        "spsa_subsampled": (200, 50),
        "spsa_parallel": (1000, 50),
        "spsa": (1000, 1000),
        "parameter_shift": (48_500, 50),
    }
    assert shown["evaluation"]["circuits"] == 125
    assert not Path("runs").exists()


def test_the_plan_says_what_it_knows_without_a_key(qjax: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IONQ_API_KEY", "CIRQ_IONQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    outcome = qjax("plan", *settings(**SMALL, executor="ionq", backend="qpu.forte-1"))
    assert outcome.code == 0, outcome.errors
    assert all(word in outcome.output for word in ("parameter_shift", "2q gates", "Nothing was sent"))
    assert "IONQ_API_KEY" in outcome.output
    assert "credit" not in outcome.output


def test_a_plan_is_kept_and_a_budget_never_passed(qjax: Command) -> None:
    words = settings(**SMALL, executor="ionq-local")
    planned = qjax("plan", *words, "--json").json
    expected = qjax("train", *words, "--runs-dir", "unbounded", "--json").json
    row, evaluation = planned["gradients"]["spsa_subsampled"], planned["evaluation"]
    assert (row["circuits"], row["jobs"]) == (expected["gradient_circuits"], expected["jobs"])
    assert evaluation["circuits"] == expected["evaluation_circuits"]
    assert row["shots"] == 50 * row["circuits"]
    charged = read_charges(database("unbounded"))
    assert charged.circuits.total() == row["circuits"] + evaluation["circuits"]
    assert charged.cost == pytest.approx(row["cost"] + evaluation["cost"])
    assert planned["unit"] == "credit"
    assert "own" in planned["note"]
    # Four circuits a step at 0.001 credits: nine steps and an evaluation of 28 come to 0.064.
    stopped = qjax("train", *words, "--budget", "0.02")
    assert stopped.code == 2
    (sentence,) = [line for line in stopped.errors.splitlines() if line.startswith("Error: ")]
    assert "budget of 0.02 credit" in sentence
    assert "--resume latest --budget" in sentence
    assert read_charges(database("runs")).cost == pytest.approx(0.02)
    with RunStore.open("runs") as store:
        assert (store.run("latest").status, store.run("latest").steps) == ("interrupted", 5)
    again = qjax("train", "--resume", "latest", "--budget", "0.063")
    assert again.code == 2
    with RunStore.open("runs") as store:
        # The evaluation belongs to the last step, so that step is still to do.
        assert store.run("latest").steps == 8
    result = qjax("train", "--resume", "latest", "--budget", "0.064", "--json").json
    charges = read_charges(database("runs"))
    assert charges.cost == pytest.approx(0.064)
    assert charges.twice == 0
    np.testing.assert_array_equal(losses("runs"), losses("unbounded"))
    assert result["loss"] == expected["loss"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--executor", "ionq"], "IONQ_API_KEY"),
        (["--executor", "ionq-local", "--budget", "0"], "--budget"),
        (["--executor", "ionq-local", "--budget", "-1"], "--budget"),
        (["--executor", "ionq-local", "--budget", "0.003"], "costs 0.004 credit"),
        (["--budget", "5"], "circuits cost nothing"),
        (["--executor", "ionq-lokal"], "ionq-local"),
        (["--executor", "ionq-local", "--set", "backend=qpu.nothing"], "qpu.nothing"),
        (["--executor", "ionq-local", "--set", "backend=moon"], "qpu.forte-1"),
        (["--set", "backend=qpu.forte-1"], "Argument `backend`"),
        (["--executor", "ionq-local", "--set", "gradient_method=adjoint"], "use spsa_parallel"),
        (["--executor", "ionq-local", "--set", "num_qubits=30"], "29"),
    ],
)
def test_what_cannot_run_there_is_one_sentence_and_nothing_is_sent(
    qjax: Command, monkeypatch: pytest.MonkeyPatch, words: list[str], complaint: str
) -> None:
    for name in ("IONQ_API_KEY", "CIRQ_IONQ_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    outcome = qjax("train", *settings(**SMALL), *words)
    assert outcome.code == 2
    (sentence,) = [line for line in outcome.errors.splitlines() if line.startswith("Error: ")]
    assert complaint in sentence
    assert "Traceback" not in outcome.errors
    if database("runs").exists():
        assert read_charges(database("runs")).circuits.total() == 0


def test_without_the_extra_the_sentence_names_it(qjax: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "hw" or name.startswith("hw."):
            raise ModuleNotFoundError("No module named 'cirq'", name="cirq")
        return plain(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    for command in ("train", "plan"):
        outcome = qjax(command, *settings(**SMALL), "--executor", "ionq-local")
        assert "pip install 'qjax[hw]'" in outcome.complaint
    assert not Path("runs").exists()
