"""The step for executors outside of JAX: what is pure is compiled, and only the executor's call is not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from qjax.errors import ArgumentError
from qjax.executor import Estimate, Executor
from qjax.gradients import Batch, GradientMethod, Objective, Params, Request, answer
from qjax.train.step import Score, StepInfo, TrainState, make_advance, params_ahead, pipeline_depth, step_key


class OutsideStep(NamedTuple):
    """A step cut open where it calls the executor.

    Attributes:
        ask: from the gradient method's state, the parameters, the batch, the run's key and the step's number
            to what the executor is asked, and the method's next state.
        run: has the executor answer.
        shape: from a request to the shapes and dtypes of its answer.
        advance: made by `jax.jit`; from the state, the parameters that were asked about, the method's next
            state, the batch, the request and the answer to the next state and the step's info.
    """

    ask: Callable[[Any, Params, Batch, Array, int], tuple[Request, Any]]
    run: Callable[[Request], Estimate]
    shape: Callable[[Request], Estimate]
    advance: Any


def make_outside_step(
    objective: Objective, method: GradientMethod, optimizer: optax.GradientTransformation, score: Score
) -> OutsideStep:
    """Builds the step, as `make_step` does, for an executor that cannot be traced.

    Args:
        objective: the loss of a batch.
        method: estimates its gradient.
        optimizer: turns gradients into updates.
        score: from parameters and measured outputs to a score.

    Returns:
        The step; one after another, its functions give the numbers of the pure step.

    Raises:
        ArgumentError: if the method differentiates the executor itself.
    """
    parts = method.parts
    if parts is None:
        raise refused(objective.executor)
    circuit = parts.circuit(objective)
    finish = make_advance(optimizer, score)

    @jax.jit
    def ask(state: Any, params: Params, batch: Batch, key: Array, step: int) -> tuple[Request, Any]:
        return parts.ask(state, objective, params, batch, step_key(key, step))

    def run(request: Request) -> Estimate:
        result = answer(objective.executor, circuit, objective.observables, request)
        # One type whatever came back, so that `advance` is compiled once.
        mean, variance = (
            jnp.asarray(array, request.params.dtype) for array in (result.mean, result.variance)
        )
        circuits, jobs = (jnp.asarray(number, jnp.int32) for number in (result.circuits, result.jobs))
        return Estimate(mean, variance, circuits, jobs)

    def shape(request: Request) -> Any:
        sizes = request.params.shape[0], request.features.shape[-2], len(objective.observables)
        means = jax.ShapeDtypeStruct(sizes, request.params.dtype)
        number = jax.ShapeDtypeStruct((), jnp.int32)
        return Estimate(means, means, number, number)

    @jax.jit
    def advance(
        state: TrainState, at: Params, gradient_state: Any, batch: Batch, request: Request, result: Estimate
    ) -> tuple[TrainState, StepInfo]:
        gradient, info = parts.combine(objective, at, batch, request, result)
        return finish(state, at, gradient, gradient_state, info)

    return OutsideStep(ask, run, shape, advance)


def refused(executor: Executor) -> ArgumentError:
    """The error for a method that differentiates the simulation, with an executor that is none.

    Args:
        executor: the executor.

    Returns:
        The error, to be raised.
    """
    return ArgumentError(
        "gradient_method",
        "work from measured results where circuits run elsewhere",
        f"adjoint differentiates the simulation itself, and the executor is {executor!r}",
        "Use spsa_subsampled, spsa_parallel, spsa or parameter_shift.",
    )


class Flight(NamedTuple):
    """A step whose circuits are being run.

    Attributes:
        at: the parameters that were asked about.
        gradient: the gradient method's state after it.
        batch: the samples.
        request: what was asked.
        answer: what will come of it.
    """

    at: Params
    gradient: Any
    batch: Batch
    request: Request
    answer: Future[Estimate]


class Pipeline:
    """Steps in flight, in order: as many as have their parameters already.

    A state whose gradients come d steps late knows the parameters of d + 1 coming steps. What is in flight
    follows from the state alone, so nothing of it needs to be kept: a run that is resumed asks the same
    again.

    Args:
        step: the step.
        state: the state to start from.
        batch_at: the batch of a step.
        num_steps: steps of the whole run, more than the state has done.
    """

    def __init__(
        self,
        step: OutsideStep,
        state: TrainState,
        batch_at: Callable[[int], Batch],
        num_steps: int,
    ):
        self._step = step
        self._batch_at = batch_at
        self._num_steps = num_steps
        self._flights: list[Flight] = []
        self._gradient = state.gradient
        self.fill(state)
        first = self._flights[0]
        shape = step.shape(first.request)
        # The first circuits are under way meanwhile.
        self._advance = step.advance.lower(state, *first[:4], shape).compile()

    def fill(self, state: TrainState) -> None:
        """Sends every step that can be sent.

        Args:
            state: the state before the first step in flight.
        """
        depth, position = pipeline_depth(state), int(state.step)
        while len(self._flights) <= depth and position + len(self._flights) < self._num_steps:
            ahead = len(self._flights)
            at, batch = params_ahead(state, ahead), self._batch_at(position + ahead)
            request, self._gradient = self._step.ask(self._gradient, at, batch, state.key, position + ahead)
            self._flights.append(Flight(at, self._gradient, batch, request, _start(self._step.run, request)))

    def land(self, state: TrainState, timeout: float) -> tuple[TrainState, StepInfo]:
        """Waits for the first step in flight and does it.

        Args:
            state: the state before it.
            timeout: seconds to wait.

        Returns:
            The state after it, and its info.

        Raises:
            TimeoutError: if no answer came in time; the step stays in flight.
        """
        first = self._flights[0]
        result = first.answer.result(timeout)
        del self._flights[0]
        return self._advance(state, *first[:4], result)


def _start(run: Callable[[Request], Estimate], request: Request) -> Future[Estimate]:
    """Runs in a thread that does not keep a process from ending: what it asked for is found again later."""
    future: Future[Estimate] = Future()

    def work() -> None:
        try:
            future.set_result(run(request))
        except BaseException as error:  # whatever it is, it belongs to the thread that waits
            future.set_exception(error)

    Thread(target=work, name="qjax-step", daemon=True).start()
    return future
