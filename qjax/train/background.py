"""A thread of its own for what would hold up training, fed by a bounded queue."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Generic, NamedTuple, TypeVar

from qjax.errors import QjaxError, StoreError

Item = TypeVar("Item")
Write = Callable[[list[Item]], None]

MAX_ITEMS = 256
PENDING_SECONDS = 0.25
"""How much training may be done but not yet written. With chunks that take as long, half a second is the most
that a killed run loses."""
GATHER_SECONDS = 0.05
"""How long what was done may wait for more to be written with it. A thread that wakes for every chunk of some
milliseconds takes the interpreter from the training at each, and waits for the disk as often."""
DRAIN_SECONDS = 30.0


class _Entry(NamedTuple, Generic[Item]):
    item: Item
    seconds: float


class WriterThread(Generic[Item]):
    """Writes items in a thread of its own, several at once where several wait.

    The queue is bounded by the number of items and by the seconds of work that they stand for. `put` waits
    while an item more would exceed a bound; one item always fits into an empty queue. Nothing is dropped. A
    failure of the writer is raised by the next `put`, or by `close`. What is queued is written once it comes
    to half of a bound, once it has waited for `GATHER_SECONDS`, and when the queue is closed.

    Args:
        open_writer: called in the thread; a context manager that gives the function to write items with.
        drain_seconds: how long `close` waits while nothing is written.

    Example:
        >>> from contextlib import nullcontext
        >>> written = []
        >>> with WriterThread(lambda: nullcontext(written.extend)) as writer:
        ...     for number in range(3):
        ...         writer.put(number, seconds=0.1)
        >>> written
        [0, 1, 2]
    """

    def __init__(
        self,
        open_writer: Callable[[], AbstractContextManager[Write[Item]]],
        *,
        drain_seconds: float = DRAIN_SECONDS,
    ):
        self._open_writer = open_writer
        self._drain_seconds = drain_seconds
        self._changed = threading.Condition()
        self._waiting: list[_Entry[Item]] = []
        self._writing: list[_Entry[Item]] = []
        self._is_full = False
        self._closing = False
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._moved = 0.0
        # Like a daemon: where a disk hangs for good, the process can still end after the deadline. A `Thread`
        # would hold up its starter until it runs, and whoever waits for its end until it is wound up.
        _thread.start_new_thread(self._run, ())

    def put(self, item: Item, *, seconds: float) -> None:
        """Queues an item; waits while the queue is full.

        Args:
            item: what to write.
            seconds: how long it took to make, which is what a killed process loses with it.

        Raises:
            BaseException: what the writer failed with.
        """
        with self._changed:
            if not self._has_room(seconds):
                self._is_full = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._failure is not None or self._has_room(seconds))
            if self._failure is not None:
                raise self._failure
            self._waiting.append(_Entry(item, seconds))
            if len(self._waiting) == 1 or self._is_due():
                self._changed.notify_all()

    def moved(self) -> None:
        """Tells, from within the writer, that a part of what takes long has been written."""
        self._moved = time.monotonic()

    def close(self, *, at_once: bool = False) -> None:
        """Writes what is queued and ends the thread.

        Args:
            at_once: whether the deadline holds for all that is queued. Otherwise it begins anew with every
                part that is written, as gigabytes of states take longer on any disk.

        Raises:
            StoreError: the deadline passed before all was written.
            BaseException: what the writer failed with.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        try:
            self._join(at_once)
        except KeyboardInterrupt:
            # It came while this was waiting. What was done is kept all the same.
            self._join(at_once=True)
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def _join(self, at_once: bool) -> None:
        self.moved()
        begun = self._moved
        # Not `Thread.join`: one that was interrupted takes the thread for ended (Python 3.11).
        while not self._ended.is_set():
            since = begun if at_once else self._moved
            left = since + self._drain_seconds - time.monotonic()
            if left > 0:
                self._ended.wait(left)
                continue
            raise StoreError(
                f"The last steps were not written within {self._drain_seconds:g} s, because the disk is too "
                "slow or hangs. Check the disk, then resume the run from its last checkpoint."
            )

    def __enter__(self) -> WriterThread[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close(at_once=error is not None)
        except QjaxError as failure:
            # Who interrupts a run must hear that its end was not kept; any other error has precedence.
            if error is None or isinstance(error, KeyboardInterrupt):
                raise
            if failure is not error:
                error.add_note(str(failure))

    @property
    def closing(self) -> bool:
        """True once nothing more will be queued."""
        return self._closing

    def _has_room(self, seconds: float) -> bool:
        held = self._waiting + self._writing
        within = sum(entry.seconds for entry in held) + seconds <= PENDING_SECONDS
        return not held or (within and len(held) < MAX_ITEMS)

    def _run(self) -> None:
        written: list[_Entry[Item]] = []
        try:
            with self._open_writer() as write:
                while entries := self._take():
                    write([entry.item for entry in entries])
                    # Held until nobody waits any more: it takes a moment to free the arrays in them.
                    written = entries
                    self.moved()
                    with self._changed:
                        self._writing = []
                        self._changed.notify_all()
        except BaseException as failure:
            with self._changed:
                self._failure = failure
                self._waiting, self._writing = [], []
                self._changed.notify_all()
        finally:
            self._ended.set()
            written.clear()

    def _take(self) -> list[_Entry[Item]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
        self._gather()
        with self._changed:
            self._writing, self._waiting, self._is_full = self._waiting, [], False
            return self._writing

    def _gather(self) -> None:
        with self._changed:
            self._changed.wait_for(self._is_due, GATHER_SECONDS)

    def _is_due(self) -> bool:
        is_much = sum(entry.seconds for entry in self._waiting) >= PENDING_SECONDS / 2
        return self._closing or self._is_full or is_much or len(self._waiting) >= MAX_ITEMS // 2
