"""Results that are already known, by the content of their circuits."""

from __future__ import annotations

from collections import OrderedDict

from hw.results import Distribution

MAX_BYTES = 256 * 2**20


class ResultCache:
    """Results by content: circuit, numbers, shots, target, noise and settings. The oldest make room.

    Args:
        max_bytes: how many bytes of results are kept at most.

    Example:
        >>> import numpy as np
        >>> cache = ResultCache()
        >>> cache.put("abc", Distribution(np.array([0]), np.array([1.0])))
        >>> cache.get("abc").weights, cache.get("xyz")
        (array([1.]), None)
    """

    def __init__(self, max_bytes: int = MAX_BYTES):
        self._max_bytes = max_bytes
        self._bytes = 0
        self._results: OrderedDict[str, Distribution] = OrderedDict()

    def get(self, content: str) -> Distribution | None:
        """A result, or None.

        Args:
            content: hash of what it is a result of.

        Returns:
            The result.
        """
        found = self._results.get(content)
        if found is not None:
            self._results.move_to_end(content)
        return found

    def put(self, content: str, result: Distribution) -> None:
        """Keeps a result.

        Args:
            content: hash of what it is a result of.
            result: the result.
        """
        before = self._results.pop(content, None)
        self._bytes += _size(result) - (0 if before is None else _size(before))
        self._results[content] = result
        while self._bytes > self._max_bytes:
            _, oldest = self._results.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(result: Distribution) -> int:
    return result.states.nbytes + result.weights.nbytes
