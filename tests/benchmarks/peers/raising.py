"""A peer that raises."""

from benchmarks.peers import Peer


def prepare(problem, cores):
    raise RuntimeError("out of luck")


PEER = Peer("Raising", (), "single", "raises", prepare, lambda: None)
