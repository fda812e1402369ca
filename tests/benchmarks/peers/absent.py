"""A peer whose package is not there."""

from benchmarks.peers import Peer
from tests.benchmarks.peers.raising import prepare

PEER = Peer("Absent", ("no-such-package-anywhere",), "single", "is absent", prepare, lambda: None)
