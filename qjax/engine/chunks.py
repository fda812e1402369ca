"""The memory rule: grids of parameter sets and samples are mapped in chunks of bounded size."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from qjax.engine.program import Program
from qjax.errors import ArgumentError

MAX_QUBITS = 30
"""Basis states are numbered by int32."""

MEMORY_BUDGET = 2**29
"""Bytes that one chunk may take. A constant, so that results do not depend on the machine."""


def check_fits(num_qubits: int, itemsize: int) -> None:
    """Refuses circuits whose single state cannot be simulated here.

    Args:
        num_qubits: number of qubits.
        itemsize: bytes of an amplitude.

    Raises:
        ArgumentError: if basis states cannot be numbered, or the state and what a gate makes of it exceed the
            memory of the machine.

    Example:
        >>> check_fits(31, itemsize=8)
        Traceback (most recent call last):
        ...
        qjax.errors.ArgumentError: Argument `circuit` must have at most 30 qubits, but it has 31. ...
    """
    if num_qubits > MAX_QUBITS:
        raise ArgumentError(
            "circuit", f"have at most {MAX_QUBITS} qubits", f"it has {num_qubits}", "Use fewer qubits."
        )
    needed = 2 * itemsize * 2**num_qubits
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise ArgumentError(
            "circuit",
            f"fit the {memory / 2**30:.0f} GiB of this machine",
            f"two states of its {num_qubits} qubits take {needed / 2**30:.0f} GiB",
            "Use fewer qubits, or complex64.",
        )


def states_per_chunk(
    program: Program, itemsize: int, *, beside_states: int = 0, budget: int | None = None
) -> int:
    """How many circuits may be simulated side by side.

    Args:
        program: the lowered circuit.
        itemsize: bytes of an amplitude.
        beside_states: bytes that each circuit needs beside its states, such as those of its shots.
        budget: bytes that the chunk may take, the states kept for reverse mode included; `MEMORY_BUDGET` by
            default.

    Returns:
        The number of circuits, 1 or more.

    Example:
        >>> from qjax import Circuit, Op
        >>> from qjax.engine.program import lower
        >>> states_per_chunk(lower(Circuit(20, (Op("h", (0,)),))), itemsize=8)
        16
    """
    # Beside the stored states an operation holds its input, its output and one temporary.
    states = program.num_stored_states + 2
    bytes_per_circuit = states * itemsize * 2**program.num_qubits + beside_states
    return max(1, (MEMORY_BUDGET if budget is None else budget) // bytes_per_circuit)


def map_grid(
    function: Callable[..., Any],
    per_set: Any,
    per_sample: Any,
    per_circuit: Any,
    *,
    num_sets: int,
    num_samples: int,
    chunk: int,
) -> Any:
    """Maps a function over the grid of S parameter sets and B samples, in chunks.

    Args:
        function: from one set's values, one sample's values and one circuit's values to a pytree.
        per_set: pytree of arrays `[S, ...]`.
        per_sample: pytree of arrays `[B, ...]`, shared by all sets.
        per_circuit: pytree of arrays `[S, B, ...]`.
        num_sets: S.
        num_samples: B.
        chunk: the most circuits mapped side by side.

    Returns:
        Pytree of arrays `[S, B, ...]`.
    """

    def row(one_set: Any, circuits: Any) -> Any:
        return map_in_chunks(
            lambda item: function(one_set, *item),
            (per_sample, circuits),
            num_samples,
            min(chunk, num_samples),
        )

    sets_per_chunk = max(1, min(num_sets, chunk // max(1, num_samples)))
    return map_in_chunks(lambda item: row(*item), (per_set, per_circuit), num_sets, sets_per_chunk)


def map_circuits(
    function: Callable[..., Any],
    params: Array,
    features: Array,
    keys: Array | None,
    per_set: Array | None = None,
    *,
    chunk: int,
) -> Any:
    """Maps a function over the circuits of a grid.

    Args:
        function: from one parameter vector, one feature vector, one key (None without keys) and one set's
            values to a pytree.
        params: `[S, P]`.
        features: `[B, F]`, or `[S, B, F]` where each set has its own.
        keys: `[S, B]`, or None.
        per_set: `[S, ...]`, or None.
        chunk: the most circuits mapped side by side.

    Returns:
        Pytree of arrays `[S, B, ...]`.
    """
    own_features = features if features.ndim == 3 else None

    def evaluate(one_set: Any, shared: Any, circuit_values: Any) -> Any:
        own, key = circuit_values
        return function(one_set[0], shared if own is None else own, key, one_set[1])

    return map_grid(
        evaluate,
        (params, per_set),
        features if own_features is None else None,
        (own_features, keys),
        num_sets=params.shape[0],
        num_samples=features.shape[-2],
        chunk=chunk,
    )


def map_in_chunks(function: Callable[[Any], Any], items: Any, size: int, chunk: int) -> Any:
    """Maps a function over one axis, so many items side by side.

    Args:
        function: from an item to a pytree.
        items: pytree of arrays `[size, ...]`.
        size: number of items.
        chunk: the most items side by side.

    Returns:
        Pytree of arrays `[size, ...]`.
    """
    mapped = jax.vmap(function, axis_size=min(size, chunk))
    if size <= chunk:
        return mapped(items)
    num_chunks = math.ceil(size / chunk)
    padding = num_chunks * chunk - size

    def split(array: Array) -> Array:
        if padding:
            array = jnp.concatenate([array, jnp.broadcast_to(array[:1], (padding, *array.shape[1:]))])
        return array.reshape(num_chunks, chunk, *array.shape[1:])

    # Checkpointed: reverse mode goes through the chunks again, one at a time, and keeps nothing between.
    results = lax.map(jax.checkpoint(mapped), jax.tree.map(split, items))
    return jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:])[:size], results)
