"""Variational quantum models, trained as whole batches of perturbed circuits, in pure JAX functions."""

from qjax import ansatz, gradients
from qjax.circuit import Angle, Circuit, Op, Repeat
from qjax.executor import Estimate, Executor
from qjax.observables import PauliSum
from qjax.simulator import Simulator

__all__ = [
    "Angle",
    "Circuit",
    "Estimate",
    "Executor",
    "Op",
    "PauliSum",
    "Repeat",
    "Simulator",
    "ansatz",
    "gradients",
]
