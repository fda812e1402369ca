"""Angles and matrices of a program's steps, from parameters and features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax import gates
from qjax.engine.program import AngleTable, Factor, LayerStep, LoopStep, Program


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The real dtype of a complex one."""
    return np.finfo(dtype).dtype


def angle_values(program: Program, params: Array, features: Array, dtype: np.dtype) -> tuple[Array, Array]:
    """The angles of a program's two tables, real, in the order of execution.

    Args:
        program: the lowered circuit.
        params: parameters `[P]`.
        features: features `[F]`.
        dtype: real dtype of the angles.

    Returns:
        Angles that no feature enters, and those that features enter.
    """
    shared, per_sample = program.shared, program.per_sample
    return _angles(shared, params, features, dtype), _angles(per_sample, params, features, dtype)


def _angles(table: AngleTable, params: Array, features: Array, dtype: np.dtype) -> Array:
    if table.param.size == 0:
        return jnp.zeros(0, dtype)
    one = jnp.ones(1, dtype)
    # Index "none" points at the appended one: an absent factor. Where a whole table lacks a factor, it is not
    # touched, so that what does not depend on features is not mapped over them.
    value = jnp.asarray(table.scale, dtype)
    if np.any(table.param != params.shape[0]):
        value = value * jnp.concatenate([params.astype(dtype), one])[table.param]
    if np.any(table.feature != features.shape[0]):
        value = value * jnp.concatenate([features.astype(dtype), one])[table.feature]
    return value + jnp.asarray(table.offset, dtype)


def loop_angles(step: LoopStep, angles: tuple[Array, Array]) -> tuple[Array, Array]:
    """The angles of each iteration of a loop, `[times, num_slots]` from both tables."""

    def take(table: int) -> Array:
        start, count = step.start[table], step.num_slots[table]
        return angles[table][start : start + step.times * count].reshape(step.times, count)

    return take(0), take(1)


def factor_matrix(factor: Factor, angles: tuple[Array, Array], dtype: np.dtype) -> Array:
    """The matrix of one gate, `[2**k, 2**k]`, complex."""
    if factor.op.matrix is not None:
        return jnp.asarray(np.array(factor.op.matrix), dtype)
    matrix = gates.GATES[factor.op.gate].matrix
    if isinstance(matrix, np.ndarray):
        return jnp.asarray(matrix, dtype)
    assert matrix is not None  # Pauli rotations have a step of their own
    return matrix(*(angles[slot.uses_features][slot.index] for slot in factor.slots)).astype(dtype)


def layer_matrices(
    step: LayerStep,
    angles: tuple[Array, Array],
    dtype: np.dtype,
    transform: Callable[[Array, Sequence[int], int], Array] = lambda matrices, *_: matrices,
) -> Array:
    """The layer's matrices, computed together for qubits with the same gates.

    Args:
        step: the layer.
        angles: the two tables.
        dtype: complex dtype.
        transform: what a gate becomes before it is multiplied with those before and after it: from the
            matrices `[M, 2, 2]` of gates alike (`[1, 2, 2]` without angles), positions `[M]` in the layer of
            their qubits, and how many gates come before on each, to matrices `[1 or M, D, D]`.

    Returns:
        Matrices `[qubits, D, D]`.
    """
    alike: dict[tuple, list[int]] = {}
    for index, (_, factors) in enumerate(step.factors):
        signature = tuple(
            (f.op.gate, f.op.matrix, tuple(slot.uses_features for slot in f.slots)) for f in factors
        )
        alike.setdefault(signature, []).append(index)
    products = []
    for members in alike.values():
        gates_in_order = zip(*(step.factors[index][1] for index in members), strict=True)
        matrices = [
            transform(_alike_matrices(factors, angles, dtype), members, before)
            for before, factors in enumerate(gates_in_order)
        ]
        product = reduce(_after, matrices)
        products.append(jnp.broadcast_to(product, (len(members), *product.shape[-2:])))
    order = np.argsort([index for members in alike.values() for index in members])
    return jnp.concatenate(products)[order]


def _after(earlier: Array, later: Array) -> Array:
    return jnp.matmul(later, earlier, precision=lax.Precision.HIGHEST)


def _alike_matrices(factors: Sequence[Factor], angles: tuple[Array, Array], dtype: np.dtype) -> Array:
    first = factors[0]
    if not first.slots:
        return factor_matrix(first, angles, dtype)[None]
    matrix = gates.GATES[first.op.gate].matrix
    assert callable(matrix)
    columns = [
        angles[slot.uses_features][np.array([factor.slots[k].index for factor in factors])]
        for k, slot in enumerate(first.slots)
    ]
    return jax.vmap(matrix)(*columns).astype(dtype)
