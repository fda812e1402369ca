"""No circuit gradient at all: only the head learns, from the circuit as it stands."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from qjax.executor import Estimate
from qjax.gradients.method import (
    Batch,
    GradientInfo,
    GradientMethod,
    Measured,
    Objective,
    Params,
    Parts,
    Request,
    flag,
    from_parts,
    head_gradient,
    stateless,
)


def frozen() -> GradientMethod:
    """The head's exact gradient and a zero gradient for the circuit: the baseline of a random feature map.

    One evaluation of the batch at the parameters serves it, on any executor, with shots or without.

    Returns:
        The method; its state is `()`.
    """

    def ask(
        state: tuple[()], objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Request, tuple[()]]:
        del objective
        return Request(params.circuit[None], batch.features, key, batch.weights > 0), state

    def combine(
        objective: Objective, params: Params, batch: Batch, request: Request, result: Estimate
    ) -> tuple[Params, GradientInfo]:
        del request
        measured = Measured(result.mean[0], batch.targets, batch.weights)
        loss, head_part, _ = head_gradient(objective, params.head, measured)
        gradient = Params(jnp.zeros_like(params.circuit), head_part)
        return gradient, GradientInfo(loss, flag(True), measured, result.circuits, result.jobs)

    return from_parts(stateless, Parts(lambda objective: objective.circuit, ask, combine))
