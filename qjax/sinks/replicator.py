"""Sends the record of a run to a service, from the position where sending stopped last."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from qjax.sinks.errors import RefusedError, TransientError
from qjax.sinks.requests import next_request
from qjax.sinks.service import MAX_REQUEST_BYTES, MAX_REQUEST_RECORDS, VectorService
from qjax.sinks.waiting import Clock, patiently
from qjax.store import RunStore
from qjax.store.replicas import KINDS, Kind, Refusal, read_position, write_position, write_refusals
from qjax.store.vectors import VectorReader


class Replicator:
    """Brings a replica of one run up to its record.

    Every vector is sent at least once, and as its id is the same in every attempt, it is there once. The
    position moves on only after the service has said that it took a request.

    Args:
        store: the open store.
        run_id: full id of a run that keeps a record.
        sink: name of the sink, such as "pinecone:qjax"; positions are kept under it.
        service: the service.

    Raises:
        StoreError: there is no such run, or it keeps no record.
    """

    def __init__(self, store: RunStore, run_id: str, sink: str, service: VectorService):
        self._store = store
        self._run = run_id
        self._sink = sink
        self._service = service
        self._reader = VectorReader(store, run_id)
        self._dimension: int | None = None

    def waiting(self) -> int:
        """Counts the vectors that are still to be sent."""
        return sum(max(0, self._reader.total(kind) - self._position(kind)) for kind in KINDS)

    def send_next(self) -> int:
        """Sends one request.

        Returns:
            How many vectors it covered; 0 if none is waiting.

        Raises:
            TransientError: the service does not answer now. Nothing has changed.
            SinkError: the service cannot be used as it is.
            StoreError: the record cannot be read.
        """
        for kind in KINDS:
            position = self._position(kind)
            vectors = self._reader.read(kind, position, self._most())
            if vectors:
                if self._dimension is None:
                    self._dimension = self._service.dimension()
                request = next_request(vectors, self._dimension)
                refusals = request.refusals + self._send(kind, request.records)
                with self._store.transaction("write") as connection:
                    write_refusals(connection, self._sink, self._run, kind, refusals)
                    # Another process may have sent the same, and more.
                    before = read_position(connection, self._store.path, self._sink, self._run, kind)
                    after = max(before, position + request.num_vectors)
                    write_position(connection, self._sink, self._run, kind, after)
                return request.num_vectors
        return 0

    def drain(self, clock: Clock, patience: float, generator: random.Random | None = None) -> int:
        """Sends all that is waiting.

        Args:
            clock: tells the time.
            patience: seconds without an answer after which to give up.
            generator: where jitter comes from.

        Returns:
            How many vectors were sent.

        Raises:
            SinkError: the service cannot be used as it is, or did not answer for so long.
            StoreError: the record cannot be read.
        """
        sent = 0
        while count := patiently(self.send_next, clock, patience, generator):
            sent += count
        return sent

    def _most(self) -> int:
        """No request holds more vectors, so that few are made and then not sent."""
        if self._dimension is None:
            return MAX_REQUEST_RECORDS
        # The shortest number is "0.0,".
        return max(1, min(MAX_REQUEST_RECORDS, MAX_REQUEST_BYTES // (4 * self._dimension)))

    def _position(self, kind: Kind) -> int:
        with self._store.transaction("read") as connection:
            return read_position(connection, self._store.path, self._sink, self._run, kind)

    def _send(self, kind: Kind, records: Sequence[Mapping[str, Any]]) -> list[Refusal]:
        """Sends records; where they are refused, finds out which ones."""
        if not records:
            return []
        try:
            self._service.upsert(kind, records)
        except RefusedError as error:
            # Not the fault of single records, where the index was made anew with another dimension.
            before, self._dimension = self._dimension, self._service.dimension()
            if self._dimension != before:
                raise TransientError("the index was made anew with another dimension") from None
            return self._send_halves(kind, records, str(error))
        return []

    def _send_halves(self, kind: Kind, records: Sequence[Mapping[str, Any]], reason: str) -> list[Refusal]:
        if len(records) == 1:
            return [Refusal(records[0]["id"], reason)]
        refusals, middle = [], len(records) // 2
        for half in (records[:middle], records[middle:]):
            try:
                self._service.upsert(kind, half)
            except RefusedError as error:
                refusals += self._send_halves(kind, half, str(error))
        return refusals
