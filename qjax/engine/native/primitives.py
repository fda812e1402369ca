r"""Expectation values over a grid of circuits, as JAX primitives.

Four primitives. `evaluate` gives the values. Where they are differentiated, there is one observable, and its
slopes at every circuit are few enough to be kept, `differentiate` gives values and slopes at once; what
follows is the slopes' product with tangents or cotangents. Else there are the linearisation and its transpose
`pull_back`, the vector-Jacobian product, whose gradients are summed where their own size is 1.

On CPU values, slopes and gradients are the kernel's. On other platforms, and everywhere for the linearisation
and for second derivatives, the plain-JAX engine runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir, partial_eval

from qjax.circuit import Circuit
from qjax.engine import grid
from qjax.engine.native import library
from qjax.engine.native.lowering import MAX_GATES, MAX_QUBITS, num_gates
from qjax.engine.native.rules import alike, at_front, grid_of, map_values, native_call, outside_jit, plain_jvp
from qjax.observables import PauliSum


def expectations(circuit: Circuit, observables: Sequence[PauliSum], params: Array, features: Array) -> Array:
    """Expectation values of every circuit of a grid, by the native engine where the program runs on a CPU.

    Args:
        circuit: the circuit.
        observables: `O` observables.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.

    Returns:
        Values `[*grid, O]` in the same dtype.
    """
    return evaluate_p.bind(*alike(params, features), circuit=circuit, observables=tuple(observables))


def can_run(circuit: Circuit) -> bool:
    """Whether the kernel is installed and takes circuits of this many qubits and gates.

    Args:
        circuit: the circuit.

    Returns:
        Whether `expectations` can be used on a CPU.
    """
    return (
        circuit.num_qubits <= MAX_QUBITS and num_gates(circuit.ops) <= MAX_GATES and library.isa() is not None
    )


MAX_SLOPES = 2**16
"""Slopes that one call keeps at most.

A `vmap` or `scan` around it keeps as many for each of its steps; a `scan` over `jax.checkpoint` does not.
"""

evaluate_p = Primitive("qjax_evaluate")
differentiate_p = Primitive("qjax_differentiate")
differentiate_p.multiple_results = True
linearised_p = Primitive("qjax_linearised")
pull_back_p = Primitive("qjax_pull_back")
pull_back_p.multiple_results = True

# What each computes, in plain JAX. `wanted` says of params and features which have a tangent or gradient.


def _plain_evaluate(params: Array, features: Array, *, circuit: Circuit, observables) -> Array:
    return grid.expectations(circuit, observables, params, features)


def _plain_differentiate(
    params: Array, features: Array, *, circuit: Circuit, observables, wanted
) -> list[Array]:
    return grid.values_and_slopes(circuit, observables[0], params, features, wanted)


def _plain_linearised(
    params: Array, features: Array, *tangents: Array, circuit: Circuit, observables, wanted
) -> Array:
    function, primals = _in_wanted(params, features, circuit, observables, wanted)
    # A tangent may vary along axes where its primal does not.
    sizes = [jnp.broadcast_shapes(p.shape, t.shape) for p, t in zip(primals, tangents, strict=True)]
    primals = [jnp.broadcast_to(p, size) for p, size in zip(primals, sizes, strict=True)]
    tangents = tuple(jnp.broadcast_to(t, size) for t, size in zip(tangents, sizes, strict=True))
    return jax.jvp(function, tuple(primals), tangents)[1]


def _plain_pull_back(
    params: Array, features: Array, cotangents: Array, *, circuit: Circuit, observables, wanted, sizes
) -> list[Array]:
    function, primals = _in_wanted(params, features, circuit, observables, wanted)

    def of_gradients_size(*deviations: Array) -> Array:
        moved = (primal + deviation for primal, deviation in zip(primals, deviations, strict=True))
        values = function(*moved)
        return jnp.broadcast_to(values, jnp.broadcast_shapes(values.shape, cotangents.shape))

    zeros = (
        jnp.zeros((*size, primal.shape[-1]), primal.dtype)
        for size, primal in zip(sizes, primals, strict=True)
    )
    values, pull_back = jax.vjp(of_gradients_size, *zeros)
    return list(pull_back(jnp.broadcast_to(cotangents, values.shape)))


def _in_wanted(params, features, circuit, observables, wanted) -> tuple[Callable[..., Array], list[Array]]:
    operands = [params, features]
    primals = _chosen(operands, wanted)

    def function(*values: Array) -> Array:
        moving = iter(values)
        both = [next(moving) if is_wanted else o for o, is_wanted in zip(operands, wanted, strict=True)]
        return _plain_evaluate(*both, circuit=circuit, observables=observables)

    return function, primals


def _chosen(items: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    return [item for item, is_wanted in zip(items, wanted, strict=True) if is_wanted]


# Shapes.


def _values_aval(params, features, *tangents, observables, **_) -> ShapedArray:
    return params.update(shape=(*grid_of(params, features, *tangents), len(observables)))


def _value_and_slope_avals(params, features, *, wanted, **_) -> list[ShapedArray]:
    sizes = grid_of(params, features)
    lengths = [1, *(operand.shape[-1] for operand in _chosen((params, features), wanted))]
    return [params.update(shape=(*sizes, length)) for length in lengths]


def _gradient_avals(params, features, cotangents, *, wanted, sizes, **_) -> list[ShapedArray]:
    operands = _chosen((params, features), wanted)
    return [cotangents.update(shape=(*size, o.shape[-1])) for size, o in zip(sizes, operands, strict=True)]


evaluate_p.def_abstract_eval(_values_aval)
differentiate_p.def_abstract_eval(_value_and_slope_avals)
linearised_p.def_abstract_eval(_values_aval)
pull_back_p.def_abstract_eval(_gradient_avals)

# Outside of jit: jit of the same.


for _primitive in (evaluate_p, differentiate_p, linearised_p, pull_back_p):
    _primitive.def_impl(outside_jit(_primitive))

# Mapping: a new first axis, of size 1 for what is not mapped.


def _map_pull_back(operands, axes, *, sizes, **static):
    count = next(o.shape[axis] for o, axis in zip(operands, axes, strict=True) if axis is not None)
    gradients = pull_back_p.bind(
        *at_front(operands, axes), sizes=tuple((count, *size) for size in sizes), **static
    )
    return gradients, [0] * len(gradients)


batching.primitive_batchers[evaluate_p] = partial(map_values, evaluate_p)
batching.primitive_batchers[differentiate_p] = partial(map_values, differentiate_p)
batching.primitive_batchers[linearised_p] = partial(map_values, linearised_p)
batching.primitive_batchers[pull_back_p] = _map_pull_back

# Differentiating: values to slopes, or to the linearisation, which transposes to the vector-Jacobian product;
# what goes beyond is left to plain JAX.


def _evaluate_jvp(primals, tangents, *, circuit, observables):
    static = {"circuit": circuit, "observables": observables}
    wanted = tuple(type(tangent) is not ad.Zero for tangent in tangents)
    kept = _chosen(tangents, wanted)
    num_slopes = math.prod(grid_of(*primals)) * sum(tangent.shape[-1] for tangent in kept)
    if len(observables) == 1 and num_slopes <= MAX_SLOPES:
        values, *slopes = differentiate_p.bind(*primals, wanted=wanted, **static)
        products = [jnp.sum(s * t, axis=-1, keepdims=True) for s, t in zip(slopes, kept, strict=True)]
        return values, sum(products[1:], start=products[0])
    values = evaluate_p.bind(*primals, **static)
    return values, linearised_p.bind(*primals, *kept, wanted=wanted, **static)


def _transpose_linearised(cotangents, params, features, *tangents, wanted, **static):
    unknown = [ad.is_undefined_primal(tangent) for tangent in tangents]
    if type(cotangents) is ad.Zero:
        return [None, None, *(ad.Zero(t.aval) if u else None for t, u in zip(tangents, unknown, strict=True))]
    places = iter(tangents)
    asked, sizes = [], []
    for is_wanted in wanted:
        tangent: Any = next(places) if is_wanted else None
        asked.append(ad.is_undefined_primal(tangent))
        if asked[-1]:
            sizes.append(tangent.aval.shape[:-1])
    gradients = iter(
        pull_back_p.bind(params, features, cotangents, wanted=tuple(asked), sizes=tuple(sizes), **static)
    )
    return [None, None, *(next(gradients) if is_unknown else None for is_unknown in unknown)]


def _drop_slopes(used, equation):
    """Values alone where nobody reads the slopes, as of what is differentiated beside something else."""
    if not any(used):
        return [False] * len(equation.invars), None
    if not any(used[1:]):
        static = {name: value for name, value in equation.params.items() if name != "wanted"}
        equation = equation.replace(primitive=evaluate_p, outvars=equation.outvars[:1], params=static)
    return [True] * len(equation.invars), equation


ad.primitive_jvps[evaluate_p] = _evaluate_jvp
partial_eval.dce_rules[differentiate_p] = _drop_slopes
ad.primitive_jvps[differentiate_p] = plain_jvp(_plain_differentiate)
ad.primitive_jvps[linearised_p] = plain_jvp(_plain_linearised)
ad.primitive_transposes[linearised_p] = _transpose_linearised
ad.primitive_jvps[pull_back_p] = plain_jvp(_plain_pull_back)

# Lowering, where the platform is known.


mlir.register_lowering(evaluate_p, mlir.lower_fun(_plain_evaluate, multiple_results=False))
mlir.register_lowering(differentiate_p, mlir.lower_fun(_plain_differentiate, multiple_results=True))
mlir.register_lowering(linearised_p, mlir.lower_fun(_plain_linearised, multiple_results=False))
mlir.register_lowering(pull_back_p, mlir.lower_fun(_plain_pull_back, multiple_results=True))
mlir.register_lowering(evaluate_p, native_call("evaluate"), platform="cpu")
mlir.register_lowering(differentiate_p, native_call("differentiate"), platform="cpu")
mlir.register_lowering(pull_back_p, native_call("pull_back"), platform="cpu")
