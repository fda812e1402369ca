"""A peer whose answer is wrong."""

import numpy as np

from benchmarks.peers import Peer

PEER = Peer("Wrong", (), "single", "guesses", lambda problem, cores: lambda: np.zeros(2), lambda: None)
