"""Whether a replica holds the record of a run: every vector once, and every one the same by hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qjax.sinks.service import MAX_FETCHED_IDS, VectorService
from qjax.sinks.waiting import Clock
from qjax.store import RunStore
from qjax.store.replicas import KINDS, Kind, read_refusals
from qjax.store.vectors import Vector, VectorReader, id_prefix, vector_hash

_ROUNDS = 4
_BLOCK = 10 * MAX_FETCHED_IDS


@dataclass
class Comparison:
    """What store and replica have in common.

    Args:
        same: vectors that are equal by hash.
        refused: vectors that the service refused and that are not there.
        missing: ids of vectors that are not in the replica.
        different: ids of vectors that are not what was recorded.
        extra: ids of the run in the replica that the record does not have.

    Example:
        >>> Comparison(same=3).agrees, Comparison(same=3, missing=["r#train_e0_b0_s0"]).agrees
        (True, False)
    """

    same: int = 0
    refused: int = 0
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """True if the replica holds exactly the record."""
        return not (self.missing or self.different or self.extra)


def compare(store: RunStore, run_id: str, sink: str, service: VectorService, clock: Clock) -> Comparison:
    """Compares the record of a run with its replica.

    Vectors that a service has just taken may take seconds to be seen; those that are missing are looked for
    again a few times.

    Args:
        store: the open store.
        run_id: full run id.
        sink: name of the sink.
        service: the service.
        clock: waits between the rounds.

    Returns:
        What was found.

    Raises:
        SinkError: the service cannot be used as it is.
        TransientError: it does not answer.
        StoreError: the record cannot be read.
    """
    reader, found = VectorReader(store, run_id), Comparison()
    for kind in KINDS:
        with store.transaction("read") as connection:
            refusals = read_refusals(connection, store.path, sink, run_id, kind)
        refused, expected = {refusal.id for refusal in refusals}, set()
        position = 0
        while vectors := reader.read(kind, position, _BLOCK):
            position += len(vectors)
            expected.update(vector.id for vector in vectors)
            _compare_vectors(kind, vectors, refused, service, clock, found)
        if expected:
            listed = service.list_ids(kind, id_prefix(run_id))
            found.extra += [identifier for identifier in listed if identifier not in expected]
    return found


def _compare_vectors(
    kind: Kind,
    vectors: Sequence[Vector],
    refused: set[str],
    service: VectorService,
    clock: Clock,
    found: Comparison,
) -> None:
    wrong = {vector.id: vector for vector in vectors}
    absent: set[str] = set()
    for number in range(_ROUNDS):
        if number:
            clock.wait(2.0**number)
        ids, absent = [*wrong], set()
        for first in range(0, len(ids), MAX_FETCHED_IDS):
            block = ids[first : first + MAX_FETCHED_IDS]
            stored = service.fetch(kind, block)
            for identifier in block:
                vector = wrong[identifier]
                if identifier not in stored:
                    absent.add(identifier)
                elif vector_hash(identifier, *stored[identifier]) == vector_hash(*vector):
                    del wrong[identifier]
                    found.same += 1
        for identifier in absent & refused:
            del wrong[identifier]
            found.refused += 1
        absent -= refused
        if not wrong:
            return
    found.missing += [identifier for identifier in wrong if identifier in absent]
    found.different += [identifier for identifier in wrong if identifier not in absent]
