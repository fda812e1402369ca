"""The writer's thread: in order, bounded, never silent."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax.errors import StoreError
from qjax.train import background
from qjax.train.background import WriterThread


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 0.3), max_size=40), st.sampled_from([0.0, 0.001]))
def test_everything_is_written_once_in_order_and_never_too_much_is_held(
    seconds: list[float], pause: float
) -> None:
    written: list[int] = []
    held: list[float] = []
    begun = [0]

    def write(items: list[int]) -> None:
        time.sleep(pause)
        # All that was begun to be queued and is not written.
        held.append(sum(seconds[len(written) : begun[0]]))
        written.extend(items)

    with WriterThread(lambda: nullcontext(write)) as writer:
        for number, each in enumerate(seconds):
            begun[0] = number + 1
            writer.put(number, seconds=each)
    assert written == list(range(len(seconds)))
    # What is held is within the bound or one item; beside it, one may be waiting for room.
    longest = max(seconds, default=0.0)
    assert all(each <= max(background.PENDING_SECONDS, longest) + longest + 1e-9 for each in held)


def test_small_items_are_written_together_and_large_ones_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "GATHER_SECONDS", 3600.0)
    calls: list[list[int]] = []
    written = threading.Event()

    def write(items: list[int]) -> None:
        calls.append(items)
        written.set()

    with WriterThread(lambda: nullcontext(write)) as writer:
        for number in range(10):
            writer.put(number, seconds=0.001)
        assert not calls
        writer.put(10, seconds=background.PENDING_SECONDS / 2)
        assert written.wait(60.0)
        # One more does not fit beside it, so what waits is written now.
        writer.put(11, seconds=background.PENDING_SECONDS / 3)
        writer.put(12, seconds=background.PENDING_SECONDS)
        writer.put(13, seconds=0.001)
    assert calls[0] == [*range(11)]
    assert [*chain.from_iterable(calls)] == [*range(14)]


def test_what_is_small_does_not_wait_for_more_for_ever() -> None:
    written = threading.Event()
    with WriterThread(lambda: nullcontext(lambda _: written.set())) as writer:
        writer.put(0, seconds=0.001)
        assert written.wait(60.0)


def test_the_loop_waits_while_the_queue_is_full_and_goes_on_when_it_is_not() -> None:
    may_write, done = threading.Event(), threading.Event()

    def write(items: list[int]) -> None:
        may_write.wait(60.0)

    with WriterThread(lambda: nullcontext(write)) as writer:
        writer.put(0, seconds=10.0)  # however long, one fits

        def put_another() -> None:
            writer.put(1, seconds=0.01)
            done.set()

        thread = threading.Thread(target=put_another)
        thread.start()
        assert not done.wait(0.1)
        may_write.set()
        assert done.wait(60.0)
        thread.join()


@pytest.mark.parametrize("when", ["opening", "writing"])
def test_a_failure_reaches_the_loop_and_whoever_closes(when: str) -> None:
    @contextmanager
    def failing() -> Iterator[background.Write[int]]:
        if when == "opening":
            raise StoreError("The disk is full. Make room.")

        def write(items: list[int]) -> None:
            raise StoreError("The disk is full. Make room.")

        yield write

    def put_until_it_fails(writer: WriterThread[int]) -> None:
        for number in range(10_000):
            writer.put(number, seconds=1.0)

    writer = WriterThread(failing)
    with pytest.raises(StoreError, match="disk is full"):
        put_until_it_fails(writer)
    with pytest.raises(StoreError, match="disk is full"):
        writer.close()


def run_block(write: Callable[[list[int]], None], error: BaseException) -> None:
    """A block that queues one item and then fails."""
    with WriterThread(lambda: nullcontext(write)) as writer:
        writer.put(7, seconds=0.1)
        raise error


def test_a_failure_at_the_end_is_heard() -> None:
    may_fail = threading.Event()

    def write(items: list[int]) -> None:
        may_fail.wait(0.05)
        raise StoreError("The disk is full. Make room.")

    # Another error has precedence and says so; who interrupts hears that the end was not kept.
    with pytest.raises(ZeroDivisionError) as caught:
        run_block(write, ZeroDivisionError())
    assert caught.value.__notes__ == ["The disk is full. Make room."]
    with pytest.raises(StoreError, match="disk is full"):
        run_block(write, KeyboardInterrupt())


def test_an_interruption_drains_and_a_disk_that_hangs_does_not_hold_up_for_ever() -> None:
    written: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        run_block(written.extend, KeyboardInterrupt())
    assert written == [7]
    hanging = threading.Event()

    def hang(items: list[int]) -> None:
        hanging.wait(60.0)

    writer = WriterThread(lambda: nullcontext(hang), drain_seconds=0.05)
    writer.put(0, seconds=0.1)
    with pytest.raises(StoreError, match=r"not written within 0.05 s.*resume the run"):
        writer.close()
    hanging.set()


def test_an_interruption_of_the_end_drains_as_well() -> None:
    may_go_on = threading.Event()
    written: list[int] = []

    def write(items: list[int]) -> None:
        may_go_on.wait(60.0)
        written.extend(items)

    def interrupt(writer: WriterThread[int], thread: int) -> None:
        while not writer.closing:
            time.sleep(0.001)
        time.sleep(0.05)
        signal.pthread_kill(thread, signal.SIGINT)
        time.sleep(0.05)
        may_go_on.set()

    writer = WriterThread(lambda: nullcontext(write))
    writer.put(7, seconds=0.1)
    threading.Thread(target=interrupt, args=(writer, threading.get_ident())).start()
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    assert written == [7]


def test_the_end_waits_for_what_takes_long_as_long_as_it_moves() -> None:
    written: list[int] = []

    def write(items: list[int]) -> None:
        for part in range(8):
            time.sleep(0.2)
            written.append(part)
            writer.moved()

    with WriterThread(lambda: nullcontext(write), drain_seconds=1.0) as writer:
        writer.put(0, seconds=0.1)
    assert written == list(range(8))
    # Who breaks a run off waits no longer than the deadline.
    writer = WriterThread(lambda: nullcontext(write), drain_seconds=1.0)
    writer.put(0, seconds=0.1)
    with pytest.raises(StoreError, match="not written within 1 s"):
        writer.close(at_once=True)
