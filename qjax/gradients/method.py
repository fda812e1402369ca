"""What every gradient method takes and gives: an objective and a batch in, a gradient and an info out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from jax import Array

from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Estimate, Executor
from qjax.observables import PauliSum


class Params(NamedTuple):
    """What training changes.

    Attributes:
        circuit: the circuit's parameters `[P]`, real, radians.
        head: pytree of the classical head's parameters; `()` without a head.
    """

    circuit: Array
    head: Any = ()


class Batch(NamedTuple):
    """Samples of one step.

    Attributes:
        features: encoded features `[B, F]`, real.
        targets: what the outputs are compared with, `[B]`.
        weights: `[B]`, real: the weight of each sample in the mean; zero marks padding.
    """

    features: Array
    targets: Array
    weights: Array


LossFunction = Callable[[Any, Array, Array, Array], Array]
"""From the head's parameters, outputs `[B, O]`, targets `[B]` and weights `[B]` to the weighted mean loss."""


@dataclass(frozen=True)
class Objective:
    r"""The loss of a batch as a function of `Params`.

    `L(params) = loss(head, E(circuit parameters, features), targets, weights)`, where `E` are the expectation
    values of the observables that the executor measures.

    Args:
        executor: runs the circuits.
        circuit: the circuit.
        observables: `O` observables.
        loss: the loss from measured outputs.
        is_linear: whether the loss is linear in the outputs; then, without a head, shift rules need no
            unshifted outputs.
    """

    executor: Executor
    circuit: Circuit
    observables: tuple[PauliSum, ...]
    loss: LossFunction
    is_linear: bool = False


class Measured(NamedTuple):
    """Outputs that a step measured, and the samples they belong to.

    Attributes:
        outputs: `[K, O]`, real.
        targets: `[K]`.
        weights: `[K]`, real.
    """

    outputs: Array
    targets: Array
    weights: Array


class GradientInfo(NamedTuple):
    """What a person wants to know of one gradient.

    Attributes:
        loss: the batch's loss, scalar: at the parameters where the method measures there, else the mean over
            the perturbed parameters.
        at_params: bool scalar: whether `loss` and `measured` were taken at the parameters themselves.
        measured: outputs behind `loss`.
        circuits: int32 scalar: circuits executed.
        jobs: int32 scalar: submissions.
    """

    loss: Array
    at_params: Array
    measured: Measured
    circuits: Array
    jobs: Array


class GradientFunction(Protocol):
    """The second half of a gradient method."""

    def __call__(
        self, state: Any, objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Params, Any, GradientInfo]:
        """Estimates the gradient of a batch's loss.

        Args:
            state: the method's state.
            objective: the loss.
            params: where.
            batch: the samples.
            key: a PRNG key, used once.

        Returns:
            The gradient (with the structure of `params`), the next state, and the info.
        """
        ...


class Request(NamedTuple):
    """What a gradient asks of an executor: S parameter sets times B samples.

    Attributes:
        params: `[S, P]`, real.
        features: `[B, F]` or `[S, B, F]`, real.
        key: a PRNG key, or one for each circuit `[S, B]`.
        mask: `[B]` or `[S, B]`, bool: which samples are real.
        notes: pytree: what the gradient is combined from beside the answers.
    """

    params: Array
    features: Array
    key: Array
    mask: Array
    notes: Any = ()


class Parts(NamedTuple):
    """A gradient method cut open where it calls the executor, which then may be anywhere.

    Each function is pure and may be compiled, whatever the executor is.

    Attributes:
        circuit: from an objective to the circuit that is asked about.
        ask: from state, objective, params, batch and key to a `Request` and the next state, which therefore
            never waits for an answer.
        combine: from objective, params, batch, request and the executor's estimate to gradient and info.
    """

    circuit: Callable[[Objective], Circuit]
    ask: Callable[[Any, Objective, Params, Batch, Array], tuple[Request, Any]]
    combine: Callable[[Objective, Params, Batch, Request, Estimate], tuple[Params, GradientInfo]]


class GradientMethod(NamedTuple):
    """A gradient method: a pair of pure functions, as an optimizer is one in optax.

    Attributes:
        init: from `Params` to the method's state, a pytree.
        estimate: from state, objective, params, batch and key to gradient, state and info.
        parts: what `estimate` is made of; None where it differentiates the executor itself.
    """

    init: Callable[[Params], Any]
    estimate: GradientFunction
    parts: Parts | None = None


def from_parts(init: Callable[[Params], Any], parts: Parts) -> GradientMethod:
    """The method that asks, has the circuits run, and combines the answers.

    Args:
        init: from `Params` to the method's state.
        parts: the rest.

    Returns:
        The method.
    """

    def estimate(
        state: Any, objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Params, Any, GradientInfo]:
        request, state = parts.ask(state, objective, params, batch, key)
        result = answer(objective.executor, parts.circuit(objective), objective.observables, request)
        gradient, info = parts.combine(objective, params, batch, request, result)
        return gradient, state, info

    return GradientMethod(init, estimate, parts)


def answer(
    executor: Executor, circuit: Circuit, observables: tuple[PauliSum, ...], request: Request
) -> Estimate:
    """Has an executor run what a gradient asks for.

    Args:
        executor: the executor.
        circuit: the circuit.
        observables: what is measured.
        request: parameter sets and samples.

    Returns:
        The executor's estimate.
    """
    return executor.expectations(
        circuit, request.params, request.features, observables, key=request.key, mask=request.mask
    )


def stateless(params: Params) -> tuple[()]:
    """The `init` of a method that carries no state."""
    del params
    return ()


def require_exact(executor: Executor, method: str) -> None:
    """Refuses executors whose results cannot be differentiated.

    Args:
        executor: the executor.
        method: name of the method that asks.

    Raises:
        ArgumentError: if the executor's means are not exact, or it cannot be traced.
    """
    if not (executor.exact and executor.traceable):
        raise ArgumentError(
            "executor",
            f"be an exact simulator for the gradient method `{method}`",
            f"it is {executor!r}",
            "Set `shots=None`, or use `spsa` or `parameter_shift`, which work from measured results.",
        )


def head_gradient(objective: Objective, head: Any, measured: Measured) -> tuple[Array, Any, Array]:
    """The loss and its exact derivatives at measured outputs.

    Args:
        objective: the loss.
        head: the head's parameters.
        measured: outputs `[K, O]` with targets and weights.

    Returns:
        The loss, its gradient in the head's parameters, and its gradient in the outputs `[K, O]`.
    """
    loss, (head_part, outputs_part) = jax.value_and_grad(objective.loss, argnums=(0, 1), allow_int=True)(
        head, measured.outputs, measured.targets, measured.weights
    )
    return loss, head_part, outputs_part


def flag(value: bool) -> Array:
    """A bool scalar array."""
    return jnp.asarray(value, bool)
