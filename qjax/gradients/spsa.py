"""Simultaneous perturbation: the whole gradient from two evaluations of the batch's loss."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from qjax.errors import ArgumentError
from qjax.executor import Estimate, circuit_keys
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
)


class SPSAState(NamedTuple):
    """State of `spsa`.

    Attributes:
        iteration: int32 scalar: how many gradients were estimated.
    """

    iteration: Array


def spsa(
    perturbation: float = 0.2,
    *,
    gamma: float = 0.101,
    num_directions: int = 1,
    subsample_size: int | None = None,
) -> GradientMethod:
    r"""The gradient along random directions, from perturbed losses of the whole batch.

    At step k, with signs `Delta` drawn for each direction,

    .. math:: \hat g = \frac{L(\theta + c_k \Delta) - L(\theta - c_k \Delta)}{2 c_k} \Delta, \qquad
        c_k = \frac{c}{(k + 1)^\gamma},

    averaged over the directions. All perturbed circuits of a step, `2 x directions x samples`, are one batch.
    With `subsample_size` each direction draws its own samples, the same ones for both signs, and the loss is
    their mean. The circuit's parameters alone are perturbed: the head's gradient is the exact chain rule at
    the outputs that were measured.

    Args:
        perturbation: c, in radians.
        gamma: decay exponent of `c_k`.
        num_directions: directions averaged.
        subsample_size: samples drawn for each direction, without replacement; None for the whole batch. Where
            a batch has fewer real samples, all of them are taken.

    Returns:
        The method; its state is `SPSAState`.

    Raises:
        ArgumentError: if an argument is out of range.

    Example:
        >>> from qjax import Angle, Circuit, Op, PauliSum, Simulator
        >>> circuit = Circuit(num_qubits=1, ops=(Op("rx", (0,), Angle(param=0)),))
        >>> energy = Objective(Simulator(), circuit, (PauliSum("Z0"),), lambda head, e, y, w: e.mean())
        >>> batch = Batch(jnp.zeros((1, 0)), jnp.zeros(1), jnp.ones(1))
        >>> params, method = Params(jnp.array([0.5])), spsa(perturbation=0.1)
        >>> gradient, state, info = method.estimate(
        ...     method.init(params), energy, params, batch, jax.random.key(0))
        >>> round(gradient.circuit[0].item(), 3), info.circuits.item()
        (-0.479, 2)

    Reference:
        Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 817 (1998), section III.
    """
    if not 0 < perturbation < math.inf:
        raise ArgumentError(
            "perturbation", "be positive", f"it is {perturbation}", "Pass a number above zero, in radians."
        )
    _check_count("num_directions", num_directions)
    if subsample_size is not None:
        _check_count("subsample_size", subsample_size)

    def init(params: Params) -> SPSAState:
        del params
        return SPSAState(jnp.zeros((), jnp.int32))

    def ask(
        state: SPSAState, objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Request, SPSAState]:
        del objective
        direction_key, sample_key, shot_key = jax.random.split(key, 3)
        theta = params.circuit
        step = perturbation / (state.iteration + 1.0) ** gamma
        signs = jax.random.rademacher(direction_key, (num_directions, theta.size), theta.dtype)
        samples = _draw(batch, sample_key, num_directions, subsample_size)
        # Sets come in the order (+, -) of the first direction, then of the second, ...
        perturbed = theta + step * jnp.stack([signs, -signs], axis=1).reshape(2 * num_directions, theta.size)
        pairs: Batch = jax.tree.map(lambda array: jnp.repeat(array, 2, axis=0), samples)
        request = Request(
            params=perturbed,
            features=batch.features if subsample_size is None else pairs.features,
            key=circuit_keys(shot_key, *pairs.weights.shape),
            mask=pairs.weights > 0,
            notes=_Notes(step, signs, pairs.targets, pairs.weights),
        )
        return request, SPSAState(state.iteration + 1)

    def combine(
        objective: Objective, params: Params, batch: Batch, request: Request, result: Estimate
    ) -> tuple[Params, GradientInfo]:
        del batch
        step, signs, targets, weights = request.notes
        measured = Measured(result.mean, targets, weights)
        losses, head_parts = jax.vmap(lambda one: head_gradient(objective, params.head, one)[:2])(measured)
        slopes = (losses[0::2] - losses[1::2]) / (2 * step)
        gradient = Params(
            circuit=jnp.mean(slopes[:, None] * signs, axis=0).astype(params.circuit.dtype),
            head=jax.tree.map(lambda part: jnp.mean(part, axis=0), head_parts),
        )
        flat: Any = jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), measured)
        return gradient, GradientInfo(jnp.mean(losses), flag(False), flat, result.circuits, result.jobs)

    return from_parts(init, Parts(lambda objective: objective.circuit, ask, combine))


class _Notes(NamedTuple):
    """What was perturbed: c_k, the signs `[directions, P]`, and each set's targets and weights `[S, B]`."""

    step: Array
    signs: Array
    targets: Array
    weights: Array


def _draw(batch: Batch, key: Array, num_directions: int, size: int | None) -> Batch:
    """Samples for each direction, arrays `[directions, k, ...]`."""
    num_samples = batch.weights.shape[0]
    if size is None:
        return jax.tree.map(lambda array: jnp.broadcast_to(array, (num_directions, *array.shape)), batch)
    # Random ranks, real samples before padding: padding is taken only where nothing else is left.
    ranks = jax.random.uniform(key, (num_directions, num_samples)) + (batch.weights > 0)
    _, chosen = jax.lax.top_k(ranks, min(size, num_samples))
    return jax.tree.map(lambda array: array[chosen], batch)


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(name, "be an integer of 1 or more", f"it is {value!r}", "Pass an int.")
