"""Finite shots: basis states drawn from probabilities with explicit keys, and statistics of their values."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax.engine import xla
from qjax.errors import ArgumentError
from qjax.observables import MeasurementGroup, PauliSum

Moments = tuple[Array, Array | None]
"""Means `[S, B, O]` and the covariance of the means `[S, B, O, O]`; None where they are exact."""


@jax.custom_jvp
def refuse_derivative(values: Array) -> Array:
    """Passes values on; differentiating through it raises an error that names the gradient methods."""
    return values


@refuse_derivative.defjvp
def _refuse(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    del primals, tangents
    raise ArgumentError(
        "shots",
        "be None where results are differentiated",
        "finite shots were asked for, and counts have no derivative",
        "Use a gradient method made for shots, `qjax.gradients.spsa` or `qjax.gradients.parameter_shift`, "
        "or `Simulator(shots=None)`.",
    )


def sample_states(state: Array, key: Array, num_shots: int) -> Array:
    """Measures a state in the computational basis, by inversion of the cumulative distribution.

    Args:
        state: amplitudes `[2**n]`, complex.
        key: a PRNG key, used once.
        num_shots: number of draws.

    Returns:
        Indices of basis states `[num_shots]`, int32. In single precision a draw has 2**23 values, so from
        about 20 qubits on improbable states are drawn too rarely: use complex128 there.
    """
    probabilities = refuse_derivative(xla.probabilities(state))
    return drawn_states(probabilities, jax.random.uniform(key, (num_shots,), probabilities.dtype))


def drawn_states(probabilities: Array, draws: Array) -> Array:
    """The basis states that uniform random numbers pick.

    Args:
        probabilities: `[2**n]`, real.
        draws: `[num_shots]`, real, from 0 to below 1.

    Returns:
        Indices of basis states `[num_shots]`, int32.

    Example:
        >>> drawn_states(jnp.array([0.5, 0.0, 0.5]), jnp.array([0.1, 0.6])).tolist()
        [0, 2]
    """
    # Parallel sums round differently from state to state: a state of probability zero must not gain by it.
    sums = jnp.where(probabilities > 0, jnp.cumsum(probabilities), 0)
    cumulative = lax.cummax(sums)
    # Uniform draws are multiples of epsilon: moved to the middle of their cells they miss states that only
    # rounding has reached. Scaled by the sum as computed, no draw lies beyond the last state.
    middle = jnp.finfo(cumulative.dtype).eps / 2
    scaled = (draws + middle) * cumulative[-1]
    return jnp.searchsorted(cumulative, scaled, side="right").astype(jnp.int32)


def bytes_beside_states(
    groups: Sequence[MeasurementGroup], num_observables: int, max_shots: int, dtype: np.dtype
) -> int:
    """Bytes that the draws of one circuit take: the draws and, for each, the values of what is read from it.

    Args:
        groups: the measurement groups; empty where only states are drawn.
        num_observables: `O`.
        max_shots: how many states are drawn.
        dtype: real dtype of the values.

    Returns:
        The number of bytes.

    Example:
        >>> bytes_beside_states((), 0, 1000, np.dtype(np.float32))
        32000
    """
    num_strings = max((len(group.strings) for group in groups), default=0)
    # Eight numbers for the random bits, the draws and the search; two for each value read from a draw.
    return max_shots * dtype.itemsize * (8 + 2 * (num_strings + num_observables))


def sampled_moments(
    state: Array,
    observables: Sequence[PauliSum],
    groups: Sequence[MeasurementGroup],
    key: Array,
    shots: Array,
    max_shots: int,
) -> tuple[Array, Array]:
    """Means of observables over shots, and the covariance of these means.

    Each measurement group is a circuit of its own with `shots` draws. Strings read from the same counts
    covary; different groups are independent, so their covariances add.

    Args:
        state: amplitudes `[2**n]`, complex.
        observables: `O` observables.
        groups: the groups that serve them.
        key: a PRNG key, used once.
        shots: how many of the draws count, integer scalar.
        max_shots: how many are drawn.

    Returns:
        Means `[O]` and covariance `[O, O]`, real. The covariance is unbiased; with a single shot nothing can
        be said of it and it is infinite.
    """
    num_qubits = state.size.bit_length() - 1
    dtype = state.real.dtype
    mean = jnp.asarray([dict(observable.terms).get((), 0.0) for observable in observables], dtype)
    covariance = jnp.zeros((len(observables), len(observables)), dtype)
    used = jnp.arange(max_shots)[:, None] < shots
    # A single group takes the key as it is: splitting costs a fifth of a second of compilation.
    keys = [key] if len(groups) <= 1 else list(jax.random.split(key, len(groups)))
    for group, group_key in zip(groups, keys, strict=False):
        rotated = xla.apply_ops(state, group.basis_change())
        states = sample_states(rotated, group_key, max_shots)
        group_mean, group_covariance = group_moments(
            states[:, None], used, observables, group, num_qubits, dtype
        )
        mean, covariance = mean + group_mean, covariance + group_covariance
    # A state that is not a number has no draws; what was read from it must not look like a result.
    valid = jnp.isfinite(jnp.sum(xla.probabilities(lax.stop_gradient(state))))
    mean, covariance = jnp.where(valid, mean, jnp.nan), jnp.where(valid, covariance, jnp.nan)
    return mean, jnp.where(shots > 1, covariance, jnp.inf)


def group_moments(
    states: Array,
    used: Array,
    observables: Sequence[PauliSum],
    group: MeasurementGroup,
    num_qubits: int,
    dtype: np.dtype,
) -> tuple[Array, Array]:
    """What one measurement group adds to the means of observables, and the covariance of that.

    Args:
        states: basis states measured `[T, m]`, integer: `T` independent clusters of `m` draws, which may
            depend on each other.
        used: `[T, m]`, bool: which draws count.
        observables: `O` observables.
        group: the group.
        num_qubits: `n`.
        dtype: real dtype of the results.

    Returns:
        Means `[O]` and covariance `[O, O]`, unbiased for clusters of one size; with one cluster, zero.
    """
    coefficients = np.array([[dict(o.terms).get(s, 0.0) for s in group.strings] for o in observables])
    parities = _parities(states.reshape(-1), group, num_qubits, dtype)
    values = jnp.matmul(jnp.asarray(coefficients, dtype), parities, precision=lax.Precision.HIGHEST)
    weights = used.astype(dtype).reshape(-1)
    count = jnp.sum(weights)
    mean = values @ weights / count
    centred = ((values - mean[:, None]) * weights).reshape(len(observables), *states.shape).sum(-1)
    spread = jnp.matmul(centred, centred.T, precision=lax.Precision.HIGHEST)
    clusters = jnp.sum(jnp.any(used, axis=-1)).astype(dtype)
    return mean, spread / (count * count) * (clusters / jnp.maximum(clusters - 1, 1))


def _parities(states: Array, group: MeasurementGroup, num_qubits: int, dtype: np.dtype) -> Array:
    masks = np.array(
        [sum(1 << (num_qubits - 1 - qubit) for qubit, _ in string) for string in group.strings], np.int32
    )
    ones = lax.population_count(states[None, :] & masks[:, None])
    return (1 - 2 * (ones & 1)).astype(dtype)
