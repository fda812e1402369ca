"""What a replica needs of a vector database; the limits of requests to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

MAX_REQUEST_BYTES = 2_000_000
MAX_REQUEST_RECORDS = 1_000
MAX_METADATA_BYTES = 40_960
MAX_FETCHED_IDS = 100
"""The service would take more, but ids travel in the URL."""
MAX_DIMENSION = 20_000
USUAL_DIMENSION = 768
"""Dimension of an index that is made because there is none."""


class Stored(NamedTuple):
    """A vector as the service has it.

    Args:
        values: float32 `[dimension]`.
        metadata: texts and numbers.

    Example:
        >>> Stored(np.zeros(2, np.float32), {}).values.shape
        (2,)
    """

    values: np.ndarray
    metadata: Mapping[str, Any]


class Match(NamedTuple):
    """A vector that the service found near another.

    Args:
        id: its id.
        score: its similarity by the metric of the index.
        metadata: its metadata.

    Example:
        >>> Match("r#train_e0_b0_s0", 0.9, {}).score
        0.9
    """

    id: str
    score: float
    metadata: Mapping[str, Any]


class VectorService(Protocol):
    """A vector database. All methods raise `SinkError`, `TransientError` or `RefusedError`."""

    def dimension(self) -> int:
        """Asks for the dimension of the index."""
        ...

    def make_index(self, dimension: int) -> None:
        """Makes the index."""
        ...

    def upsert(self, namespace: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Writes records with the keys `id`, `values` and `metadata`; one of the same id is replaced."""
        ...

    def fetch(self, namespace: str, ids: Sequence[str]) -> dict[str, Stored]:
        """Reads vectors by id; those that are not there are left out."""
        ...

    def list_ids(self, namespace: str, prefix: str) -> Iterator[str]:
        """Lists all ids that begin so."""
        ...

    def query(
        self, namespace: str, vector: Sequence[float], top_k: int, where: Mapping[str, Any] | None = None
    ) -> list[Match]:
        """Finds the nearest vectors, best first."""
        ...
