"""States, and what is read from them, over a grid of circuits, by the plain-JAX engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.circuit import Circuit
from qjax.engine import xla
from qjax.engine.chunks import map_grid, states_per_chunk
from qjax.engine.program import lower
from qjax.observables import PauliSum


def expectations(circuit: Circuit, observables: Sequence[PauliSum], params: Array, features: Array) -> Array:
    """Expectation values of every circuit of a grid.

    Args:
        circuit: the circuit.
        observables: `O` observables.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.

    Returns:
        Values `[*grid, O]` in the same dtype.

    Example:
        >>> from qjax import Circuit, Op, PauliSum
        >>> circuit = Circuit(1, (Op("x", (0,)),))
        >>> expectations(circuit, (PauliSum("Z0"),), jnp.zeros((2, 1, 0)), jnp.zeros((1, 3, 0))).shape
        (2, 3, 1)
    """
    return _map_states(
        circuit,
        params,
        features,
        lambda state: xla.expectations(state, observables),
        jax.ShapeDtypeStruct((len(observables),), params.dtype),
    )


def values_and_slopes(
    circuit: Circuit, observable: PauliSum, params: Array, features: Array, wanted: tuple[bool, bool]
) -> list[Array]:
    """Expectation values of one observable, and their derivatives at every circuit of a grid.

    Args:
        circuit: the circuit.
        observable: the observable.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.
        wanted: whether slopes along parameters, and along features, are asked for; one of them at least.

    Returns:
        Values `[*grid, 1]`, then those of the slopes `[*grid, P]` and `[*grid, F]` that are wanted.
    """
    program, dtype = lower(circuit), _state_dtype(params)

    def value(one_set: Array, sample: Array) -> Array:
        return xla.expectations(xla.statevector(program, one_set, sample, dtype), (observable,))[0]

    which = tuple(index for index, is_wanted in enumerate(wanted) if is_wanted)

    def evaluate(one_set: Array, sample: Array) -> Array:
        found, slopes = jax.value_and_grad(value, which)(one_set, sample)
        return jnp.concatenate([found[None], *slopes])

    lengths = [1, *((params, features)[index].shape[-1] for index in which)]
    result = jax.ShapeDtypeStruct((sum(lengths),), params.dtype)
    together = _map_circuits(circuit, params, features, evaluate, result)
    return jnp.split(together, np.cumsum(lengths)[:-1], axis=-1)


def statevector(circuit: Circuit, params: Array, features: Array) -> Array:
    """State vectors of every circuit of a grid.

    Args:
        circuit: the circuit.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.

    Returns:
        Amplitudes `[*grid, 2**n]`, complex; qubit 0 is the most significant bit.
    """
    return _map_states(
        circuit,
        params,
        features,
        lambda state: state,
        jax.ShapeDtypeStruct((2**circuit.num_qubits,), _state_dtype(params)),
    )


def probabilities(circuit: Circuit, params: Array, features: Array) -> Array:
    """Probabilities of the basis states for every circuit of a grid.

    Args:
        circuit: the circuit.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.

    Returns:
        Probabilities `[*grid, 2**n]`, real.
    """
    return _map_states(
        circuit,
        params,
        features,
        xla.probabilities,
        jax.ShapeDtypeStruct((2**circuit.num_qubits,), params.dtype),
    )


def _map_states(
    circuit: Circuit,
    params: Array,
    features: Array,
    read: Callable[[Array], Array],
    result: jax.ShapeDtypeStruct,
) -> Array:
    program, dtype = lower(circuit), _state_dtype(params)

    def evaluate(one_set: Array, sample: Array) -> Array:
        return read(xla.statevector(program, one_set, sample, dtype))

    return _map_circuits(circuit, params, features, evaluate, result)


def _state_dtype(params: Array) -> np.dtype:
    return np.dtype(jnp.promote_types(params.dtype, np.complex64))


def _map_circuits(
    circuit: Circuit,
    params: Array,
    features: Array,
    function: Callable[[Array, Array], Array],
    result: jax.ShapeDtypeStruct,
) -> Array:
    """Applies a function (params, features) -> `result` to every circuit of a grid."""
    grid = jnp.broadcast_shapes(params.shape[:-1], features.shape[:-1])
    # Trailing axes along which the parameters stay the same are samples; those before are parameter sets.
    num_sample_axes = 0
    while num_sample_axes < len(grid) and params.shape[-2 - num_sample_axes] == 1:
        num_sample_axes += 1
    set_axes, sample_axes = grid[: len(grid) - num_sample_axes], grid[len(grid) - num_sample_axes :]
    num_sets, num_samples = math.prod(set_axes), math.prod(sample_axes)
    if 0 in grid:
        return jnp.zeros((*grid, *result.shape), result.dtype)
    sets = jnp.broadcast_to(params, (*set_axes, *(1,) * num_sample_axes, params.shape[-1]))
    sets = sets.reshape(num_sets, params.shape[-1])
    shared = all(size == 1 for size in features.shape[: len(set_axes)])
    own_axes = (1,) * len(set_axes) if shared else set_axes
    samples = jnp.broadcast_to(features, (*own_axes, *sample_axes, features.shape[-1]))
    samples = samples.reshape(1 if shared else num_sets, num_samples, features.shape[-1])

    def evaluate(one_set: Array, sample: Any, own_sample: Any) -> Array:
        return function(one_set, own_sample if sample is None else sample)

    values = map_grid(
        evaluate,
        sets,
        samples[0] if shared else None,
        None if shared else samples,
        num_sets=num_sets,
        num_samples=num_samples,
        chunk=states_per_chunk(lower(circuit), _state_dtype(params).itemsize),
    )
    return values.reshape(*grid, *result.shape)
