"""The cache of results keeps what was used last, within its bound."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw.cache import ResultCache
from hw.results import Distribution

SIZES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 8)), max_size=40)


def result(size: int) -> Distribution:
    return Distribution(np.arange(size), np.full(size, 1 / size))


@given(SIZES)
def test_what_is_found_is_what_was_put_last_and_fits(puts: list[tuple[int, int]]) -> None:
    cache = ResultCache(max_bytes=16 * 12)
    last: dict[int, int] = {}
    for key, size in puts:
        cache.put(str(key), result(size))
        last.pop(key, None)
        last[key] = size
        # The newest of them that fit together are there, and no others.
        room, kept = 12, set()
        for each in reversed(last):
            room -= last[each]
            if room < 0:
                break
            kept.add(each)
        last = {each: last[each] for each in last if each in kept}
        for each in range(10):
            found = cache._results.get(str(each))
            assert (found is not None) == (each in kept)
            assert found is None or len(found.states) == last[each]


def test_what_is_used_stays() -> None:
    cache = ResultCache(max_bytes=16 * 2)
    cache.put("a", result(1))
    cache.put("b", result(1))
    cache.get("a")
    cache.put("c", result(1))
    assert cache.get("a") is not None
    assert cache.get("b") is None
