"""Exact gradients by reverse-mode differentiation of the simulation."""

from __future__ import annotations

import jax
from jax import Array

from qjax.gradients.method import (
    Batch,
    GradientInfo,
    GradientMethod,
    Measured,
    Objective,
    Params,
    flag,
    require_exact,
    stateless,
)


def adjoint() -> GradientMethod:
    r"""The exact gradient, in about the time of a few simulations, whatever the number of parameters.

    The derivative runs backwards through the circuit from the observables. It needs the state itself, so it
    is for exact simulators; circuits are counted once for each sample.

    Returns:
        The method; its state is `()`.

    Example:
        >>> import jax.numpy as jnp
        >>> from qjax import Angle, Circuit, Op, PauliSum, Simulator
        >>> circuit = Circuit(num_qubits=1, ops=(Op("rx", (0,), Angle(param=0)),))
        >>> energy = Objective(Simulator(), circuit, (PauliSum("Z0"),), lambda head, e, y, w: e.mean())
        >>> batch = Batch(jnp.zeros((1, 0)), jnp.zeros(1), jnp.ones(1))
        >>> params = Params(jnp.array([0.5]))
        >>> gradient, _, info = adjoint().estimate((), energy, params, batch, jax.random.key(0))
        >>> round(gradient.circuit[0].item(), 5), round(info.loss.item(), 5)
        (-0.47943, 0.87758)

    Reference:
        Jones, Gacon, arXiv:2009.02823 (2020).
    """

    def estimate(
        state: tuple[()], objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Params, tuple[()], GradientInfo]:
        del key  # nothing is random here
        require_exact(objective.executor, "adjoint")

        def loss(params: Params) -> tuple[Array, tuple]:
            result = objective.executor.expectations(
                objective.circuit,
                params.circuit[None],
                batch.features,
                objective.observables,
                mask=batch.weights > 0,
            )
            outputs = result.mean[0]
            value = objective.loss(params.head, outputs, batch.targets, batch.weights)
            return value, (outputs, result.circuits, result.jobs)

        (value, (outputs, circuits, jobs)), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        measured = Measured(outputs, batch.targets, batch.weights)
        return gradient, state, GradientInfo(value, flag(True), measured, circuits, jobs)

    return GradientMethod(stateless, estimate)
