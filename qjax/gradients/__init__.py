"""Gradient methods: pairs (init, estimate) over an executor, one file each."""

from qjax.gradients.adjoint import adjoint
from qjax.gradients.frozen import frozen
from qjax.gradients.method import (
    Batch,
    GradientInfo,
    GradientMethod,
    Measured,
    Objective,
    Params,
    Parts,
    Request,
    answer,
)
from qjax.gradients.parameter_shift import parameter_shift, shift_rule
from qjax.gradients.spsa import SPSAState, spsa

__all__ = [
    "Batch",
    "GradientInfo",
    "GradientMethod",
    "Measured",
    "Objective",
    "Params",
    "Parts",
    "Request",
    "SPSAState",
    "adjoint",
    "answer",
    "frozen",
    "parameter_shift",
    "shift_rule",
    "spsa",
]
