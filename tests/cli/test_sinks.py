"""`qjax train --sink`, `sync`, `verify` and `sink status`, as a person would use them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qjax.sinks import TransientError
from qjax.store import RunStore

from ..pinecone_server import KEY, Index, Service
from ..sinks.checker import check
from .commands import Outcome, settings

Qjax = Callable[..., Outcome]
# 22 training samples in each of 2 epochs, and all 28 as states of 2 qubits after each.
WORDS = settings(record_states="epoch", engine="xla")
VECTORS = 2 * 22 + 2 * 28


def test_a_run_is_replicated_while_it_goes_on(qjax: Qjax, pinecone: Service) -> None:
    outcome = qjax("train", *WORDS, "--sink", "pinecone", "--json")
    run = outcome.json["run"]
    assert "Made the index of pinecone:qjax" in outcome.errors
    assert KEY not in outcome.errors
    assert check(Path("runs"), pinecone) == VECTORS
    assert qjax("verify", "--json").json == {
        "run": run,
        "sink": "pinecone:qjax",
        "same": VECTORS,
        "refused": 0,
    }
    assert qjax("sync", "--json").json == [{"run": run, "sink": "pinecone:qjax", "sent": 0, "refused": 0}]
    by_kind = {line["kind"]: line for line in qjax("sink", "status", "--json").json}
    assert by_kind["samples"] == {
        "run": run,
        "sink": "pinecone:qjax",
        "kind": "samples",
        "sent": 44,
        "waiting": 0,
        "refused": 0,
    }
    assert by_kind["states"]["sent"] == 56
    assert run in qjax("sink", "status").output
    # Another sink knows nothing of it; an index that was emptied is filled again when asked to.
    pinecone.indexes["qjax"].vectors.clear()
    assert qjax("sync").code == 0
    assert pinecone.vectors() == {}
    assert qjax("sync", "latest", "--again", "--json").json[0]["sent"] == VECTORS
    check(Path("runs"), pinecone)


def test_training_goes_on_without_the_service(
    qjax: Qjax, pinecone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qjax.sinks.thread.CLOSE_SECONDS", 0.1)
    pinecone.indexes["qjax"] = Index(768)
    pinecone.down = True
    outcome = qjax("train", *WORDS, "--sink", "pinecone", "--json")
    assert outcome.json["test_accuracy"] >= 0
    assert "The service does not answer now" in outcome.errors
    complaint = qjax("sync", "--patience", "0").complaint
    assert "has not answered" in complaint
    complaint = qjax("verify").complaint
    assert "does not answer now" in complaint
    pinecone.down = False
    assert qjax("sync", "--json").json[0]["sent"] == VECTORS
    check(Path("runs"), pinecone)
    # The same numbers as without a sink.
    other = qjax("train", *WORDS, "--json", "--runs-dir", "other").json
    assert other["loss"] == outcome.json["loss"]


def test_what_cannot_work_is_said_before_training(
    qjax: Qjax, pinecone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complaint(*words: str) -> str:
        said = qjax(*words).complaint
        assert KEY not in said
        assert "not-the-key" not in said
        return said

    train = ("train", *settings(num_qubits=5, record_states="end"), "--sink", "pinecone")
    assert "must be" in complaint(*train[:-1], "milvus")
    pinecone.indexes["qjax"] = Index(60)
    assert "dimension 64, but those of the index have 60" in complaint(*train)
    monkeypatch.setenv("PINECONE_API_KEY", "not-the-key")
    assert "does not accept the key" in complaint(*train)
    monkeypatch.delenv("PINECONE_API_KEY")
    assert "There is no key" in complaint(*train)
    assert not Path("runs").exists()
    # And where there are runs.
    with RunStore.open("runs"):
        pass
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    assert qjax("sync", "--json").json == []
    assert "There is no run `latest`" in complaint("verify")
    assert "There is no run `2026`" in complaint("sync", "2026")


def test_a_replica_that_is_not_there_or_differs_is_an_error(
    qjax: Qjax, pinecone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qjax.sinks.comparison._ROUNDS", 1)
    assert qjax("train", *WORDS, "--json").code == 0
    said = qjax("verify").complaint
    assert "There is no index `qjax` on Pinecone" in said
    assert qjax("sync").code == 0
    assert qjax("verify").code == 0
    pinecone.indexes["qjax"].vectors["samples"].popitem()
    said = qjax("verify").complaint
    assert f"1 missing of {VECTORS} vectors" in said
    assert "`qjax sync" in said
    # What the record does not have, no sync removes.
    assert qjax("sync", "--again").code == 0
    samples = pinecone.indexes["qjax"].vectors["samples"]
    (first, *_) = samples
    samples[f"{first}0"] = samples[first] | {"id": f"{first}0"}
    said = qjax("verify").complaint
    assert f"1 extra of {VECTORS} vectors" in said
    assert "delete them there" in said


def test_a_run_that_does_not_fit_keeps_no_other_back(qjax: Qjax, pinecone: Service) -> None:
    pinecone.indexes["qjax"] = Index(60)
    narrow = qjax("train", *WORDS, "--json").json["run"]
    wide = qjax("train", *settings(num_qubits=5, record_states="end", engine="xla"), "--json").json["run"]
    said = qjax("sync", "--json").complaint
    assert f"Nothing of run {wide} was sent" in said
    assert "dimension 64, but those of the index have 60" in said
    assert qjax("verify", narrow, "--json").json["same"] == VECTORS
    assert not any(wide in name for of_kind in pinecone.vectors() for name in of_kind)


def test_a_damaged_run_keeps_no_other_back(qjax: Qjax, pinecone: Service) -> None:
    pinecone.indexes["qjax"] = Index(64)
    sound, hurt, last = (qjax("train", *WORDS, "--json").json["run"] for _ in range(3))
    with RunStore.open("runs") as store, store.transaction("write") as connection:
        connection.execute("UPDATE batches SET seal = seal + 1 WHERE run = ?", (hurt,))
    said = qjax("sync", "--json").complaint
    assert f"Not all of run {hurt} was sent" in said
    assert "is damaged (a row of batches is not what was written)" in said
    for run in (sound, last):
        assert qjax("verify", run, "--json").json["same"] == VECTORS


def test_what_a_service_says_is_shown_as_it_is(
    qjax: Qjax, pinecone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinecone.indexes["qjax"] = Index(768)

    def away(*_: object) -> bool:
        raise TransientError("see [/docs]")

    monkeypatch.setattr("qjax.cli.sinks.ensure_index", away)
    outcome = qjax("train", *WORDS, "--sink", "pinecone", "--json")
    assert outcome.code == 0
    assert "see [/docs]" in outcome.errors


@pytest.mark.parametrize("command", ["sync", "verify", "sink status"])
def test_commands_need_a_store(qjax: Qjax, pinecone: Service, command: str) -> None:
    assert "There is no folder" in qjax(*command.split()).complaint
    assert not Path("runs").exists()


def test_a_replica_is_searched_as_the_store_is(qjax: Qjax, pinecone: Service) -> None:
    qjax("train", *WORDS, "--sink", "pinecone", "--json")
    with RunStore.open("runs", create=False) as store:
        step = store.state_steps(store.run("latest").id)[-1]
        name = store.data(store.run("latest").id).class_names[1]
    for words in ([], ["--label", name], ["--step", str(step)]):
        query = ["search", f"latest#state_t{step}_i3", "-k", "5", "--json", *words]
        here, there = qjax(*query).json, qjax(*query, "--sink", "pinecone").json
        assert [each["id"] for each in there] == [each["id"] for each in here]
        expected = [each["fidelity"] for each in here]
        assert len(expected) == 5
        assert [each["fidelity"] for each in there] == pytest.approx(expected, abs=1e-5)
    assert qjax(*query, "--sink", "pinecone", "--run", "latest", "--run", "latest").json == there
    sample = ["search", "latest#sample_i3", "-k", "1", "--json"]
    assert qjax(*sample, "--sink", "pinecone").json[0]["cosine"] == pytest.approx(1.0)
    assert "--step" in qjax(*query, "--epoch", "1", "--sink", "pinecone").complaint
