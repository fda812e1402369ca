"""Pinecone's vector API, and nothing of it anywhere else.

Pinecone has a newer document API beside it; an index of one kind does not serve the other.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np

from qjax.errors import MissingExtraError
from qjax.sinks.errors import NoIndexError, RefusedError, SinkError, TooLargeError, TransientError
from qjax.sinks.service import Match, Stored

try:
    import pinecone
    from pinecone import errors
except ImportError:
    raise MissingExtraError("pinecone", "pinecone") from None

KEY_VARIABLE = "PINECONE_API_KEY"
_TIMEOUT_SECONDS = 10.0
_LISTED_IDS = 100


class PineconeService:
    """One index of Pinecone. The key comes from the environment and goes nowhere but into requests.

    Args:
        index: name of the index.
        cloud: where a new index is made.
        region: the same.

    Raises:
        SinkError: there is no key, or it cannot be one.
        MissingExtraError: the SDK is not installed.
    """

    def __init__(self, index: str, cloud: str = "aws", region: str = "us-east-1"):
        self._name = index
        self._deployment = {"deployment_type": "managed", "cloud": cloud, "region": region}
        self._key = os.environ.get(KEY_VARIABLE, "").strip()
        if not self._key:
            raise SinkError(f"There is no key for Pinecone. Set the environment variable {KEY_VARIABLE}.")
        try:
            # Waiting and trying again is decided in one place, which is not here.
            self._once = pinecone.RetryConfig(max_retries=0)
            self._client = pinecone.Pinecone(self._key, timeout=_TIMEOUT_SECONDS, retry_config=self._once)
        except errors.PineconeValueError:
            raise SinkError(
                f"The key in the environment variable {KEY_VARIABLE} holds characters that no key has. Copy "
                "the key again."
            ) from None
        self._index: Any = None

    def dimension(self) -> int:
        """See `VectorService.dimension`."""
        index = self._described()
        dimension = getattr(index, "dimension", None)
        if dimension is None or set(index.schema.fields) != {"_values"}:
            raise SinkError(
                f"Index `{self._name}` of Pinecone does not hold plain dense vectors. Name another index, or "
                "one that does not exist yet."
            )
        return dimension

    def make_index(self, dimension: int) -> None:
        """See `VectorService.make_index`; it gets ready after a while."""
        field = {"type": "dense_vector", "dimension": dimension, "metric": "cosine"}
        # A conflict means that another process was faster.
        with self._translated(), suppress(errors.ConflictError):
            self._client.indexes.create(
                name=self._name,
                # An index with this one field is one of the vector API.
                schema={"fields": {"_values": field}},
                deployment=self._deployment,
                timeout=-1,
            )

    def upsert(self, namespace: str, records: Sequence[Mapping[str, Any]]) -> None:
        """See `VectorService.upsert`."""
        with self._translated(writing=True):
            # Without `batch_size`: with it, errors of the service do not raise.
            answer = self._data().upsert(vectors=list(records), namespace=namespace)
        if answer.upserted_count != len(records):
            raise TransientError(f"only {answer.upserted_count} of {len(records)} vectors were taken")

    def fetch(self, namespace: str, ids: Sequence[str]) -> dict[str, Stored]:
        """See `VectorService.fetch`."""
        with self._translated():
            answer = self._data().fetch(ids=list(ids), namespace=namespace)
        return {
            key: Stored(np.asarray(vector.values, np.float32), vector.metadata or {})
            for key, vector in answer.vectors.items()
        }

    def list_ids(self, namespace: str, prefix: str) -> Iterator[str]:
        """See `VectorService.list_ids`."""
        token = None
        while True:
            with self._translated():
                page = self._data().list_paginated(
                    prefix=prefix, limit=_LISTED_IDS, namespace=namespace, pagination_token=token
                )
            yield from (item.id for item in page.vectors)
            token = page.pagination.next if page.pagination else None
            if not token:
                return

    def query(
        self, namespace: str, vector: Sequence[float], top_k: int, where: Mapping[str, Any] | None = None
    ) -> list[Match]:
        """See `VectorService.query`."""
        with self._translated():
            answer = self._data().query(
                vector=list(vector), top_k=top_k, namespace=namespace, filter=where, include_metadata=True
            )
        return [Match(each.id, each.score, each.metadata or {}) for each in answer.matches]

    def _described(self) -> Any:
        with self._translated():
            index = self._client.indexes.describe(self._name)
        if not index.status.ready or index.host is None:
            raise TransientError(f"index `{self._name}` is not ready yet")
        return index

    def _data(self) -> Any:
        if self._index is None:
            self._index = self._client.index(host=self._described().host)
            # The SDK has no setting for requests to an index: it would ask up to four times and sleep up to
            # a minute and a half before each, whatever patience and deadlines say. A later SDK that looks
            # otherwise inside does so again, and no more harm comes of it.
            client = getattr(getattr(self._index, "_http", None), "_client", None)
            transport = getattr(client, "_transport", None)
            if hasattr(transport, "_config"):
                transport._config = self._once  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess]
        return self._index

    @contextmanager
    def _translated(self, *, writing: bool = False) -> Iterator[None]:
        try:
            yield
        except errors.UnauthorizedError:
            raise SinkError(
                f"Pinecone does not accept the key in the environment variable {KEY_VARIABLE}. Set the key "
                "of the project that the index belongs to."
            ) from None
        except (errors.ForbiddenError, errors.PaymentRequiredError) as error:
            raise SinkError(
                f"Pinecone does not allow this ({self._said(error)}). Look into the rights of the key and "
                "the plan of the project."
            ) from None
        except errors.NotFoundError:
            self._forget_address()
            raise NoIndexError(
                f"There is no index `{self._name}` on Pinecone. `qjax sync` makes it; or name another one."
            ) from None
        except errors.PayloadTooLargeError as error:
            raise TooLargeError(self._said(error)) from None
        except (errors.RateLimitError, errors.ServiceError) as error:
            raise TransientError(self._said(error), _retry_after(error.headers)) from None
        except (
            errors.PineconeTimeoutError,
            errors.PineconeConnectionError,
            errors.ResponseParsingError,
        ) as error:
            self._forget_address()
            raise TransientError(self._said(error)) from None
        except errors.PineconeError as error:
            if getattr(error, "status_code", None) == 408:
                raise TransientError(self._said(error)) from None
            if writing:
                raise RefusedError(self._said(error)) from None
            raise SinkError(
                f"Pinecone refuses what it was asked ({self._said(error)}). Update the package `pinecone` or "
                "name another index."
            ) from None

    def _forget_address(self) -> None:
        # An index that was made anew has another one: ask the next time.
        if self._index is not None:
            self._index.close()
            self._index = None

    def _said(self, error: Exception) -> str:
        """What the service said, on one line, without the key in case it quoted it."""
        text = " ".join(str(error).replace(self._key, "***").split())
        return textwrap.shorten(text, 200) or type(error).__name__


def _retry_after(headers: Mapping[str, str] | None) -> float | None:
    """Seconds that an answer asks to wait: a number, or a date."""
    text = {key.lower(): value for key, value in (headers or {}).items()}.get("retry-after", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
