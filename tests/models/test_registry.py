"""Models are found by many names, aliases move, and files carry them from store to store."""

from __future__ import annotations

import json
import random
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.errors import ArgumentError, StoreError
from qjax.models import Registry, export_model, import_model, load, read_model
from qjax.models.exchange import _checksum
from qjax.models.saving import model_of_run
from qjax.store import ModelRecord, RunStore
from qjax.store.models import current_aliases, entry_texts, find_model
from qjax.train import TrainingConfig, train

from .conftest import CONFIGS, Trained


def test_every_finished_run_has_a_model_found_by_many_names(runs: dict[str, Trained]) -> None:
    store = runs["binary"].store
    registry = Registry(store)
    assert [each.record.description["name"] for each in registry.models()] == [*reversed(CONFIGS)]
    for name, (_, result, dataset, _) in runs.items():
        record = registry.find(result.run)
        assert (
            record
            == registry.find(record.id[:8])
            == registry.find(record.id)
            == model_of_run(store, result.run)
        )
        assert (
            record.description["dataset"]["version"] == dataset.content_hash == store.data(result.run).version
        )
        registry.promote(record.id, name)
        assert registry.find(name) == record
    assert registry.find("latest").description["name"] == [*CONFIGS][-1]


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcde") | st.text(), _json, max_size=5),
    st.sets(st.sampled_from("abcde")),
)
def test_a_model_is_the_same_whatever_of_its_text_was_known_before(
    description: dict[str, Any], known: set[str]
) -> None:
    texts = entry_texts({key: value for key, value in description.items() if key in known})
    record = ModelRecord(description, b"parameters", datetime.now(UTC), texts)
    assert record.text == json.dumps(description, sort_keys=True)
    assert record == ModelRecord(description, b"parameters", record.saved_at)
    assert record.id == ModelRecord(description, b"parameters", record.saved_at).id


def test_an_alias_points_where_it_was_moved_last(runs: dict[str, Trained]) -> None:
    registry = Registry(runs["binary"].store)
    before = len(registry.promotions())
    ids = [registry.promote(runs[name].result.run, "production").id for name in ("binary", "regression")]
    assert registry.find("production").id == ids[1]
    moves = registry.promotions()[before:]
    assert [(move.alias, move.model) for move in moves] == [("production", model) for model in ids]
    assert current_aliases(registry.promotions())["production"] == ids[1]
    for alias in ("", "latest", "1st", "a b", "x" * 65, "ä"):
        with pytest.raises(ArgumentError, match="Argument `alias`"):
            registry.promote(ids[0], alias)


def test_names_that_fit_none_or_several_are_refused(runs: dict[str, Trained], tmp_path: Path) -> None:
    store = runs["binary"].store
    for wanted in ("", "abc", "no-such-model", "2026"):
        with pytest.raises(StoreError, match=r"(There is no model|Several models fit).*there are"):
            load(store, wanted)
    with RunStore.open(tmp_path / "empty") as empty, pytest.raises(StoreError, match="holds no model yet"):
        load(empty)


def test_a_run_that_was_broken_off_has_a_model_once_it_is_saved(tmp_path: Path) -> None:
    class Stop:
        def on_chunk(self, chunk: Any) -> None:
            raise KeyboardInterrupt

    config = CONFIGS["binary"]
    with RunStore.open(tmp_path) as store:
        with pytest.raises(KeyboardInterrupt):
            train(config, store=store, observers=[Stop()])
        registry = Registry(store)
        assert registry.models() == []
        record = model_of_run(store, "latest")
        registry.save(record)
        registry.save(model_of_run(store, "latest"))
        assert [each.record.id for each in registry.models()] == [record.id]
        assert record.description["metrics"]["steps"] == store.run("latest").steps
        assert load(store).predict([[0.1, 0.2]]).shape == (1,)
        run = store.create_run(config.to_mapping(), {}, "", {}, "new")
        with pytest.raises(StoreError, match="no checkpoint yet"):
            model_of_run(store, run)


def test_a_file_carries_a_model_to_another_store(trained: Trained, tmp_path: Path) -> None:
    record = Registry(trained.store).find(trained.result.run)
    path = tmp_path / "model.json"
    export_model(record, path)
    assert [each.name for each in tmp_path.iterdir()] == ["model.json"]
    assert read_model(path) == record
    with RunStore.open(tmp_path / "other") as other:
        registry = Registry(other)
        for _ in range(2):
            registry.save(import_model(path).record)
        assert [each.record for each in registry.models()] == [record]
        rows = trained.dataset.features
        expected = load(trained.store, record.id).outputs(rows).tobytes()
        assert load(other, trained.result.run).outputs(rows).tobytes() == expected
    assert load(path).outputs(rows).tobytes() == expected
    with pytest.raises(StoreError, match="Leave the name out"):
        load(path, "production")


@pytest.fixture(scope="module")
def exported(runs: dict[str, Trained], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model.json"
    export_model(Registry(runs["binary"].store).find(runs["binary"].result.run), path)
    return path


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_no_damage_to_a_file_goes_unnoticed(exported: Path, tmp_path_factory, seed: int) -> None:
    whole = exported.read_bytes()
    rng = random.Random(seed)
    at = rng.randrange(len(whole))
    damaged = rng.choice(
        [
            whole[:at],
            whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :],
            whole[:at] + bytes(8) + whole[at + 8 :],
            whole[at:],
        ]
    )
    path = tmp_path_factory.mktemp("damaged") / "model.json"
    path.write_bytes(damaged)
    # White space between the parts of JSON carries nothing.
    assert outcome(path) in ("told", read_model(exported))


def outcome(path: Path) -> ModelRecord | str:
    """The model of a file, or that it was refused by one sentence."""
    try:
        return read_model(path)
    except StoreError as error:
        return "told" if re.fullmatch(r"The model .*\.", str(error)) else str(error)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not the JSON of a model"),
        (b"[" * 100_000, "not the JSON of a model"),
        (b"\x80\x04}", "not the JSON of a model"),
        (b'{"kind": "another"}', "not the JSON of a model"),
        (b'{"kind": "qjax model", "version": 2}', "Update qjax"),
        (b'{"kind": "qjax model", "version": "x"}', "Update qjax"),
        (b'{"kind": "qjax model", "version": 1}', "checksum"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=told):
        load(path)


@pytest.mark.parametrize("change", [{"parameters": "%%%"}, {"description": []}, {"saved_at": "today"}, None])
def test_a_sound_checksum_does_not_make_a_model(exported: Path, tmp_path: Path, change: Any) -> None:
    envelope = json.loads(exported.read_bytes())
    content = {} if change is None else envelope["model"] | change
    path = tmp_path / "model.json"
    path.write_text(json.dumps(envelope | {"model": content, "sha256": _checksum(content)}))
    with pytest.raises(StoreError, match="a part is missing"):
        load(path)


def test_a_model_that_cannot_be_written_leaves_nothing(runs: dict[str, Trained], tmp_path: Path) -> None:
    record = Registry(runs["binary"].store).find("latest")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "nowhere" / "model.json", tmp_path / "folder"):
        with pytest.raises(StoreError, match="Choose another path"):
            export_model(record, path)
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_damaged_row_is_noticed(tmp_path: Path) -> None:
    config = TrainingConfig(dataset="rings", num_samples=20, num_features=2, num_qubits=2, evaluate="never")
    with RunStore.open(tmp_path) as store:
        train(config, store=store)
        Registry(store).promote("latest", "staging")
        for table, change in (
            ("models", "payload = x'00'"),
            ("models", "run = 'another'"),
            ("aliases", "alias = 'production'"),
        ):
            with store.transaction("write") as connection:
                connection.execute("SAVEPOINT before")
                connection.execute(f"UPDATE {table} SET {change}")
                with pytest.raises(StoreError, match="damaged"):
                    find_model(connection, store.path, "staging")
                connection.execute("ROLLBACK TO before")
        assert load(store, "staging").id
