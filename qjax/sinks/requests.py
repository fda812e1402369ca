"""Vectors as the records of a request: padded, checked, and as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from qjax.sinks.errors import TooWideError
from qjax.sinks.service import MAX_METADATA_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_RECORDS
from qjax.store.replicas import Refusal
from qjax.store.vectors import Vector

_ENVELOPE_BYTES = 1_000
"""More than a request holds beside its records."""


class Request(NamedTuple):
    """What to send next.

    Attributes:
        records: with the keys `id`, `values` and `metadata`, in order.
        refusals: vectors that no service of this kind takes.
        num_vectors: how many vectors of the record that covers.
    """

    records: list[dict[str, Any]]
    refusals: list[Refusal]
    num_vectors: int


def next_request(vectors: Sequence[Vector], dimension: int) -> Request:
    """Takes as many vectors as one request may hold.

    Args:
        vectors: vectors in the order of the record, at least one.
        dimension: dimension of the index.

    Returns:
        The request.

    Raises:
        TooWideError: a vector is longer than the index is wide.

    Example:
        >>> request = next_request([Vector("a", np.ones(2, np.float32), {}), Vector("b", np.zeros(2), {})], 3)
        >>> request.records[0]["values"], request.refusals[0].id, request.num_vectors
        ([1.0, 1.0, 0.0], 'b', 2)
    """
    records, refusals, size = [], [], _ENVELOPE_BYTES
    for number, vector in enumerate(vectors):
        check_width(len(vector.values), dimension)
        reason = _reason_against(vector)
        if reason is None:
            record, record_bytes, metadata_bytes = _as_record(vector, dimension)
            if metadata_bytes > MAX_METADATA_BYTES:
                reason = f"Its metadata take {metadata_bytes} bytes, and {MAX_METADATA_BYTES} are the most."
            elif record_bytes + _ENVELOPE_BYTES > MAX_REQUEST_BYTES:
                reason = f"It takes {record_bytes} bytes, more than a request may."
            elif size + record_bytes > MAX_REQUEST_BYTES or len(records) == MAX_REQUEST_RECORDS:
                return Request(records, refusals, number)
            else:
                records.append(record)
                size += record_bytes
        if reason is not None:
            refusals.append(Refusal(vector.id, reason))
    return Request(records, refusals, len(vectors))


def check_width(width: int, dimension: int) -> None:
    """Checks that vectors fit into an index; they are padded with zeros, and never cut off.

    Args:
        width: dimension of the vectors.
        dimension: dimension of the index.

    Raises:
        TooWideError: they do not fit.

    Example:
        >>> check_width(8, 768)
    """
    if width > dimension:
        raise TooWideError(
            f"The run's vectors have dimension {width}, but those of the index have {dimension}, and nothing "
            f"is cut off. Name an index of dimension {width} or more."
        )


def _reason_against(vector: Vector) -> str | None:
    if not np.isfinite(vector.values).all():
        return "It holds a number that is not finite as float32."
    if not vector.values.any():
        return "It is all zeros, which has no direction."
    return None


def _as_record(vector: Vector, dimension: int) -> tuple[dict[str, Any], int, int]:
    """The record, its bytes as JSON, and those of its metadata."""
    import orjson

    padded = np.zeros(dimension, np.float32)
    padded[: len(vector.values)] = vector.values
    # The shortest text that gives the same float32 takes half the bytes of that of its exact value.
    text = orjson.dumps(padded, option=orjson.OPT_SERIALIZE_NUMPY)
    values = orjson.loads(text)
    if not np.array_equal(np.asarray(values, np.float32), padded):
        values = padded.tolist()
        text = orjson.dumps(values)
    record = {"id": vector.id, "values": values, "metadata": dict(vector.metadata)}
    metadata_bytes = len(orjson.dumps(record["metadata"]))
    return record, len(text) + metadata_bytes + len(vector.id) + 40, metadata_bytes
