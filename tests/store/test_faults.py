"""Damaged, foreign, locked and full databases: one sentence each, never wrong data, nothing deleted."""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.errors import StoreError
from qjax.store import RunStore, schema

from . import example_run

FILE = "runs.sqlite"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store with three runs of different length."""
    folder = tmp_path_factory.mktemp("sound")
    with RunStore.open(folder) as store:
        for name, last_step in (("none", 0), ("short", 12), ("long", 150)):
            run_id = store.create_run({"name": name}, {"gates": ["x"] * 300}, "c0ffee", {"cores": 2}, name)
            example_run.write(store, run_id, 0, last_step)
            store.finish_run(run_id, "finished", {"loss": 0.5})
    return folder


@contextmanager
def damaged_copy(sound: Path, damage: Callable[[bytes], bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE).write_bytes(damage((sound / FILE).read_bytes()))
        yield Path(folder)


@contextmanager
def refusal_allowed() -> Iterator[None]:
    """A `StoreError` of one line with cause and cure is fine; any other error escapes."""
    try:
        yield
    except StoreError as refusal:
        message = str(refusal)
        if "\n" in message or len(message) > 600 or not message.endswith("."):
            pytest.fail(message)


def outcomes(folder: Path) -> dict[str, object]:
    """The answers to everything a reader can ask; a refusal counts as no answer."""
    answers: dict[str, object] = {}

    def ask(question: str, read: Callable[[], object]) -> None:
        with refusal_allowed():
            answers[question] = read()

    with refusal_allowed(), RunStore.open(folder, create=False) as store:
        ask("runs", store.runs)
        for name, run_id in IDS.items():
            ask(f"{name} run", lambda run_id=run_id: store.run(run_id))
            ask(
                f"{name} metrics",
                lambda run_id=run_id: [column.tobytes() for column in vars(store.metrics(run_id)).values()],
            )
            ask(f"{name} evaluations", lambda run_id=run_id: store.evaluations(run_id))
            ask(f"{name} checkpoint", lambda run_id=run_id: store.latest_checkpoint(run_id))
    return answers


IDS: dict[str, str] = {}


def check_damage(sound: Path, damage: Callable[[bytes], bytes]) -> None:
    with RunStore.open(sound, create=False) as store:
        IDS.update({record.name: record.id for record in store.runs()})
    truth = outcomes(sound)
    assert len(truth) == 1 + 4 * len(IDS)
    with damaged_copy(sound, damage) as folder:
        before = (folder / FILE).read_bytes()
        answers = outcomes(folder)
        for question, answer in answers.items():
            if question.endswith("checkpoint") and answer != truth[question]:
                # The newest one is damaged and the one before it is used.
                assert answer is not None
                step, payload = answer.step, answer.payload  # pyright: ignore[reportAttributeAccessIssue]
                assert payload == example_run.payload_at(step)
                assert example_run.next_stop(step) == truth[question].step  # pyright: ignore
            else:
                assert answer == truth[question], question
        assert (folder / FILE).read_bytes() == before
        write_somehow(folder)


def write_somehow(folder: Path) -> None:
    """A writer is refused, or succeeds and leaves every run whole."""
    with refusal_allowed(), RunStore.open(folder) as store:
        for run_id in IDS.values():
            checkpoint = store.resume_run(run_id)
            step = 0 if checkpoint is None else checkpoint.step
            example_run.write(store, run_id, step, step + 5)
            store.finish_run(run_id, "finished", {})
        store.create_run({}, {}, "", {}, "after the damage")
        for run_id in IDS.values():
            example_run.check(store, run_id)


bursts = st.lists(
    st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=64)), min_size=1, max_size=4
)


def overwritten(content: bytes, patches: list[tuple[int, bytes]]) -> bytes:
    changed = bytearray(content)
    for offset, patch in patches:
        start = offset % len(content)
        changed[start : start + len(patch)] = patch[: len(content) - start]
    return bytes(changed)


@given(patches=bursts)
@settings(deadline=None, max_examples=60)
def test_random_bytes_over_the_file_never_give_wrong_data(
    sound: Path, patches: list[tuple[int, bytes]]
) -> None:
    check_damage(sound, lambda content: overwritten(content, patches))


# The first bytes of a page say what it is and where its rows lie; those decide what SQLite sees.
@given(page=st.integers(0, 2**10), offset=st.integers(0, 120), patch=st.binary(min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_damaged_page_headers_never_give_wrong_data(
    sound: Path, page: int, offset: int, patch: bytes
) -> None:
    check_damage(sound, lambda content: overwritten(content, [(4096 * page + offset, patch)]))


@pytest.mark.parametrize("table", ["runs", "progress", "metrics", "evaluations"])
def test_every_changed_value_is_noticed(sound: Path, tmp_path: Path, table: str) -> None:
    """Values that SQLite finds nothing wrong with, but that were not written by the store."""
    with closing(sqlite3.connect(sound / FILE)) as connection:
        kinds = {row[1]: row[2] for row in connection.execute(f"PRAGMA table_info({table})")}
    for column, kind in kinds.items():
        change = {"TEXT": f"coalesce({column}, '') || ' '", "REAL": f"coalesce({column}, 0) + 1"}
        change |= {"INTEGER": f"{column} + 1000"}
        shutil.copy(sound / FILE, tmp_path)
        with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            changed = connection.execute(f"UPDATE {table} SET {column} = {change[kind]}")
            assert changed.rowcount > 1
        with RunStore.open(tmp_path) as store, pytest.raises(StoreError, match="damaged"):
            read_all(store)


def read_all(store: RunStore) -> None:
    for record in store.runs():
        store.metrics(record.id)
        store.evaluations(record.id)


@pytest.mark.long
@given(patches=bursts)
@settings(deadline=None, max_examples=2000)
def test_random_bytes_campaign(sound: Path, patches: list[tuple[int, bytes]]) -> None:
    check_damage(sound, lambda content: overwritten(content, patches))


@pytest.mark.long
@given(page=st.integers(0, 2**10), offset=st.integers(0, 120), patch=st.binary(min_size=1, max_size=4))
@settings(deadline=None, max_examples=2000)
def test_damaged_page_headers_campaign(sound: Path, page: int, offset: int, patch: bytes) -> None:
    check_damage(sound, lambda content: overwritten(content, [(4096 * page + offset, patch)]))


@given(fraction=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=40)
def test_a_truncated_file_never_gives_wrong_data(sound: Path, fraction: float) -> None:
    check_damage(sound, lambda content: content[: int(len(content) * fraction)])


def test_pages_swapped_never_give_wrong_data(sound: Path) -> None:
    pages = len((sound / FILE).read_bytes()) // 4096
    for first in range(1, pages - 1, 7):

        def swap(content: bytes, first: int = first) -> bytes:
            parts = [content[i : i + 4096] for i in range(0, len(content), 4096)]
            parts[first], parts[first + 1] = parts[first + 1], parts[first]
            return b"".join(parts)

        check_damage(sound, swap)


def test_rows_listed_twice_never_give_wrong_data(sound: Path) -> None:
    """The list of rows in a page names one row twice and another not at all, or two in wrong order."""
    content = (sound / FILE).read_bytes()
    leaves = [start for start in range(4096, len(content), 4096) if content[start] in (0x0A, 0x0D)]
    several = [start for start in leaves if int.from_bytes(content[start + 3 : start + 5], "big") > 1]
    assert len(several) >= 5
    for start in several:
        first, second = content[start + 8 : start + 10], content[start + 10 : start + 12]
        for wrong in (first + first, second + second, second + first):
            check_damage(sound, functools.partial(overwritten, patches=[(start + 8, wrong)]))


@pytest.mark.parametrize(
    "content", [b"not a database at all", b"SQLite format 3\0", bytes(8192), b"x" * 8192]
)
@pytest.mark.parametrize("create", [True, False])
def test_something_else_is_refused_and_kept(tmp_path: Path, content: bytes, create: bool) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        RunStore.open(tmp_path, create=create)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {FILE: content}


@pytest.mark.parametrize("user_version", [0, 1, 2])
def test_the_database_of_another_program_is_refused_and_kept(tmp_path: Path, user_version: int) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {user_version}")
        connection.execute("CREATE TABLE runs (id TEXT)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match="not a database of qjax"):
        RunStore.open(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {FILE: before}


def test_a_newer_schema_is_refused(sound: Path, tmp_path: Path) -> None:
    shutil.copy(sound / FILE, tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    known = schema.SCHEMA_VERSION
    told = rf"schema version {known + 1}, but this qjax knows versions up to {known}\. Update"
    with pytest.raises(StoreError, match=told):
        RunStore.open(tmp_path)


@pytest.mark.parametrize("statement", ["CREATE TABLE notes (run TEXT)", "CREATE TABLE runs (id TEXT)"])
def test_an_older_schema_is_migrated_whole_or_not_at_all(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    shutil.copy(sound / FILE, tmp_path)
    with RunStore.open(tmp_path) as store:
        before = store.runs()
    steps = (*schema.MIGRATIONS, ("CREATE INDEX first_half ON runs (name)", statement))
    with monkeypatch.context() as newer:
        newer.setattr(schema, "MIGRATIONS", steps)
        newer.setattr(schema, "SCHEMA_VERSION", len(steps))
        newer.setattr("qjax.store.database.SCHEMA_VERSION", len(steps))
        if "notes" in statement:
            with RunStore.open(tmp_path) as store:
                assert store.runs() == before
            assert outcome_of_opening(tmp_path) == "open"
        else:
            with pytest.raises(StoreError, match="damaged"):
                RunStore.open(tmp_path)
    expected = "newer" if "notes" in statement else "open"
    assert outcome_of_opening(tmp_path) == expected


def outcome_of_opening(folder: Path) -> str:
    try:
        RunStore.open(folder).close()
    except StoreError as error:
        return "newer" if "Update qjax" in str(error) else str(error)
    return "open"


def test_changed_tables_are_refused(sound: Path, tmp_path: Path) -> None:
    shutil.copy(sound / FILE, tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("ALTER TABLE metrics ADD COLUMN extra")
    with pytest.raises(StoreError, match="tables are not those of a run store"):
        RunStore.open(tmp_path)


def test_a_lost_main_file_does_not_cost_the_log(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "logged")
        for path in list(tmp_path.iterdir()):
            shutil.copy(path, tmp_path / f"copy of {path.name}")
    for path in list(tmp_path.glob("copy of *")):
        path.rename(tmp_path / path.name.removeprefix("copy of "))
    log = (tmp_path / f"{FILE}-wal").read_bytes()
    main = (tmp_path / FILE).read_bytes()
    for remove in (lambda: (tmp_path / FILE).write_bytes(b""), (tmp_path / FILE).unlink):
        remove()
        with pytest.raises(StoreError, match="it is empty, but its log"):
            RunStore.open(tmp_path)
        assert (tmp_path / f"{FILE}-wal").read_bytes() == log
    (tmp_path / FILE).write_bytes(main)
    with RunStore.open(tmp_path) as store:
        assert store.run("latest").id == run_id


def test_a_writer_that_waits_too_long_is_told_and_readers_are_not_kept_waiting(tmp_path: Path) -> None:
    with RunStore.open(tmp_path, busy_seconds=0.05) as store:
        run_id = store.create_run({}, {}, "", {}, "waiting")
        example_run.write(store, run_id, 0, 20)
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            before = example_run.check(store, run_id)
            for write in (
                lambda: example_run.write(store, run_id, before, before + 1),
                lambda: store.create_run({}, {}, "", {}, "second"),
                lambda: store.finish_run(run_id, "finished", {}),
                lambda: store.resume_run(run_id),
            ):
                with pytest.raises(StoreError, match="locked by another process"):
                    write()
            assert example_run.check(store, run_id) == before
            other.execute("ROLLBACK")
        example_run.write(store, run_id, before, before + 1)


def test_a_store_that_another_program_locked_cannot_be_opened(sound: Path, tmp_path: Path) -> None:
    shutil.copy(sound / FILE, tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked by another process"):
            RunStore.open(tmp_path, busy_seconds=0.05)


@given(room=st.integers(0, 12))
@settings(deadline=None, max_examples=20)
def test_a_full_disk_undoes_the_append_and_room_lets_it_go_on(room: int) -> None:
    with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:
        run_id = store.create_run({}, {}, "", {}, "full")
        connection = store._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + room}")
        with pytest.raises(StoreError, match=r"is full, and the last write was undone\. Make room"):
            example_run.write(store, run_id, 0, 10**6)
        steps = example_run.check(store, run_id)
        with pytest.raises(StoreError, match="is full"):
            store.create_run({}, {"gates": ["x"] * 10**5}, "", {}, "too large")
        assert len(store.runs()) == 1
        connection.execute(f"PRAGMA max_page_count = {2**30}")
        example_run.write(store, run_id, steps, steps + 20)
        assert example_run.check(store, run_id) >= steps + 20


def damage_checkpoint(folder: Path, run_id: str, which: str) -> None:
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        steps = [
            row[0] for row in connection.execute("SELECT step FROM checkpoints WHERE run = ?", (run_id,))
        ]
        chosen = {"newest": [max(steps)], "older": [min(steps)], "both": steps}[which]
        for step in chosen:
            key = (run_id, step)
            sql = "SELECT payload FROM checkpoints WHERE run = ? AND step = ?"
            payload = bytearray(connection.execute(sql, key).fetchone()[0])
            payload[len(payload) // 2] ^= 1
            sql = "UPDATE checkpoints SET payload = ? WHERE run = ? AND step = ?"
            connection.execute(sql, (bytes(payload), *key))


@pytest.mark.parametrize("which", ["newest", "older"])
def test_a_damaged_checkpoint_is_passed_by(tmp_path: Path, which: str) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "damaged")
        example_run.write(store, run_id, 0, 40)
        steps = example_run.check(store, run_id)
        damage_checkpoint(tmp_path, run_id, which)
        checkpoint = store.latest_checkpoint(run_id)
        assert checkpoint is not None
        last = example_run.next_stop(checkpoint.step) if which == "newest" else checkpoint.step
        assert last == steps
        assert store.resume_run(run_id) == checkpoint
        assert example_run.check(store, run_id) == checkpoint.step
        example_run.write(store, run_id, checkpoint.step, steps + 30)
        assert example_run.check(store, run_id) >= steps + 30
        # Two sound checkpoints again: the newest may be damaged once more.
        damage_checkpoint(tmp_path, run_id, "newest")
        assert store.latest_checkpoint(run_id) is not None


def test_two_damaged_checkpoints_do_not_begin_the_run_anew(tmp_path: Path) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "damaged")
        example_run.write(store, run_id, 0, 40)
        damage_checkpoint(tmp_path, run_id, "both")
        before = store.run(run_id)
        for read in (store.latest_checkpoint, store.resume_run):
            with pytest.raises(StoreError, match=r"no checkpoint of run .* is sound"):
                read(run_id)
        assert store.run(run_id) == before
        assert len(store.metrics(run_id)) == before.steps


@contextmanager
def ordinary_user() -> Iterator[Path]:
    """Rights on files do not bind the superuser, so a test of them runs as someone else."""
    with tempfile.TemporaryDirectory() as folder:
        superuser = os.geteuid() == 0
        if superuser:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            if superuser:
                os.seteuid(0)
            for path in (Path(folder), *Path(folder).rglob("*")):
                path.chmod(0o700)


def test_a_read_only_folder_is_named(sound: Path) -> None:
    content = (sound / FILE).read_bytes()
    with ordinary_user() as folder:
        (folder / FILE).write_bytes(content)
        folder.chmod(0o500)
        for create in (True, False):
            with pytest.raises(StoreError, match=r"folder is read-only or not accessible .* Give this user"):
                RunStore.open(folder, create=create)
        assert (folder / FILE).read_bytes() == content
        with pytest.raises(StoreError, match=r"cannot be used \(Permission denied\)"):
            RunStore.open(folder / "runs")
        folder.chmod(0)
        for create in (True, False):
            with pytest.raises(StoreError, match="Give this user the right"):
                RunStore.open(folder, create=create)


def test_a_read_only_file_can_be_looked_at(sound: Path) -> None:
    content = (sound / FILE).read_bytes()
    with ordinary_user() as folder:
        (folder / FILE).write_bytes(content)
        (folder / FILE).chmod(0o400)
        with RunStore.open(folder) as store:
            assert len(store.runs()) == 3
            with pytest.raises(StoreError, match="file is read-only"):
                store.create_run({}, {}, "", {}, "refused")


def test_a_path_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for create in (True, False):
        for path in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(StoreError, match=r"needs a folder|There is no folder"):
                RunStore.open(path, create=create)
    assert (tmp_path / "file").read_text() == "kept"
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        RunStore.open(tmp_path)


def test_looking_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no folder"):
        RunStore.open(tmp_path / "runs", create=False)
    with pytest.raises(StoreError, match="holds no runs"):
        RunStore.open(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / FILE).touch()
    with pytest.raises(StoreError, match="is empty"):
        RunStore.open(tmp_path, create=False)
    assert (tmp_path / FILE).read_bytes() == b""
