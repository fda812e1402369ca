"""The journal of a run: the same as one in memory, and kept through kills."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw.journal import Journal, MemoryJournal
from qjax.errors import StoreError
from qjax.store import RunJournal, RunStore
from qjax.store.database import FILE_NAME

COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(["intend", "accept", "withdraw", "completed", "canceled", "failed", "reopen"]),
        st.sampled_from(["a", "b", "c"]),
    ),
    max_size=25,
)


def new_run(folder: Path) -> str:
    with RunStore.open(folder) as store:
        return store.create_run({}, {}, "c0ffee", {}, name="test")


def apply(journal: Journal, command: str, fingerprint: str) -> None:
    entry = journal.find(fingerprint)
    if command == "intend":
        journal.intend(fingerprint, target="simulator", circuits=3, shots=None)
    elif entry is not None and command == "accept":
        journal.accept(fingerprint, f"job-{fingerprint}")
    elif entry is not None and command == "withdraw":
        journal.withdraw(fingerprint)
    elif entry is not None and command in ("completed", "canceled", "failed"):
        journal.finish(fingerprint, command)


def shown(journal: Journal) -> list[tuple | None]:
    entries = [journal.find(fingerprint) for fingerprint in "abc"]
    return [None if e is None else (e.fingerprint, e.state, e.job_id, e.attempt) for e in entries]


@settings(max_examples=20, deadline=None)
@given(COMMANDS)
@example([("intend", "a"), ("intend", "a"), ("accept", "a"), ("withdraw", "a")])
def test_it_does_what_the_journal_in_memory_does(commands: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_id = new_run(Path(folder))
        memory, lasting = MemoryJournal(run_id), RunJournal(folder, run_id)
        with RunJournal(folder, new_run(Path(folder))) as other:
            for command, fingerprint in commands:
                if command == "reopen":
                    lasting.close()
                    lasting = RunJournal(folder, run_id)
                else:
                    apply(memory, command, fingerprint)
                    apply(lasting, command, fingerprint)
                assert shown(lasting) == shown(memory)
            assert other.entries() == ()
        assert lasting.scope == memory.scope == run_id
        assert sorted(e.fingerprint for e in lasting.entries()) == [e[0] for e in shown(memory) if e]
        lasting.close()


def test_what_is_written_outlives_the_connection(tmp_path: Path) -> None:
    run_id = new_run(tmp_path)
    journal = RunJournal(tmp_path, run_id)
    written = journal.intend("abc", target="qpu.forte-1", circuits=20, shots=100)
    with RunJournal(tmp_path, run_id) as other:
        assert other.find("abc") == written
        assert (written.target, written.circuits, written.shots) == ("qpu.forte-1", 20, 100)


def test_threads_take_turns(tmp_path: Path) -> None:
    with RunJournal(tmp_path, new_run(tmp_path)) as journal:

        def write(number: int) -> None:
            journal.intend(str(number), target="simulator", circuits=1, shots=None)
            journal.accept(str(number), f"job-{number}")

        threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {entry.job_id for entry in journal.entries()} == {f"job-{number}" for number in range(20)}


def test_a_damaged_entry_is_noticed(tmp_path: Path) -> None:
    run_id = new_run(tmp_path)
    with RunJournal(tmp_path, run_id) as journal:
        journal.intend("abc", target="simulator", circuits=1, shots=None)
        journal.accept("abc", "job-1")
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE journal SET job_id = 'job-2'")
    with RunJournal(tmp_path, run_id) as journal, pytest.raises(StoreError, match="a row of journal"):
        journal.find("abc")


@pytest.mark.parametrize("run_id", ["nobody", ""])
def test_a_run_that_is_not_there_has_no_journal(tmp_path: Path, run_id: str) -> None:
    new_run(tmp_path)
    with RunJournal(tmp_path, run_id) as journal, pytest.raises(StoreError):
        journal.intend("abc", target="simulator", circuits=1, shots=None)
    with pytest.raises(StoreError, match="There is no folder"):
        RunJournal(tmp_path / "nowhere", "run")
    with RunJournal(tmp_path, new_run(tmp_path)) as journal, pytest.raises(StoreError, match="has no entry"):
        journal.accept("abc", "job-1")
