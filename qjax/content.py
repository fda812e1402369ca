"""The version of data: a hash of what its arrays hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def content_hash(arrays: Iterable[np.ndarray]) -> str:
    """Hashes arrays by dtype, shape and little-endian bytes, so that equal numbers agree on every machine.

    Args:
        arrays: arrays of numbers, in an order that matters.

    Returns:
        SHA-256 as 64 hexadecimal digits.

    Example:
        >>> content_hash([np.arange(3)]) == content_hash([np.arange(3, dtype=">i8")])
        True
    """
    digest = hashlib.sha256()
    for array in arrays:
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{little_endian.dtype.str}{little_endian.shape}".encode())
        digest.update(little_endian.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
