"""Killed writers, several writers at once, and readers beside them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qjax.errors import StoreError
from qjax.store import RunStore
from qjax.store.process import Writer, process_start

from . import example_run


def start_writer(folder: Path, name: str, last_step: int) -> subprocess.Popen[str]:
    command = [sys.executable, example_run.__file__, str(folder), name, str(last_step)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def kill_and_check(folder: Path, delay: float) -> None:
    process = start_writer(folder, "victim", 10**9)
    go(process)
    time.sleep(delay)
    process.kill()
    output, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    # The last line may be cut off by the kill; a line is whole once its newline is there.
    acknowledged = output.split("\n")[:-1]
    with RunStore.open(folder) as store:
        records = store.runs()
        assert [record.status for record in records] == ["interrupted"] * len(records)
        assert len(records) <= 1
        if not records:
            assert acknowledged == []
            return
        (record,) = records
        assert acknowledged[:1] in ([], [record.id])
        steps = example_run.check(store, record.id)
        # Everything acknowledged is there, and at most the one append under way beyond it.
        last = int(acknowledged[-1]) if len(acknowledged) > 1 else 0
        assert steps in (last, example_run.next_stop(last))
        checkpoint = store.resume_run(record.id)
        assert store.run(record.id).status == "running"
        step = 0 if checkpoint is None else checkpoint.step
        assert step == steps
        example_run.write(store, record.id, step, step + 30)
        assert example_run.check(store, record.id) >= steps + 30
        store.finish_run(record.id, "finished", {})
    assert sorted(path.name for path in folder.iterdir()) == ["runs.sqlite"]


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_writer_loses_at_most_the_append_under_way(tmp_path: Path, seed: int) -> None:
    # Half of the instants lie in the first moments, where folder, tables and run are created.
    kill_and_check(tmp_path / "runs", random.Random(seed).uniform(0, 0.03 if seed % 2 else 0.4))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8, 108))
def test_a_killed_writer_loses_at_most_the_append_under_way_campaign(tmp_path: Path, seed: int) -> None:
    kill_and_check(tmp_path / "runs", random.Random(seed).uniform(0, 0.03 if seed % 2 else 1.0))


def test_writers_share_a_new_store_with_a_reader(tmp_path: Path) -> None:
    names, last_step = ("first", "second", "third"), 300
    writers = [start_writer(tmp_path / "runs", name, last_step) for name in names]
    for writer in writers:
        go(writer)
    seen = set()
    with RunStore.open(tmp_path / "runs") as reader:
        while any(writer.poll() is None for writer in writers):
            for record in reader.runs():
                seen.add(record.status)
                metrics = reader.metrics(record.id)
                assert metrics.step.tolist() == list(range(len(metrics)))
                assert len(metrics) >= record.steps
        assert seen <= {"running", "finished", "interrupted"}
        for writer in writers:
            writer.communicate()
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        records = reader.runs()
        assert sorted(record.name for record in records) == sorted(names)
        assert {record.status for record in records} == {"finished"}
        for record in records:
            assert example_run.check(reader, record.id) >= last_step


def test_a_store_can_be_created_from_many_sides_at_once(tmp_path: Path) -> None:
    folders, openers = [tmp_path / str(i) for i in range(60)], 6
    barrier = threading.Barrier(openers, timeout=60)

    def open_all(name: str) -> None:
        for folder in folders:
            barrier.wait()
            with RunStore.open(folder) as store:
                store.create_run({}, {}, "", {}, name)

    with ThreadPoolExecutor(openers) as pool:
        list(pool.map(open_all, "abcdef"))
    for folder in folders:
        with RunStore.open(folder, create=False) as store:
            assert sorted(record.name for record in store.runs()) == [*"abcdef"]


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    process = start_writer(tmp_path, "other", 10**9)
    go(process)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with RunStore.open(tmp_path, busy_seconds=0.2) as store:
            assert store.run(run_id).status == "running"
            with pytest.raises(StoreError, match=f"process {process.pid}|locked by another process"):
                store.resume_run(run_id)
    finally:
        process.kill()
        process.communicate()
    with RunStore.open(tmp_path) as store:
        assert store.run(run_id).status == "interrupted"
        before = example_run.check(store, run_id)
        with pytest.raises(StoreError, match="Resume the run first"):
            example_run.write(store, run_id, before, before + 1)
        assert store.resume_run(run_id) == store.latest_checkpoint(run_id)


def test_a_writer_whose_run_was_taken_over_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunStore.open(tmp_path) as store:
        run_id = store.create_run({}, {}, "", {}, "taken")
        with monkeypatch.context() as other_process:
            other = Writer(os.getppid(), process_start(os.getppid()) or "")
            other_process.setattr(Writer, "this_process", lambda: other)
            # The parent is alive and is not the writer; it sees ours as alive and is refused.
            with pytest.raises(StoreError, match=f"being written by process {os.getpid()}"):
                store.resume_run(run_id)
            other_process.setattr(Writer, "is_alive", lambda _: False)
            assert store.resume_run(run_id) is None
        with pytest.raises(StoreError, match="Resume the run first"):
            example_run.write(store, run_id, 0, 1)
        with pytest.raises(StoreError, match="Resume the run first"):
            store.finish_run(run_id, "failed", {})
        assert store.run(run_id).process_id == os.getppid()


def test_a_zombie_and_a_reused_process_id_are_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    writer = Writer(process.pid, process_start(process.pid) or "")
    assert writer.is_alive()
    assert not writer._replace(process_start="an earlier process").is_alive()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    # Not waited for yet: the process id still exists, but nothing will ever run under it.
    assert not writer.is_alive()
    process.communicate()
    assert not writer.is_alive()


def test_without_proc_the_start_comes_from_ps_or_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qjax.store.process.Path", lambda _: tmp_path / "missing")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert process_start(os.getpid()) is None
    assert Writer.this_process().is_alive()
    assert not Writer(os.getppid(), "").is_alive()
    ps = tmp_path / "ps"
    ps.write_text('#!/bin/sh\n[ "$4" = 1 ] && exit 1\necho "Sun Nov 22 07:15:00 2026 of $4"\n')
    ps.chmod(0o755)
    assert process_start(os.getpid()) == f"Sun Nov 22 07:15:00 2026 of {os.getpid()}"
    assert process_start(1) is None
