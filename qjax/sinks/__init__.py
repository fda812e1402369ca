"""Replicas of the run store elsewhere.

The store is the record; a replica is made from it, never in the training loop, and can be made again at
any time. `open_sink` gives a service from its name; `Replicator` sends a run; `ReplicaThread` does so while
the run goes on; `compare` says whether store and replica agree.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from qjax.errors import ArgumentError
from qjax.sinks.comparison import Comparison, compare
from qjax.sinks.errors import NoIndexError, RefusedError, SinkError, TooWideError, TransientError
from qjax.sinks.replicator import Replicator
from qjax.sinks.requests import check_width
from qjax.sinks.service import MAX_DIMENSION, USUAL_DIMENSION, VectorService
from qjax.sinks.thread import ReplicaThread
from qjax.sinks.waiting import Clock, WallClock, patiently

DEFAULT_INDEX = "qjax"

__all__ = [
    "Clock",
    "Comparison",
    "NoIndexError",
    "RefusedError",
    "ReplicaThread",
    "Replicator",
    "Sink",
    "SinkError",
    "TooWideError",
    "TransientError",
    "VectorService",
    "WallClock",
    "check_width",
    "compare",
    "ensure_index",
    "open_sink",
    "patiently",
]


class Sink(NamedTuple):
    """A place for replicas.

    Attributes:
        name: what positions in the store are kept under, such as "pinecone:qjax".
        service: the service.
    """

    name: str
    service: VectorService


def open_sink(text: str) -> Sink:
    """Finds the sink of a name; nothing is sent yet.

    Args:
        text: "pinecone", or "pinecone:INDEX" for another index than the one named in the environment variable
            PINECONE_INDEX, or else "qjax". PINECONE_CLOUD and PINECONE_REGION say where a new one is made.

    Returns:
        The sink.

    Raises:
        ArgumentError: there is no such sink, or no index can have such a name.
        SinkError: there is no key.
        MissingExtraError: the SDK is not installed.

    Example:
        >>> open_sink("milvus")
        Traceback (most recent call last):
        ...
        qjax.errors.ArgumentError: Argument `--sink` must be "pinecone" or "pinecone:INDEX", but it is ...
    """
    name, _, index = text.partition(":")
    if name != "pinecone":
        raise ArgumentError(
            "--sink",
            'be "pinecone" or "pinecone:INDEX"',
            f"it is {text!r}",
            "There is no other sink.",
        )
    index = index or os.environ.get("PINECONE_INDEX", "") or DEFAULT_INDEX
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?", index):
        raise ArgumentError(
            "--sink",
            "name an index by at most 45 small letters, digits and hyphens",
            f"the name is {index!r}",
            "Write, for example, `--sink pinecone:qjax`.",
        )
    from qjax.sinks.pinecone import PineconeService

    place = os.environ.get("PINECONE_CLOUD", "aws"), os.environ.get("PINECONE_REGION", "us-east-1")
    return Sink(f"pinecone:{index}", PineconeService(index, *place))


def ensure_index(sink: Sink, width: int) -> bool:
    """Checks that vectors fit into the index, and makes it where there is none.

    Args:
        sink: the sink.
        width: dimension of the widest vectors.

    Returns:
        True if it was made; it gets ready after a while.

    Raises:
        SinkError: vectors do not fit, or the service cannot be used as it is.
        TransientError: the service does not answer now.
    """
    check_width(width, MAX_DIMENSION)
    try:
        check_width(width, sink.service.dimension())
    except NoIndexError:
        sink.service.make_index(max(width, USUAL_DIMENSION))
        return True
    return False
