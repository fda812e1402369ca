"""Arrays as bytes and back, bit for bit, without pickle.

Layout: magic (8 bytes, the last one the version), SHA-256 of everything after it (32 bytes), length
of the header (8 bytes, little endian), header (JSON: dtype and shape of each array), then the
arrays one after the other in C order.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from qjax.errors import ArgumentError, StoreError

_VERSION = 1
_MAGIC = b"qjax-np"
_DIGEST = slice(8, 40)
_LENGTH = slice(40, 48)


def to_bytes(tree_leaves: Sequence[ArrayLike]) -> bytes:
    """Writes arrays into one self-describing payload.

    Args:
        tree_leaves: arrays of any shape, 0-d and empty ones included, of any boolean, integer,
            floating or complex dtype, those of `ml_dtypes` (bfloat16, float8, ...) included. Typed
            JAX keys have no array of their own: pass `jax.random.key_data`.

    Returns:
        The payload, to be read by `from_bytes`. Equal arrays give equal payloads.

    Raises:
        ArgumentError: an array holds objects, text, dates or records.

    Example:
        >>> import numpy as np
        >>> payload = to_bytes([np.float32(0.5), np.arange(6).reshape(2, 3)])
        >>> from_bytes(payload)[1]
        array([[0, 1, 2],
               [3, 4, 5]])
    """
    arrays = [np.asarray(leaf) for leaf in tree_leaves]
    header = _header(tuple((array.dtype, array.shape) for array in arrays))
    body = b"".join([len(header).to_bytes(8, "little"), header, *(array.tobytes() for array in arrays)])
    return b"".join([_MAGIC, bytes([_VERSION]), hashlib.sha256(body).digest(), body])


def from_bytes(payload: bytes) -> list[np.ndarray]:
    """Reads the arrays back that `to_bytes` wrote, with their dtype, shape and every bit.

    Args:
        payload: what `to_bytes` returned.

    Returns:
        New, writable arrays in C order.

    Raises:
        StoreError: the payload is damaged, is something else, or is of a newer version.

    Example:
        >>> from_bytes(b"something else")
        Traceback (most recent call last):
        ...
        qjax.errors.StoreError: The saved arrays cannot be read, because they do not begin like ...
    """
    if len(payload) < _LENGTH.stop or payload[: len(_MAGIC)] != _MAGIC or payload[len(_MAGIC)] == 0:
        raise _unreadable("they do not begin like arrays saved by qjax")
    if payload[len(_MAGIC)] > _VERSION:
        raise StoreError(
            f"The saved arrays have format version {payload[len(_MAGIC)]}, but this qjax reads versions up "
            f"to {_VERSION}. Update qjax."
        )
    if hashlib.sha256(payload[_DIGEST.stop :]).digest() != payload[_DIGEST]:
        raise _unreadable("their checksum does not match")
    # The checksum matched, so from here on the payload is what some `to_bytes` wrote.
    offset = _LENGTH.stop + int.from_bytes(payload[_LENGTH], "little")
    arrays = []
    for name, shape in json.loads(payload[_LENGTH.stop : offset]):
        dtype = _dtype(name)
        arrays.append(np.ndarray(shape, dtype, buffer=payload, offset=offset).copy())
        offset += math.prod(shape) * dtype.itemsize
    return arrays


# A run writes the same few forms again and again.
@lru_cache
def _header(forms: tuple[tuple[np.dtype, tuple[int, ...]], ...]) -> bytes:
    return json.dumps([[_dtype_name(dtype), shape] for dtype, shape in forms]).encode()


def _dtype_name(dtype: np.dtype) -> str:
    if dtype.isbuiltin == 2 and dtype.type.__module__ == "ml_dtypes":
        return f"ml_dtypes.{dtype.name}"
    if dtype.kind in "biufc":
        return dtype.str
    raise ArgumentError(
        "tree_leaves",
        "hold arrays of numbers",
        f"one has dtype {dtype}",
        "Save numbers only; pass `jax.random.key_data(key)` for a typed key.",
    )


def _dtype(name: str) -> np.dtype:
    module, _, extended = name.partition(".")
    if not extended:
        return np.dtype(name)
    import ml_dtypes

    if module != "ml_dtypes" or not hasattr(ml_dtypes, extended):
        raise StoreError(
            f"The saved arrays have the dtype {name}, which the installed ml_dtypes does not know. "
            "Update ml_dtypes to the version of the run."
        )
    return np.dtype(getattr(ml_dtypes, extended))


def _unreadable(cause: str) -> StoreError:
    return StoreError(f"The saved arrays cannot be read, because {cause}. Use an older checkpoint.")
