"""State vectors and probabilities over a grid of circuits, as JAX primitives.

On CPU they are the kernel's. On other platforms, and wherever they are differentiated, they are the plain-JAX
engine's: a state vector is as long as what reverse mode stores anyway.
"""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
from jax import Array
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from qjax.circuit import Circuit
from qjax.engine import grid
from qjax.engine.native.rules import alike, grid_of, map_values, native_call, outside_jit, plain_jvp


def statevector(circuit: Circuit, params: Array, features: Array) -> Array:
    """State vectors of every circuit of a grid, by the native engine where the program runs on a CPU.

    Args:
        circuit: the circuit.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.

    Returns:
        Amplitudes `[*grid, 2**n]`, complex of the same precision; qubit 0 is the most significant bit. Global
        phases are those of the gate table.
    """
    return statevector_p.bind(*alike(params, features), circuit=circuit)


def probabilities(circuit: Circuit, params: Array, features: Array) -> Array:
    """Probabilities of every circuit of a grid, by the native engine where the program runs on a CPU.

    Args:
        circuit: the circuit.
        params: `[*grid, P]`, float32 or float64; a size of 1 stands for every index of the grid.
        features: `[*grid, F]` in the same way, of the same rank and dtype.

    Returns:
        Probabilities `[*grid, 2**n]` of the basis states, in the same dtype.
    """
    return probabilities_p.bind(*alike(params, features), circuit=circuit)


statevector_p = Primitive("qjax_statevector")
probabilities_p = Primitive("qjax_probabilities")


def _plain_statevector(params: Array, features: Array, *, circuit: Circuit) -> Array:
    return grid.statevector(circuit, params, features)


def _plain_probabilities(params: Array, features: Array, *, circuit: Circuit) -> Array:
    return grid.probabilities(circuit, params, features)


def _statevector_aval(params, features, *, circuit: Circuit) -> ShapedArray:
    dtype = jnp.promote_types(params.dtype, jnp.complex64)
    return params.update(shape=(*grid_of(params, features), 2**circuit.num_qubits), dtype=dtype)


def _probabilities_aval(params, features, *, circuit: Circuit) -> ShapedArray:
    return params.update(shape=(*grid_of(params, features), 2**circuit.num_qubits))


statevector_p.def_abstract_eval(_statevector_aval)
probabilities_p.def_abstract_eval(_probabilities_aval)

for _primitive, _plain in ((statevector_p, _plain_statevector), (probabilities_p, _plain_probabilities)):
    _primitive.def_impl(outside_jit(_primitive))
    batching.primitive_batchers[_primitive] = partial(map_values, _primitive)
    ad.primitive_jvps[_primitive] = plain_jvp(_plain)
    mlir.register_lowering(_primitive, mlir.lower_fun(_plain, multiple_results=False))

mlir.register_lowering(statevector_p, native_call("statevector", keep_phase=True), platform="cpu")
mlir.register_lowering(probabilities_p, native_call("probabilities"), platform="cpu")
