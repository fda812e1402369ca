"""Whatever happens to the network, the service or this process: after a sync both sides hold the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qjax.sinks import ReplicaThread, Replicator, SinkError, TransientError, ensure_index, open_sink
from qjax.store import RunStore
from qjax.store.replicas import forget, read_refusals

from ..pinecone_server import FAULTS, Index, Service
from . import example
from .checker import check


class FakeClock:
    """Time passes when somebody waits."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []
        self.at: list[tuple[float, Any]] = []

    def now(self) -> float:
        return self.time

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
        while self.at and self.at[0][0] <= self.time:
            self.at.pop(0)[1]()


class Broken(BaseException):
    """This process would have ended here."""


class Dying:
    """A service in a process that ends between the answer of the service and the note of it."""

    def __init__(self, service: Any, moments: set[int]):
        self._service, self._moments, self._count = service, moments, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def upsert(self, namespace: str, records: Any) -> None:
        self._count += 1
        if 2 * self._count in self._moments:
            raise Broken
        self._service.upsert(namespace, records)
        if 2 * self._count + 1 in self._moments:
            raise Broken


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of ten records, so that little data makes many of them."""
    monkeypatch.setattr("qjax.sinks.requests.MAX_REQUEST_RECORDS", 10)


def sync(store: RunStore, run: str, clock: FakeClock, seed: int = 0, patience: float = 1e9) -> int:
    sink = open_sink("pinecone")
    return Replicator(store, run, sink.name, sink.service).drain(clock, patience, random.Random(seed))


def survive(store: RunStore, folder: Path, pinecone: Service, seed: int) -> None:
    """Writes, sends, dies and goes on under a random schedule of faults, and compares in the end."""
    chance, clock = random.Random(seed), FakeClock()
    service = Dying(open_sink("pinecone").service, {chance.randrange(2, 60) for _ in range(4)})
    faults = [chance.choice(FAULTS) for _ in range(chance.randrange(10, 60))]
    pinecone.set_faults(fault for fault in faults if fault not in ("400", "413") or chance.random() < 0.1)
    pinecone.indexes["qjax"] = Index(chance.choice([16, 100, 768]))
    run, step = example.begin(store), 0
    while step < 20:
        stop = example.next_stop(step)
        example.write(store, run, step, stop)
        step = stop
        try:
            # As a new process would.
            replicator = Replicator(store, run, example.SINK, service)  # pyright: ignore[reportArgumentType]
            replicator.drain(clock, 1e9, chance)
        except Broken:
            pass
    sync(store, run, clock)
    with store.transaction("write") as connection:
        # A request of one vector may have met one of the refusals, which is then known and can be mended.
        refused = len(read_refusals(connection, store.path, example.SINK, run, "samples"))
        refused += len(read_refusals(connection, store.path, example.SINK, run, "states"))
        check(folder, pinecone, refused)
        if refused:
            forget(connection, example.SINK, run)
    sync(store, run, clock)
    assert check(folder, pinecone) > 100
    assert sync(store, run, clock) == 0


@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_lost_or_doubled_under_faults(
    store: RunStore, folder: Path, pinecone: Service, seed: int
) -> None:
    survive(store, folder, pinecone, seed)


@pytest.mark.long
@pytest.mark.usefixtures("small_requests")
@pytest.mark.parametrize("seed", range(100, 200))
def test_nothing_is_lost_or_doubled_under_faults_campaign(
    store: RunStore, folder: Path, pinecone: Service, seed: int
) -> None:
    survive(store, folder, pinecone, seed)


def test_an_hour_without_the_service_is_waited_out(store: RunStore, folder: Path, pinecone: Service) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, clock = example.begin(store), FakeClock()
    example.write_all(store, run, 0, 12)
    pinecone.down = True
    clock.at = [(3600.0, lambda: setattr(pinecone, "down", False))]
    sync(store, run, clock)
    assert 3600 <= clock.time < 3600 + 61
    # It asked often enough to notice soon, and seldom enough to be no burden.
    assert max(clock.waits) <= 60
    assert 60 <= len(clock.waits) <= 400
    check(folder, pinecone)


def test_who_loses_patience_loses_nothing(store: RunStore, folder: Path, pinecone: Service) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, clock = example.begin(store), FakeClock()
    example.write_all(store, run, 0, 12)
    pinecone.down = True
    with pytest.raises(SinkError, match=r"^The service has not answered for 300 s \(.*`qjax sync`"):
        sync(store, run, clock, patience=300.0)
    assert clock.time < 400
    pinecone.down = False
    sync(store, run, clock)
    check(folder, pinecone)


def test_a_wait_that_the_service_asks_for_is_kept(store: RunStore, folder: Path, pinecone: Service) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, clock = example.begin(store), FakeClock()
    example.write_all(store, run, 0, 3)
    pinecone.set_faults(["429 wait"] * 3)
    sync(store, run, clock)
    assert len(clock.waits) == 3
    assert all(2.0 <= wait <= 2.2 for wait in clock.waits)
    check(folder, pinecone)


def test_a_wait_longer_than_the_patience_is_not_begun(
    store: RunStore, folder: Path, pinecone: Service
) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, clock = example.begin(store), FakeClock()
    example.write_all(store, run, 0, 3)
    pinecone.set_faults(["429 wait"])
    with pytest.raises(SinkError, match=r"^The service asks to wait 2 s, longer than the 1 s .*`qjax sync`"):
        sync(store, run, clock, patience=1.0)
    assert clock.waits == []
    sync(store, run, clock)
    check(folder, pinecone)


@pytest.mark.usefixtures("small_requests")
def test_refused_vectors_are_set_aside_one_by_one(store: RunStore, folder: Path, pinecone: Service) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, clock = example.begin(store), FakeClock()
    example.write_all(store, run, 0, 20)
    bad = {f"{run}#train_e0_b1_s0", f"{run}#train_e2_b0_s3", f"{run}#state_t5_i7"}
    pinecone.refuse = lambda record: "I do not like it" if record["id"] in bad else None
    sync(store, run, clock)
    check(folder, pinecone, refused=3)
    assert not clock.waits
    # Later the service likes them.
    pinecone.refuse = lambda record: None
    with store.transaction("write") as connection:
        connection.execute("DELETE FROM replicas")
        connection.execute("DELETE FROM refusals")
    sync(store, run, clock)
    check(folder, pinecone)


def test_requests_stay_below_the_limits_of_the_service(
    store: RunStore, folder: Path, pinecone: Service
) -> None:
    ensure_index(open_sink("pinecone"), 700)
    run = example.begin(store, width=700)
    example.write_all(store, run, 0, 250)
    sync(store, run, FakeClock())
    check(folder, pinecone)
    sizes = [size for path, size in pinecone.requests if path == "/vectors/upsert"]
    assert max(sizes) <= 2_000_000
    # And not far below, but for the last of each kind.
    assert sorted(sizes)[2:] == [size for size in sorted(sizes)[2:] if size > 900_000]


def test_a_run_that_is_resumed_at_an_older_step_is_replicated_as_it_is_now(
    store: RunStore, folder: Path, pinecone: Service
) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, clock = example.begin(store), FakeClock()
    example.write_all(store, run, 0, 9)
    sync(store, run, clock)
    # The newest checkpoint is damaged, so the run goes on from the one before it.
    with store.transaction("write") as connection:
        sql = "UPDATE checkpoints SET payload = x'00' WHERE step = 9"
        assert connection.execute(sql).rowcount == 1
    checkpoint = store.resume_run(run)
    assert checkpoint is not None
    assert checkpoint.step < 9
    example.write_all(store, run, checkpoint.step, 14)
    sync(store, run, clock)
    check(folder, pinecone)


def test_an_index_made_anew_with_another_dimension_is_noticed(store: RunStore, pinecone: Service) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run, sink = example.begin(store), open_sink("pinecone")
    example.write_all(store, run, 0, 4)
    replicator = Replicator(store, run, sink.name, sink.service)
    assert replicator.send_next()
    example.write_all(store, run, 4, 6)
    pinecone.indexes["qjax"] = Index(800)
    with pytest.raises(TransientError, match="another dimension"):
        replicator.send_next()
    assert replicator.send_next()
    example.write_all(store, run, 6, 8)
    pinecone.indexes["qjax"] = Index(2)
    with pytest.raises(TransientError, match="another dimension"):
        replicator.send_next()
    with pytest.raises(SinkError, match="dimension 3, but those of the index have 2"):
        replicator.send_next()


def test_the_thread_sends_beside_the_writer_and_never_holds_it_up(
    store: RunStore, folder: Path, pinecone: Service
) -> None:
    sink = open_sink("pinecone")
    ensure_index(sink, 16)
    run = example.begin(store)
    with ReplicaThread(folder, sink.name, sink.service, close_seconds=60.0) as thread:
        thread.start(run)
        example.write_all(store, run, 0, 30)
    assert thread.problem is None
    check(folder, pinecone)
    # A service that takes a request and never answers.
    entered, release = threading.Event(), threading.Event()

    class Hanging:
        def dimension(self) -> int:
            entered.set()
            release.wait(60.0)
            raise TransientError("too late")

    begun = time.monotonic()
    other = example.begin(store)
    with ReplicaThread(folder, sink.name, Hanging(), close_seconds=0.2) as thread:  # pyright: ignore
        thread.start(other)
        example.write_all(store, other, 0, 30)
        assert entered.wait(60.0)
        assert store.run(other).steps == 30
    assert time.monotonic() - begun < 50.0
    release.set()
    sync(store, other, FakeClock())
    check(folder, pinecone)


def kill_at_random(folder: Path, pinecone: Service, seed: int) -> None:
    """Kills the writing and sending process several times, then lets one end, syncs and compares."""
    chance, last = random.Random(seed), 120
    pinecone.indexes["qjax"] = Index(16)
    command = [sys.executable, "-m", "tests.sinks.example", str(folder), str(last)]
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.0, 0.4))
        finally:
            process.kill()
            process.communicate()
    with RunStore.open(folder) as store:
        (record,) = store.runs()
        if record.status != "finished":
            checkpoint = store.resume_run(record.id)
            example.write_all(store, record.id, 0 if checkpoint is None else checkpoint.step, last)
        sync(store, record.id, FakeClock())
        samples = np.count_nonzero(example.indices(0, last) >= 0)
        states = example.SAMPLES * (last // example.STEPS_PER_EPOCH)
        assert check(folder, pinecone) == samples + states


def test_a_process_killed_while_sending_is_gone_on_with(folder: Path, pinecone: Service) -> None:
    kill_at_random(folder, pinecone, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_a_process_killed_while_sending_is_gone_on_with_campaign(
    folder: Path, pinecone: Service, seed: int
) -> None:
    pinecone.set_faults(random.Random(seed).choices(FAULTS[:5] + FAULTS[7:9], k=40))
    kill_at_random(folder, pinecone, seed)


def test_two_that_send_the_same_do_no_harm(store: RunStore, folder: Path, pinecone: Service) -> None:
    ensure_index(open_sink("pinecone"), 16)
    run = example.begin(store)
    example.write_all(store, run, 0, 40)

    def send() -> None:
        with RunStore.open(folder) as own:
            sync(own, run, FakeClock())

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(folder, pinecone)
    assert os.environ["PINECONE_API_KEY"].encode() not in (folder / "runs.sqlite").read_bytes()
