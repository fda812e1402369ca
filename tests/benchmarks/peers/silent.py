"""A peer that never answers."""

import time

from benchmarks.peers import Peer

PEER = Peer("Silent", (), "single", "waits", lambda problem, cores: lambda: time.sleep(600), lambda: None)
