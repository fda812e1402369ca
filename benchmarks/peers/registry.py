"""All peers by name."""

from __future__ import annotations

import importlib

from benchmarks.peers.peer import Peer

SUBJECT = "qjax-native"
"""What is compared with the others."""

REFERENCE = "benchmarks.peers.qjax_double"
"""What all answers are compared with: the plain-JAX engine in double precision."""

TRAINING_SCAN = "benchmarks.checks.training_scan"
"""A loop of training steps, for one of the checks."""

UNRELATED_SETS = "benchmarks.checks.unrelated_sets"
"""Parameter sets that have nothing in common, for one of the checks."""

_MODULES = {
    SUBJECT: "qjax_native",
    "qjax-xla": "qjax_xla",
    "tensorcircuit": "tensorcircuit_ng",
    "pennylane": "default_qubit",
    "lightning": "lightning",
    "aer": "aer",
    "qulacs": "qulacs_double",
    "qsim": "qsim",
    "qujax": "qujax_vmap",
}

PEERS = tuple(_MODULES)
"""Names of what is measured, this project's own engines first."""


def load(name: str) -> Peer:
    """The peer of a name; its packages are not imported yet.

    Args:
        name: one of `PEERS`, or a module that has a `PEER` (so anybody can measure a simulator of their own).

    Returns:
        The peer.
    """
    module = f"benchmarks.peers.{_MODULES[name]}" if name in _MODULES else name
    return importlib.import_module(module).PEER
