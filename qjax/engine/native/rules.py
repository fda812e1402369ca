"""What all of the engine's primitives have in common: shapes, mapping, forward mode, the native call.

Operands begin with `params[*grid, P]` and `features[*grid, F]`; a size of 1 stands for every index of the
grid, so that mapping over one operand copies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend.core import Primitive
from jax.interpreters import ad

from qjax.engine.native import library
from qjax.engine.native.lowering import lower_to_table


def grid_of(*operands: Any) -> tuple[int, ...]:
    """The grid that operands `[*grid, row]` span together."""
    shape: Any = jnp.broadcast_shapes(*(operand.shape[:-1] for operand in operands))
    return shape


def alike(*operands: Array) -> list[Array]:
    """Casts operands to vary along the same manual axes of a `jax.shard_map`.

    The cast of what is replicated transposes to a sum over devices: without it gradients would miss the other
    devices' shares.
    """
    axes = [_varying(jax.typeof(operand)) for operand in operands]
    every = frozenset().union(*axes)
    return [
        jax.lax.pcast(operand, tuple(sorted(every - own)), to="varying") if every - own else operand
        for operand, own in zip(operands, axes, strict=True)
    ]


def _varying(aval: Any) -> frozenset[str]:
    # Called `vma` before JAX 0.10.
    axes = getattr(aval, "manual_axis_type", None)
    return axes.varying if axes is not None else getattr(aval, "vma", frozenset())


def outside_jit(primitive: Primitive) -> Callable[..., Any]:
    """How a primitive runs outside of jit: as jit of the same."""
    names = ("circuit", "observables", "wanted", "sizes")
    compiled = jax.jit(primitive.bind, static_argnames=names)
    return lambda *operands, **static: compiled(*operands, **static)


def at_front(operands: Sequence[Array], axes: Sequence[int | None]) -> list[Array]:
    """Operands with their mapped axes first, and a first axis of size 1 where they have none."""
    return [
        jnp.expand_dims(operand, 0) if axis is None else jnp.moveaxis(operand, axis, 0)
        for operand, axis in zip(operands, axes, strict=True)
    ]


def map_values(primitive: Primitive, operands, axes, **static):
    """The batching rule of a primitive with one or several results `[*grid, row]`."""
    results = primitive.bind(*at_front(operands, axes), **static)
    return results, [0] * len(results) if primitive.multiple_results else 0


def plain_jvp(function: Callable[..., Any]) -> Callable[..., Any]:
    """The forward-mode rule that leaves a primitive to the plain-JAX function of the same."""

    def rule(primals, tangents, **static):
        tangents = [ad.instantiate_zeros(tangent) for tangent in tangents]
        return jax.jvp(partial(function, **static), tuple(primals), tuple(tangents))

    return rule


def native_call(name: str, *, keep_phase: bool = False) -> Callable[..., Any]:
    """The rule that lowers a primitive to a call of the kernel.

    Args:
        name: the kernel's entry point.
        keep_phase: whether results depend on the state's global phase.
    """

    def rule(ctx, *operands, circuit, observables=(), wanted=None, sizes=None):
        library.load()
        table = lower_to_table(circuit, observables, keep_phase=keep_phase)
        # Attributes have fixed types: Python's integers would follow JAX's 64-bit mode.
        attributes: dict[str, Any] = {
            "words": table.words,
            "constants": table.constants,
            "hash": np.int64(table.hash),
        }
        if sizes is not None:  # the results have the gradients' sizes, so the grid has to be said
            attributes["grid"] = np.array([1, *grid_of(*ctx.avals_in)], np.int64)[1:]
        if wanted is not None:
            attributes["params_wanted"], attributes["features_wanted"] = wanted
        return jax.ffi.ffi_lowering(library.target_name(name))(ctx, *operands, **attributes)

    return rule
