"""Quantum trajectories in plain JAX: state vectors in which every channel takes one branch at random.

Pauli errors do not depend on the state, so their letters are drawn beforehand and multiplied into the gates;
amplitude damping weighs its two branches by the state. The mean over trajectories of any expectation value
is that of the density matrix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax.engine import xla
from qjax.engine.dense import MAX_DENSE_QUBITS, gate_matrices, gate_qubits
from qjax.engine.program import LayerStep, LoopStep, PauliRotationStep, Program, Step
from qjax.errors import ArgumentError
from qjax.noise import NoiseModel


@jax.custom_jvp
def refuse_derivative(values: Any) -> Any:
    """Passes values on; differentiating through it raises an error that names the other method."""
    return values


@refuse_derivative.defjvp
def _refuse(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    del primals, tangents
    raise ArgumentError(
        "noise_method",
        'be "density" where results are differentiated',
        'it is "trajectories", whose random branches have no derivative',
        "Use density matrices (to 10 qubits), or `qjax.gradients.spsa` or `qjax.gradients.parameter_shift`.",
    )


def num_draws(steps: Sequence[Step], noise: NoiseModel) -> int:
    """How many uniform random numbers a trajectory takes.

    Args:
        steps: the program's steps.
        noise: what follows every gate.

    Returns:
        The number.
    """
    total = 0
    for step in steps:
        match step:
            case LayerStep(factors):
                total += sum(len(gates) for _, gates in factors) * _draws_of_gate(1, noise)
            case LoopStep(body, times):
                total += times * num_draws(body, noise)
            case _:
                total += sum(_draws_of_gate(len(qubits), noise) for qubits in gate_qubits(step))
    return total


def trajectory(
    program: Program, params: Array, features: Array, noise: NoiseModel, draws: Array, dtype: np.dtype
) -> Array:
    """One trajectory from |0...0>.

    Args:
        program: the lowered circuit.
        params: parameters `[P]`, real, radians.
        features: features `[F]`, real.
        noise: what follows every gate.
        draws: uniform random numbers `[num_draws(...)]`, real.
        dtype: complex64 or complex128.

    Returns:
        Amplitudes `[2**n]`, complex; qubit 0 is the most significant bit.
    """
    angles = xla.angle_values(program, params, features, xla.real_dtype(dtype))
    state = jnp.zeros(2**program.num_qubits, dtype).at[0].set(1)
    return _run(program.steps, state, angles, draws, noise, program.num_qubits)


def _run(
    steps: Sequence[Step],
    state: Array,
    angles: tuple[Array, Array],
    draws: Array,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    position = 0
    for step in steps:
        count = num_draws([step], noise)
        own = draws[position : position + count]
        position += count
        match step:
            case LayerStep():
                state = _layer(state, step, angles, own, noise, num_qubits)
            case LoopStep():
                state = _loop(step, state, angles, own, noise, num_qubits)
            case PauliRotationStep(pauli, slot) if len(pauli) > MAX_DENSE_QUBITS:
                half = angles[slot.uses_features][slot.index] / 2
                rotated = xla.apply_pauli(state, pauli, num_qubits)
                state = jnp.cos(half) * state - 1j * jnp.sin(half) * rotated
                qubits = gate_qubits(step)[0]
                paulis = _random_paulis(own, len(qubits), noise, state.dtype)
                order = np.argsort(qubits)
                state = xla.apply_product(state, sorted(qubits), paulis[order], num_qubits)
                state = _damp(state, qubits, own, noise, num_qubits)
            case _:
                gates = zip(gate_qubits(step), gate_matrices(step, angles, state.dtype), strict=True)
                for qubits, matrix in gates:
                    needed = _draws_of_gate(len(qubits), noise)
                    state = _gate(state, matrix, qubits, own[:needed], noise, num_qubits)
                    own = own[needed:]
    return state


def _loop(
    step: LoopStep,
    state: Array,
    angles: tuple[Array, Array],
    draws: Array,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    def body(state: Array, tables: tuple[tuple[Array, Array], Array]) -> tuple[Array, None]:
        return _run(step.body, state, *tables, noise, num_qubits), None

    per_iteration = draws.reshape(step.times, num_draws(step.body, noise))
    return lax.scan(body, state, (xla.loop_angles(step, angles), per_iteration))[0]


def _layer(
    state: Array,
    step: LayerStep,
    angles: tuple[Array, Array],
    draws: Array,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    num_gates = sum(len(factors) for _, factors in step.factors)
    draws = draws.reshape(num_gates, _draws_of_gate(1, noise))
    if noise.amplitude_damping:
        # Its branch depends on the state, so gates go one by one.
        factors = [(qubit, factor) for qubit, factors in step.factors for factor in factors]
        for (qubit, factor), own in zip(factors, draws, strict=True):
            matrix = xla.factor_matrix(factor, angles, state.dtype)
            state = _gate(state, matrix, (qubit,), own, noise, num_qubits)
        return state
    paulis = jax.vmap(lambda own: _random_paulis(own, 1, noise, state.dtype)[0])(draws)
    first = np.cumsum([0, *(len(factors) for _, factors in step.factors)])

    def noisy(matrices: Array, members: Sequence[int], before: int) -> Array:
        errors = paulis[first[np.asarray(members)] + before]
        return jnp.matmul(errors, matrices, precision=lax.Precision.HIGHEST)

    matrices = xla.layer_matrices(step, angles, state.dtype, noisy)
    return xla.apply_product(state, [q for q, _ in step.factors], matrices, num_qubits)


def _gate(
    state: Array,
    matrix: Array,
    qubits: tuple[int, ...],
    draws: Array,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    errors = jnp.ones((1, 1), state.dtype)
    for pauli in _random_paulis(draws, len(qubits), noise, state.dtype):
        errors = jnp.kron(errors, pauli)
    noisy = jnp.matmul(errors, matrix, precision=lax.Precision.HIGHEST)
    state = xla.apply_matrix(state, noisy, qubits, num_qubits)
    return _damp(state, qubits, draws, noise, num_qubits)


def _draws_of_gate(num_qubits: int, noise: NoiseModel) -> int:
    """One for whether it is depolarised and one for each letter, then one for each qubit and channel."""
    each = sum(rate > 0 for rate in (noise.bit_flip, noise.phase_flip, noise.amplitude_damping))
    return (noise.depolarizing(num_qubits) > 0) * (1 + num_qubits) + each * num_qubits


def _random_paulis(draws: Array, num_qubits: int, noise: NoiseModel, dtype: np.dtype) -> Array:
    """The Pauli errors after a gate as matrices `[k, 2, 2]`; their phase means nothing."""
    flips_x = jnp.zeros(num_qubits, bool)
    flips_z = jnp.zeros(num_qubits, bool)
    rate = noise.depolarizing(num_qubits)
    if rate:
        letters = jnp.where(draws[0] < rate, _error_letters(draws[1 : 1 + num_qubits]), 0)
        flips_x, flips_z = (letters == 1) | (letters == 2), letters >= 2
        draws = draws[1 + num_qubits :]
    if noise.bit_flip:
        flips_x = flips_x ^ (draws[:num_qubits] < noise.bit_flip)
        draws = draws[num_qubits:]
    if noise.phase_flip:
        flips_z = flips_z ^ (draws[:num_qubits] < noise.phase_flip)
    x, z = flips_x.astype(dtype), 1 - 2 * flips_z.astype(dtype)
    return jnp.stack([jnp.stack([1 - x, x * z], -1), jnp.stack([x, (1 - x) * z], -1)], -2)


def _error_letters(draws: Array) -> Array:
    """A Pauli string but not the identity, each with the same probability: 0 to 3 for I, X, Y, Z, `[k]`."""
    letters = []
    differs = jnp.zeros((), bool)
    for index, draw in enumerate(draws):
        left = len(draws) - index
        # While all letters were I, this one is I in as many strings as the rest can still differ in.
        identity = jnp.where(differs, 0.25, (4 ** (left - 1) - 1) / (4**left - 1)).astype(draw.dtype)
        which = 1 + jnp.floor(3 * (draw - identity) / (1 - identity)).astype(jnp.int32)
        letters.append(jnp.where(draw < identity, 0, jnp.clip(which, 1, 3)))
        differs = differs | (letters[-1] > 0)
    return jnp.stack(letters)


def _damp(state: Array, qubits: Sequence[int], draws: Array, noise: NoiseModel, num_qubits: int) -> Array:
    gamma = noise.amplitude_damping
    if not gamma:
        return state
    for qubit, draw in zip(qubits, draws[-len(qubits) :], strict=True):
        halves = xla.probabilities(state).reshape(2**qubit, 2, -1).sum((0, 2))
        excited = halves[1] / (halves[0] + halves[1])
        decays = draw < gamma * excited
        smallest = jnp.finfo(excited.dtype).tiny
        down = jnp.where(decays, 1 / jnp.sqrt(jnp.maximum(excited, smallest)), 0)
        scale = jnp.where(decays, 0, 1 / jnp.sqrt(jnp.maximum(1 - gamma * excited, smallest)))
        rows = [jnp.stack([scale, down]), jnp.stack([0 * scale, np.sqrt(1 - gamma) * scale])]
        state = xla.apply_matrix(state, jnp.stack(rows).astype(state.dtype), (qubit,), num_qubits)
    return state
