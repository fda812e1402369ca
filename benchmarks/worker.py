"""One peer and one cell in a process of its own, told what to do by lines of JSON.

Orders come on standard input: `{"do": "prepare"}` builds, runs once and answers with the first call's time
and the answer; `{"do": "measure", "seconds": 0.2}` calls again and again and answers with the shortest time.
The process ends with its input.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO


def main() -> None:
    """Pins the process, loads the peer, and obeys."""
    peer_name, cell_name, cores = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    # Before any import, so that thread pools are made for these cores.
    os.sched_setaffinity(0, cores)
    with _replies() as replies:
        import numpy as np

        from benchmarks.cell import Cell
        from benchmarks.peers import load
        from benchmarks.problem import make_problem

        peer = load(peer_name)
        problem = make_problem(Cell.parse(cell_name))
        peer.load()
        _ = problem.sets  # drawn here, not in the first call
        _reply(replies, {"affinity": sorted(os.sched_getaffinity(0)), "rss": _peak_rss()})
        call = None
        for line in sys.stdin:
            order = json.loads(line)
            if order["do"] == "prepare":
                start = time.perf_counter()
                call = peer.prepare(problem, len(cores))
                answer = call()
                seconds = time.perf_counter() - start
                reply = {"seconds": seconds, "answer": np.ravel(answer).tolist(), "rss": _peak_rss()}
            else:
                assert call is not None  # the first order is to prepare
                reply = measure(call, order["seconds"], order["max_calls"])
            _reply(replies, reply)


def measure(call: Any, seconds: float, max_calls: int) -> dict[str, Any]:
    """Calls until the time is over, once at least.

    Args:
        call: what to call.
        seconds: how long.
        max_calls: the most calls.

    Returns:
        The shortest time of a call, the mean, and how many there were.
    """
    shortest, calls = float("inf"), 0
    begin = now = time.perf_counter()
    end = begin + seconds
    while calls < max_calls:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        shortest, calls = min(shortest, now - start), calls + 1
        if now >= end:
            break
    return {"seconds": shortest, "mean": (now - begin) / calls, "calls": calls, "rss": _peak_rss()}


@contextmanager
def _replies() -> Iterator[TextIO]:
    """Standard output for replies alone: what packages print goes to standard error."""
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)
        yield replies


def _reply(replies: TextIO, value: dict[str, Any]) -> None:
    replies.write(json.dumps(value) + "\n")
    replies.flush()


def _peak_rss() -> int:
    """The most memory that the process ever held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
