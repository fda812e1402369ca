"""The peers, one file each: how each one computes the tasks in its own best form."""

from benchmarks.peers.peer import Call, Peer
from benchmarks.peers.registry import PEERS, REFERENCE, SUBJECT, load

__all__ = ["PEERS", "REFERENCE", "SUBJECT", "Call", "Peer", "load"]
