"""The reference engine in plain JAX: every device, every transformation.

Functions here act on one parameter vector and one feature vector; callers map them over batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax.circuit import Circuit, Op
from qjax.engine.matrices import angle_values, factor_matrix, layer_matrices, loop_angles, real_dtype
from qjax.engine.program import (
    DiagonalStep,
    LayerStep,
    LoopStep,
    MatrixStep,
    PauliRotationStep,
    PermutationStep,
    Program,
    Step,
    lower,
)
from qjax.observables import PauliString, PauliSum

# Above this many qubits a permutation's table is computed on the device: as a constant it would be copied
# through the whole compilation.
_MAX_CONSTANT_TABLE_QUBITS = 16
_MAX_BLOCK_QUBITS = 4


def statevector(program: Program, params: Array, features: Array, dtype: np.dtype) -> Array:
    """The state that a program prepares from |0...0>.

    Args:
        program: the lowered circuit.
        params: parameters `[P]`, real, radians.
        features: features `[F]`, real.
        dtype: complex64 or complex128.

    Returns:
        Amplitudes `[2**num_qubits]`, complex; qubit 0 is the most significant bit.
    """
    angles = angle_values(program, params, features, real_dtype(dtype))
    steps = program.steps
    if steps and isinstance(steps[0], LayerStep):
        # A layer on |0...0> prepares a product state, which needs no pass over the amplitudes.
        state = product_state(steps[0], layer_matrices(steps[0], angles, dtype), program.num_qubits)
        steps = steps[1:]
    else:
        state = jnp.zeros(2**program.num_qubits, dtype).at[0].set(1)
    return _run(steps, state, angles, program.num_qubits)


def probabilities(state: Array) -> Array:
    """Probabilities of the basis states, `[2**n]`, real, for amplitudes `[2**n]`."""
    # Not abs(state)**2, whose second derivative is wrong where an amplitude is zero.
    return state.real**2 + state.imag**2


def expectations(state: Array, observables: Sequence[PauliSum]) -> Array:
    """Exact expectation values in a state.

    Args:
        state: amplitudes `[2**n]`, complex.
        observables: `O` observables.

    Returns:
        Values `[O]`, real.
    """
    num_qubits = state.size.bit_length() - 1
    strings = list(dict.fromkeys(string for observable in observables for string, _ in observable.terms))
    by_flips: dict[tuple[int, ...], list[PauliString]] = {}
    for string in strings:
        by_flips.setdefault(tuple(q for q, letter in string if letter != "Z"), []).append(string)
    values: dict[PauliString, Array] = {}
    for flips, members in by_flips.items():
        # P|x> = i^(number of Y) (-1)^(x . z) |x xor flips>, with z the qubits that have Y or Z.
        overlap = jnp.conj(_flip(state, flips, num_qubits)) * state
        parts = {0: overlap.real, 1: -overlap.imag, 2: -overlap.real, 3: overlap.imag}
        for power in range(4):
            chosen = [s for s in members if sum(letter == "Y" for _, letter in s) % 4 == power]
            if chosen:
                masks = [[q for q, letter in string if letter != "X"] for string in chosen]
                values.update(zip(chosen, signed_sums(parts[power], masks), strict=True))
    zero = jnp.zeros((), state.real.dtype)
    return jnp.stack(
        [sum((c * values[string] for string, c in observable.terms), zero) for observable in observables]
    )


def signed_sums(weights: Array, qubit_sets: Sequence[Sequence[int]]) -> Array:
    """Sums of weights over basis states, each with the parity sign of some qubits.

    Args:
        weights: real numbers `[2**n]`.
        qubit_sets: `T` sets of qubits.

    Returns:
        `sum_x weights[x] * (-1)**(number of ones of x on the set)`, `[T]`.

    Example:
        >>> signed_sums(jnp.array([0.5, 0.0, 0.0, 0.5]), [(0,), (0, 1)]).tolist()
        [0.0, 1.0]
    """
    # The sign is a product over qubits, so the sum factorises: low half by a matrix product, then high half.
    num_qubits = weights.size.bit_length() - 1
    num_high = num_qubits // 2
    high = _signs(num_high, [[q for q in qubits if q < num_high] for qubits in qubit_sets])
    low = _signs(
        num_qubits - num_high, [[q - num_high for q in qubits if q >= num_high] for qubits in qubit_sets]
    )
    partial = jnp.matmul(
        weights.reshape(2**num_high, -1), jnp.asarray(low.T, weights.dtype), precision=lax.Precision.HIGHEST
    )
    return jnp.sum(partial * jnp.asarray(high.T, weights.dtype), axis=0)


def apply_ops(state: Array, ops: Sequence[Op]) -> Array:
    """Applies operations without angles to a state.

    Args:
        state: amplitudes `[2**n]`, complex.
        ops: operations that take no angle.

    Returns:
        Amplitudes `[2**n]`.
    """
    program = lower(Circuit(state.size.bit_length() - 1, tuple(ops)))
    nothing = jnp.zeros(0, state.real.dtype)
    return _run(program.steps, state, (nothing, nothing), program.num_qubits)


def _run(steps: Sequence[Step], state: Array, angles: tuple[Array, Array], num_qubits: int) -> Array:
    for step in steps:
        match step:
            case LayerStep():
                qubits = [qubit for qubit, _ in step.factors]
                state = apply_product(state, qubits, layer_matrices(step, angles, state.dtype), num_qubits)
            case MatrixStep(qubits, factor):
                matrix = factor_matrix(factor, angles, state.dtype)
                state = apply_matrix(state, matrix, qubits, num_qubits)
            case DiagonalStep(qubits, factor):
                diagonal = jnp.diagonal(factor_matrix(factor, angles, state.dtype))
                state = _apply_diagonal(state, diagonal, qubits, num_qubits)
            case PauliRotationStep(pauli, slot):
                half = angles[slot.uses_features][slot.index] / 2
                rotated = apply_pauli(state, pauli, num_qubits)
                state = jnp.cos(half) * state - 1j * jnp.sin(half) * rotated
            case PermutationStep(ops):
                state = _permute(state, ops, num_qubits)
            case LoopStep():
                state = _loop(step, state, angles, num_qubits)
    return state


def _loop(step: LoopStep, state: Array, angles: tuple[Array, Array], num_qubits: int) -> Array:
    # Reverse mode keeps one state for each iteration and recomputes the inside.
    @jax.checkpoint
    def body(state: Array, angles: tuple[Array, Array]) -> tuple[Array, None]:
        return _run(step.body, state, angles, num_qubits), None

    return lax.scan(body, state, loop_angles(step, angles))[0]


def product_state(step: LayerStep, matrices: Array, num_qubits: int) -> Array:
    """What a layer makes of |0...0>.

    Args:
        step: the layer.
        matrices: its matrices `[qubits, D, D]`.
        num_qubits: `n`.

    Returns:
        The product of the matrices' first columns, `[D**n]`.
    """
    columns = dict(zip((qubit for qubit, _ in step.factors), matrices[:, :, 0], strict=True))
    zero = jnp.zeros(matrices.shape[-1], matrices.dtype).at[0].set(1)
    state = jnp.ones(1, matrices.dtype)
    for qubit in range(num_qubits):
        state = jnp.outer(state, columns.get(qubit, zero)).reshape(-1)
    return state


def apply_product(state: Array, qubits: Sequence[int], matrices: Array, num_qubits: int) -> Array:
    """Applies a matrix to each of some qubits.

    Args:
        state: `[D**n]`, complex: `D` is 2 for amplitudes and 4 for the vector of a density matrix.
        qubits: the qubits, ascending.
        matrices: their matrices `[qubits, D, D]`.
        num_qubits: `n`.

    Returns:
        The new state `[D**n]`.
    """
    # Block by block: each product contracts the leading qubits and puts them last. Real and imaginary parts
    # are one more axis of the products: CPUs multiply real matrices several times faster than complex ones.
    parts = jnp.stack([state.real, state.imag])
    dimension = matrices.shape[-1]
    position = 0
    index = 0
    for first, size in qubit_blocks(qubits, _MAX_BLOCK_QUBITS if dimension == 2 else _MAX_BLOCK_QUBITS // 2):
        parts = _rotate(parts, dimension ** (first - position))
        block = reduce(jnp.kron, matrices[index : index + size])
        index += size
        leading = parts.reshape(2, dimension**size, -1)
        moved = lax.dot_general(
            leading, _real_form(block), (((0, 1), (1, 3)), ((), ())), precision=lax.Precision.HIGHEST
        )
        parts = jnp.moveaxis(moved, 1, 0).reshape(2, -1)
        position = first + size
    parts = _rotate(parts, dimension ** (num_qubits - position))
    return lax.complex(parts[0], parts[1])


def _real_form(matrix: Array) -> Array:
    """The matrix `[out, in, d, d]` that acts on real and imaginary parts as a complex one `[d, d]` does."""
    re, im = matrix.real, matrix.imag
    return jnp.stack([jnp.stack([re, -im]), jnp.stack([im, re])])


def _rotate(parts: Array, size: int) -> Array:
    """The parts with their leading indices, `size` values in all, put last."""
    return parts if size == 1 else parts.reshape(2, size, -1).swapaxes(1, 2).reshape(2, -1)


def qubit_blocks(qubits: Sequence[int], most: int = _MAX_BLOCK_QUBITS) -> list[tuple[int, int]]:
    """Neighbouring qubits in blocks `(first, size)` of a few, whose matrices fit matrix units."""
    blocks: list[tuple[int, int]] = []
    for qubit in qubits:
        if blocks and sum(blocks[-1]) == qubit and blocks[-1][1] < most:
            blocks[-1] = (blocks[-1][0], blocks[-1][1] + 1)
        else:
            blocks.append((qubit, 1))
    return blocks


def apply_matrix(state: Array, matrix: Array, qubits: Sequence[int], num_qubits: int) -> Array:
    """Applies a matrix `[2**k, 2**k]` to k qubits of a state `[2**n]`."""
    size = len(qubits)
    gate = matrix.reshape((2,) * (2 * size))
    tensor = state.reshape((2,) * num_qubits)
    contracted = (tuple(range(size, 2 * size)), tuple(qubits))
    moved = lax.dot_general(gate, tensor, (contracted, ((), ())), precision=lax.Precision.HIGHEST)
    return jnp.moveaxis(moved, tuple(range(size)), tuple(qubits)).reshape(-1)


def _apply_diagonal(state: Array, diagonal: Array, qubits: Sequence[int], num_qubits: int) -> Array:
    order = np.argsort(qubits)
    shape = [1] * num_qubits
    for qubit in qubits:
        shape[qubit] = 2
    factor = diagonal.reshape((2,) * len(qubits)).transpose(order).reshape(shape)
    return (state.reshape((2,) * num_qubits) * factor).reshape(-1)


def apply_pauli(state: Array, pauli: PauliString, num_qubits: int) -> Array:
    """Applies a Pauli string to a state `[2**n]`."""
    signs = np.array([1.0, -1.0])
    diagonal = np.ones(1)
    for _, letter in pauli:
        diagonal = np.kron(diagonal, np.ones(2) if letter == "X" else signs)
    phase = 1j ** sum(letter == "Y" for _, letter in pauli)
    state = _apply_diagonal(
        state, jnp.asarray(phase * diagonal, state.dtype), [qubit for qubit, _ in pauli], num_qubits
    )
    return _flip(state, [qubit for qubit, letter in pauli if letter != "Z"], num_qubits)


def _flip(state: Array, qubits: Sequence[int], num_qubits: int) -> Array:
    if not qubits:
        return state
    return jnp.flip(state.reshape((2,) * num_qubits), axis=tuple(qubits)).reshape(-1)


def _signs(num_qubits: int, qubit_sets: Sequence[Sequence[int]]) -> np.ndarray:
    states = np.arange(2**num_qubits)
    masks = np.array([sum(1 << (num_qubits - 1 - q) for q in qubits) for qubits in qubit_sets])
    return 1 - 2 * (np.bitwise_count(states[None, :] & masks[:, None]) & 1).astype(np.int8)


def _permute(state: Array, ops: Sequence[Op], num_qubits: int) -> Array:
    """The permuted state; its transpose is a gather as well, not a scatter, which CPUs do slowly."""
    if num_qubits <= _MAX_CONSTANT_TABLE_QUBITS:
        states = np.arange(2**num_qubits, dtype=np.int32)
    else:
        states = lax.optimization_barrier(lax.iota(np.int32, 2**num_qubits))
    # The gates are their own inverses, so the amplitude of x comes from where the reversed sequence sends x.
    sources = _permuted(states, ops[::-1], num_qubits)
    targets = _permuted(states, ops, num_qubits)

    def take(vector: Array, indices) -> Array:
        return vector.at[indices].get(mode="promise_in_bounds", unique_indices=True)

    return lax.custom_linear_solve(
        lambda vector: take(vector, targets),
        state,
        solve=lambda _, vector: take(vector, sources),
        transpose_solve=lambda _, vector: take(vector, targets),
    )


def _permuted(states, ops: Sequence[Op], num_qubits: int):
    def bit(qubit: int):
        return (states >> (num_qubits - 1 - qubit)) & 1

    for op in ops:
        *controls, a, b = op.qubits if op.gate in ("swap", "cswap") else (*op.qubits, -1)
        active = 1
        for control in controls:
            active = active & bit(control)
        if b >= 0:
            difference = (bit(a) ^ bit(b)) & active
            states = states ^ (difference << (num_qubits - 1 - a)) ^ (difference << (num_qubits - 1 - b))
        else:
            states = states ^ (active << (num_qubits - 1 - a))
    return states
