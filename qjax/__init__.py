"""Variational quantum models, trained as whole batches of perturbed circuits, in pure JAX functions."""

import importlib
from typing import Any

from qjax import ansatz, gradients
from qjax.circuit import Angle, Circuit, Op, Repeat
from qjax.executor import Estimate, Executor
from qjax.noise import NoiseModel
from qjax.observables import PauliSum
from qjax.simulator import Simulator

__all__ = [
    "Angle",
    "Circuit",
    "Estimate",
    "Executor",
    "NoiseModel",
    "Op",
    "PauliSum",
    "Repeat",
    "Simulator",
    "ansatz",
    "gradients",
]

_ON_DEMAND = ("data", "models", "store", "train")


def __getattr__(name: str) -> Any:
    """Rooms that a circuit does not need are imported at their first use."""
    if name in _ON_DEMAND:
        return importlib.import_module(f"qjax.{name}")
    raise AttributeError(f"module 'qjax' has no attribute {name!r}")
