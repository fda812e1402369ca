"""A thread that sends the record of a run while it is being written."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from types import TracebackType

from qjax.errors import QjaxError
from qjax.sinks.errors import TransientError
from qjax.sinks.replicator import Replicator
from qjax.sinks.service import VectorService
from qjax.sinks.waiting import Backoff, WallClock
from qjax.store import RunStore

_LOOK_SECONDS = 0.2
CLOSE_SECONDS = 10.0
_CLOSE_SECONDS_WITHOUT_ANSWER = 2.0


class ReplicaThread:
    """Sends what the writer of a run has committed, beside the training, which never waits for it.

    Whatever happens to the service, nothing is raised into training: the record stays in the store, and what
    was not sent is sent by `qjax sync`.

    Args:
        directory: folder of the store.
        sink: name of the sink.
        service: the service.
        close_seconds: how long `close` waits for what is still to be sent; None for `CLOSE_SECONDS`.
    """

    def __init__(
        self, directory: Path, sink: str, service: VectorService, close_seconds: float | None = None
    ):
        self._directory = directory
        self._sink = sink
        self._service = service
        self._close_seconds = CLOSE_SECONDS if close_seconds is None else close_seconds
        self._clock = WallClock()
        self._closing = threading.Event()
        self._abandoned = False
        self._thread: threading.Thread | None = None
        self.problem: str | None = None
        """Why sending stopped or does not get on, in a sentence; None while all is well."""
        self.run_id: str | None = None
        """The run that is sent, once there is one."""

    def start(self, run_id: str) -> None:
        """Starts to send a run.

        Args:
            run_id: full run id.
        """
        self.run_id = run_id
        self._thread = threading.Thread(target=self._run, args=(run_id,), name="qjax-replica", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Lets the thread send what is left, for a bounded time; then it is left alone."""
        if self._thread is None:
            return
        self._closing.set()
        seconds = self._close_seconds
        if self.problem is not None:
            seconds = min(seconds, _CLOSE_SECONDS_WITHOUT_ANSWER)
        self._thread.join(seconds)
        self._abandoned = True
        self._clock.wake()

    def __enter__(self) -> ReplicaThread:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # Who breaks a run off does not wait for the network.
            self._close_seconds = 0.0
        self.close()

    def _run(self, run_id: str) -> None:
        try:
            with RunStore.open(self._directory, create=False) as store:
                self._send(Replicator(store, run_id, self._sink, self._service))
        except QjaxError as error:
            self.problem = str(error)

    def _send(self, replicator: Replicator) -> None:
        backoff = Backoff(random.Random())
        while not self._abandoned:
            # Asked before looking, so that what was committed before the end is seen.
            closing = self._closing.is_set()
            try:
                sent = replicator.send_next()
            except TransientError as error:
                self.problem = f"The service does not answer ({error})."
                self._clock.wait(backoff.after_failure(error.retry_after))
                continue
            self.problem = None
            backoff.after_success()
            if not sent:
                if closing:
                    return
                self._closing.wait(_LOOK_SECONDS)
