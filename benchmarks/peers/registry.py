"""All peers by name."""

from __future__ import annotations

import importlib

from benchmarks.peers.peer import Peer

SUBJECT = "qjax-native"
"""What is compared with the others."""

REFERENCE = "qjax-double"
"""What all answers are compared with: the plain-JAX engine in double precision."""

TRAINING_SCAN = "training-scan"
"""A loop of training steps, for one of the checks."""

_OTHERS = {
    REFERENCE: "benchmarks.peers.qjax_double",
    TRAINING_SCAN: "benchmarks.checks.training_scan",
}
_MODULES = {
    SUBJECT: "qjax_native",
    "qjax-xla": "qjax_xla",
    "tensorcircuit": "tensorcircuit",
    "pennylane": "pennylane_jax",
    "lightning": "pennylane_lightning",
    "aer": "qiskit_aer",
    "qulacs": "qulacs",
    "qsim": "qsim",
    "qujax": "qujax",
}

PEERS = tuple(_MODULES)
"""Names of what is measured, this project's own engines first."""


def load(name: str) -> Peer:
    """The peer of a name; its packages are not imported yet."""
    module = _OTHERS.get(name) or f"benchmarks.peers.{_MODULES[name]}"
    return importlib.import_module(module).PEER
