"""Variational quantum models, trained as whole batches of perturbed circuits, in pure JAX functions."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qjax import ansatz, gradients
    from qjax.circuit import Angle, Circuit, Op, Repeat
    from qjax.executor import Estimate, Executor
    from qjax.noise import NoiseModel
    from qjax.observables import PauliSum
    from qjax.simulator import Simulator

_HOMES = {
    "Angle": "circuit",
    "Circuit": "circuit",
    "Estimate": "executor",
    "Executor": "executor",
    "NoiseModel": "noise",
    "Op": "circuit",
    "PauliSum": "observables",
    "Repeat": "circuit",
    "Simulator": "simulator",
}
_ROOMS = ("ansatz", "data", "errors", "gradients", "models", "store", "train")

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


def __getattr__(name: str) -> Any:
    """Everything is imported at its first use, so that nobody waits for a part, or for JAX, without need."""
    if name in _ROOMS:
        return importlib.import_module(f"qjax.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'qjax' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qjax.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS})
