"""A peer that prints, and takes a while: twenty milliseconds for a call."""

import time

from benchmarks.peers import Peer, load


def prepare(problem, cores):
    print("a package that talks")
    call = load("qjax-native").prepare(problem, cores)

    def slower():
        time.sleep(0.02)
        return call()

    return slower


PEER = Peer("Slow", (), "single", "is slow", prepare, lambda: None)
