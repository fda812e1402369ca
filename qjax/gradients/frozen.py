"""No circuit gradient at all: only the head learns, from the circuit as it stands."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from qjax.gradients.method import (
    Batch,
    GradientInfo,
    GradientMethod,
    Measured,
    Objective,
    Params,
    flag,
    head_gradient,
    stateless,
)


def frozen() -> GradientMethod:
    """The head's exact gradient and a zero gradient for the circuit: the baseline of a random feature map.

    One evaluation of the batch at the parameters serves it, on any executor, with shots or without.

    Returns:
        The method; its state is `()`.
    """

    def estimate(
        state: tuple[()], objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Params, tuple[()], GradientInfo]:
        result = objective.executor.expectations(
            objective.circuit,
            params.circuit[None],
            batch.features,
            objective.observables,
            key=key,
            mask=batch.weights > 0,
        )
        measured = Measured(result.mean[0], batch.targets, batch.weights)
        loss, head_part, _ = head_gradient(objective, params.head, measured)
        gradient = Params(jnp.zeros_like(params.circuit), head_part)
        return gradient, state, GradientInfo(loss, flag(True), measured, result.circuits, result.jobs)

    return GradientMethod(stateless, estimate)
