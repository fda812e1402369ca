"""Density matrices in plain JAX: noisy circuits exactly, under every transformation.

A density matrix is kept as its vector `[4**n]` (see `qjax.engine.channels`), which is a state of `n` systems
with four levels each. So a layer of one-qubit gates and all their channels is one matrix `[4, 4]` for each
qubit, and a gate on two qubits with its channels is one matrix `[16, 16]`. Functions here act on one
parameter vector and one feature vector; callers map them over batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax.engine import channels, xla
from qjax.engine.dense import MAX_DENSE_QUBITS, gate_matrices, gate_qubits
from qjax.engine.matrices import angle_values, layer_matrices, loop_angles, real_dtype
from qjax.engine.program import LayerStep, LoopStep, PauliRotationStep, PermutationStep, Program, Step
from qjax.noise import NoiseModel

MAX_QUBITS = 10
"""Above, one density matrix takes 32 MiB and more, and each gate as many times longer than a state's."""

_MAX_FUSED_QUBITS = 2


def density_vector(
    program: Program, params: Array, features: Array, noise: NoiseModel, dtype: np.dtype
) -> Array:
    """The mixed state that a noisy program prepares from |0...0>.

    Args:
        program: the lowered circuit.
        params: parameters `[P]`, real, radians.
        features: features `[F]`, real.
        noise: what follows every gate.
        dtype: complex64 or complex128.

    Returns:
        The density matrix as a vector `[4**n]`, complex.
    """
    angles = angle_values(program, params, features, real_dtype(dtype))
    steps = program.steps
    if steps and isinstance(steps[0], LayerStep):
        state = xla.product_state(
            steps[0], _layer_channels(steps[0], angles, noise, dtype), program.num_qubits
        )
        steps = steps[1:]
    else:
        state = jnp.zeros(4**program.num_qubits, dtype).at[0].set(1)
    return _run(steps, state, angles, noise, program.num_qubits)


def as_matrix(state: Array) -> Array:
    """A vector `[4**n]` as the density matrix `[2**n, 2**n]`; qubit 0 is the most significant bit."""
    num_qubits = (state.size.bit_length() - 1) // 2
    axes = [2 * q + half for half in (0, 1) for q in range(num_qubits)]
    return state.reshape((2,) * (2 * num_qubits)).transpose(axes).reshape(2**num_qubits, -1)


def outcome_probabilities(state: Array, maps: Array) -> Array:
    """Probabilities of what is read from a density matrix.

    Args:
        state: vector `[4**n]`, complex.
        maps: for each qubit a matrix `[n, 2, 4]`, see `channels.measurement_maps`.

    Returns:
        Probabilities `[2**n]`, real, qubit 0 the most significant bit; rounding may leave some below zero.
    """
    for qubit_map in maps:
        # Contracts the leading qubit and puts its outcome last.
        state = lax.dot_general(
            state.reshape(4, -1), qubit_map, (((0,), (1,)), ((), ())), precision=lax.Precision.HIGHEST
        ).reshape(-1)
    return state.real


def num_stored_states(steps: Sequence[Step]) -> int:
    """Density matrices that reverse mode keeps at the same time: one for each gate, layer and iteration."""
    loops = [step for step in steps if isinstance(step, LoopStep)]
    gates = sum(len(step.ops) if isinstance(step, PermutationStep) else 1 for step in steps)
    inside = max((num_stored_states(step.body) for step in loops), default=0)
    return 1 + gates + sum(step.times for step in loops) + inside


def _run(
    steps: Sequence[Step], state: Array, angles: tuple[Array, Array], noise: NoiseModel, num_qubits: int
) -> Array:
    for step in steps:
        match step:
            case LayerStep():
                layer = _layer_channels(step, angles, noise, state.dtype)
                state = xla.apply_product(state, [q for q, _ in step.factors], layer, num_qubits)
            case LoopStep():
                state = _loop(step, state, angles, noise, num_qubits)
            case PauliRotationStep(pauli) if len(pauli) > MAX_DENSE_QUBITS:
                state = _rotate(state, step, angles, num_qubits)
                state = _disturb(state, gate_qubits(step)[0], noise, num_qubits)
            case _:
                matrices = gate_matrices(step, angles, state.dtype)
                for qubits, matrix in zip(gate_qubits(step), matrices, strict=True):
                    state = _apply_gate(state, matrix, qubits, noise, num_qubits)
    return state


def _loop(
    step: LoopStep, state: Array, angles: tuple[Array, Array], noise: NoiseModel, num_qubits: int
) -> Array:
    # Reverse mode keeps one density matrix for each iteration and recomputes the inside.
    @jax.checkpoint
    def body(state: Array, angles: tuple[Array, Array]) -> tuple[Array, None]:
        return _run(step.body, state, angles, noise, num_qubits), None

    return lax.scan(body, state, loop_angles(step, angles))[0]


def _layer_channels(
    step: LayerStep, angles: tuple[Array, Array], noise: NoiseModel, dtype: np.dtype
) -> Array:
    """For each qubit of a layer the product of its gates, each with what follows it, `[qubits, 4, 4]`."""
    return layer_matrices(step, angles, dtype, lambda matrices, *_: _with_channel(matrices, noise, dtype))


def _apply_gate(
    state: Array, matrix: Array | np.ndarray, qubits: tuple[int, ...], noise: NoiseModel, num_qubits: int
) -> Array:
    rows, columns = [2 * q for q in qubits], [2 * q + 1 for q in qubits]
    if len(qubits) <= _MAX_FUSED_QUBITS:
        both = _with_channel(matrix, noise, state.dtype)
        sides = [side for pair in zip(rows, columns, strict=True) for side in pair]
        return xla.apply_matrix(state, both, sides, 2 * num_qubits)
    gate = jnp.asarray(matrix, state.dtype)
    state = xla.apply_matrix(state, gate, rows, 2 * num_qubits)
    state = xla.apply_matrix(state, jnp.conj(gate), columns, 2 * num_qubits)
    return _disturb(state, qubits, noise, num_qubits)


def _with_channel(matrix: Array | np.ndarray, noise: NoiseModel, dtype: np.dtype) -> Array:
    """The superoperator `[4**k, 4**k]` of a gate and of what follows it."""
    channel = channels.gate_channel(noise, matrix.shape[-1].bit_length() - 1)
    if isinstance(matrix, np.ndarray):
        return jnp.asarray(channel @ channels.superoperator(matrix), dtype)
    after = jnp.asarray(channel, dtype)
    return jnp.matmul(after, channels.superoperator(matrix), precision=lax.Precision.HIGHEST)


def _rotate(state: Array, step: PauliRotationStep, angles: tuple[Array, Array], num_qubits: int) -> Array:
    half = angles[step.slot.uses_features][step.slot.index] / 2
    # On the columns acts the conjugate: the sine's sign turns over, and once more for every Y.
    conjugate = -((-1) ** sum(letter == "Y" for _, letter in step.pauli))
    for side, sign in ((0, 1), (1, conjugate)):
        pauli = tuple((2 * qubit + side, letter) for qubit, letter in step.pauli)
        rotated = xla.apply_pauli(state, pauli, 2 * num_qubits)
        state = jnp.cos(half) * state - 1j * sign * jnp.sin(half) * rotated
    return state


def _disturb(state: Array, qubits: Sequence[int], noise: NoiseModel, num_qubits: int) -> Array:
    """The channels that follow a gate on many qubits."""
    weight = channels.depolarizing_weight(noise, len(qubits))

    def on_each(state: Array, matrix: np.ndarray) -> Array:
        matrices = jnp.broadcast_to(jnp.asarray(matrix, state.dtype), (len(qubits), 4, 4))
        return xla.apply_product(state, sorted(qubits), matrices, num_qubits)

    if weight:
        state = (1 - weight) * state + weight * on_each(state, channels.MIXED)
    channel = channels.qubit_channel(noise)
    return state if np.array_equal(channel, np.eye(4)) else on_each(state, channel)
