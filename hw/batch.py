"""A call of an executor as circuits to run, and their results as an estimate: both pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from hw.results import Distribution, moments, readout, sample
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Estimate, check_batch, check_mask, circuit_keys
from qjax.observables import MeasurementGroup, PauliSum, as_observables, measurement_groups


@dataclass(frozen=True)
class Grid:
    """What a call asks for, its numbers on this machine.

    Attributes:
        circuit: the circuit.
        params: `[S, P]`, float64.
        features: `[B, F]` or `[S, B, F]`, float64.
        observables: the observables.
        groups: the measurement groups that serve them.
        rows: `[N, 2]`: parameter set and sample of every circuit that is real.
        shape: `(S, B)`.
        seeds: for each row, integers from its key; empty without keys.
        covariance: whether covariances are asked for.
    """

    circuit: Circuit
    params: np.ndarray
    features: np.ndarray
    observables: tuple[PauliSum, ...]
    groups: tuple[MeasurementGroup, ...]
    rows: np.ndarray
    shape: tuple[int, int]
    seeds: tuple[tuple[int, ...], ...]
    covariance: bool


class Measured(NamedTuple):
    """What the circuits of a grid gave.

    Attributes:
        distributions: for each row, one for each group.
        shots: for each row, how many shots they are of; None where they are exact.
        circuits: how many circuits were run.
        jobs: how many submissions they took.
    """

    distributions: Sequence[Sequence[Distribution]]
    shots: Sequence[int] | None
    circuits: int
    jobs: int


def make_grid(
    circuit: Circuit,
    params: ArrayLike,
    features: ArrayLike | None,
    observables: PauliSum | Sequence[PauliSum],
    *,
    key: Array | None,
    mask: Array | None,
    covariance: bool,
    random: bool,
) -> Grid:
    """Checks a call and brings its numbers here.

    Args:
        circuit: the circuit.
        params: `[S, P]`, real.
        features: `[B, F]`, `[S, B, F]` or None.
        observables: the observables.
        key: a PRNG key, or one for each circuit `[S, B]`.
        mask: which circuits are real.
        covariance: whether covariances are asked for.
        random: whether results are random, so that a key is needed.

    Returns:
        The grid.

    Raises:
        ArgumentError: if something does not fit, a key is missing, or the call is traced.
    """
    for name, value in (("params", params), ("features", features), ("key", key), ("mask", mask)):
        if isinstance(value, Tracer):
            raise ArgumentError(
                name,
                "hold numbers where circuits are sent away",
                "it is traced by `jax.jit` or another transform",
                "Call the executor outside of it; `executor.traceable` says which may be called inside.",
            )
    checked = as_observables(observables, circuit.num_qubits)
    params, features, shape = check_batch(circuit, params, features)
    real = np.asarray(check_mask(mask, *shape))
    rows = np.argwhere(real)
    if random and key is None:
        raise ArgumentError(
            "key",
            "be a PRNG key where shots are drawn",
            "it is None",
            "Pass `key=jax.random.key(seed)`, a new one for every call.",
        )
    seeds: tuple[tuple[int, ...], ...] = ()
    if random and key is not None:
        words = np.asarray(jax.random.key_data(circuit_keys(key, *shape)))
        seeds = tuple(tuple(words[s, b].ravel().tolist()) for s, b in rows)
    return Grid(
        circuit,
        np.asarray(params, np.float64),
        np.asarray(features, np.float64),
        checked,
        measurement_groups(checked),
        rows,
        shape,
        seeds,
        covariance,
    )


def draw_shots(
    grid: Grid, exact: Sequence[Sequence[Distribution]], shots: Sequence[int]
) -> list[list[Distribution]]:
    """Draws every circuit's shots from its exact distribution, each with its own key.

    Args:
        grid: the grid, with seeds.
        exact: for each row, one distribution for each group.
        shots: for each row, how many.

    Returns:
        Frequencies, in the same order.
    """
    return [
        [sample(one, number, (*seed, index)) for index, one in enumerate(row)]
        for row, number, seed in zip(exact, shots, grid.seeds, strict=True)
    ]


def to_estimate(grid: Grid, measured: Measured) -> Estimate:
    """Means and variances of the observables from what the circuits gave.

    Args:
        grid: what was asked for.
        measured: what the circuits gave.

    Returns:
        The estimate. Of padding, means and variances are zero.
    """
    num_observables = len(grid.observables)
    mean = np.zeros((*grid.shape, num_observables))
    covariance = np.zeros((*grid.shape, num_observables, num_observables))
    constants = np.array([dict(each.terms).get((), 0.0) for each in grid.observables])
    readouts = [readout(group, grid.observables, grid.circuit.num_qubits) for group in grid.groups]
    for row, (s, b) in enumerate(grid.rows):
        mean[s, b] = constants
        for by, distribution in zip(readouts, measured.distributions[row], strict=True):
            value, spread = moments(distribution, by)
            mean[s, b] += value
            if measured.shots is not None:
                # Of a single shot's spread nothing can be said.
                number = measured.shots[row]
                covariance[s, b] += spread / (number - 1) if number > 1 else np.inf
    return Estimate(
        mean=jnp.asarray(mean),
        variance=jnp.asarray(np.diagonal(covariance, axis1=-2, axis2=-1)),
        circuits=jnp.asarray(measured.circuits, jnp.int32),
        jobs=jnp.asarray(measured.jobs, jnp.int32),
        covariance=jnp.asarray(covariance) if grid.covariance else None,
    )
