"""Quantum trajectories in plain JAX: state vectors in which every channel takes one branch at random.

Pauli errors do not depend on the state: they are drawn beforehand, for all gates of one size together, and
multiplied into the gates. Amplitude damping weighs its two branches by the state. The mean over trajectories
of any expectation value is that of the density matrix.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from qjax.engine import xla
from qjax.engine.dense import MAX_DENSE_QUBITS, gate_matrices, gate_qubits
from qjax.engine.matrices import angle_values, factor_matrix, layer_matrices, loop_angles, real_dtype
from qjax.engine.program import LayerStep, LoopStep, PauliRotationStep, Program, Step
from qjax.errors import ArgumentError
from qjax.gates import pauli_string_matrix
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


class Branches(NamedTuple):
    """What chance decides in one trajectory, for the `K` gates of one size `k` in the order of execution.

    Attributes:
        errors: Pauli strings as matrices `[K, 2**k, 2**k]`, or letter by letter `[K, k, 2, 2]` for gates that
            have no matrix.
        decays: uniform random numbers `[K, k]`, real, for amplitude damping; None without.
    """

    errors: Array
    decays: Array | None


Tables = Mapping[int, Branches]
"""Branches by gate size."""


def num_draws(program: Program, noise: NoiseModel) -> int:
    """How many uniform random numbers a trajectory takes.

    Args:
        program: the lowered circuit.
        noise: what follows every gate.

    Returns:
        The number.

    Example:
        >>> from qjax import Circuit, Op
        >>> from qjax.engine.program import lower
        >>> num_draws(lower(Circuit(1, (Op("h", (0,)),))), NoiseModel(bit_flip=0.1, phase_flip=0.1))
        2
    """
    sizes = _gate_sizes(program.steps)
    return sum(count * _draws_of_gate(size, noise) for size, count in sizes.items())


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
    tables: dict[int, Branches] = {}
    for size, count in sorted(_gate_sizes(program.steps).items()):
        number = count * _draws_of_gate(size, noise)
        tables[size] = _branches(draws[:number].reshape(count, number // count), size, noise, dtype)
        draws = draws[number:]
    angles = angle_values(program, params, features, real_dtype(dtype))
    state = jnp.zeros(2**program.num_qubits, dtype).at[0].set(1)
    return _run(program.steps, state, angles, tables, noise, program.num_qubits)


def _gate_sizes(steps: Sequence[Step]) -> Counter[int]:
    """How many gates there are on 1, 2, ... qubits."""
    sizes: Counter[int] = Counter()
    for step in steps:
        match step:
            case LayerStep(factors):
                sizes[1] += sum(len(gates) for _, gates in factors)
            case LoopStep(body, times):
                sizes.update({size: times * count for size, count in _gate_sizes(body).items()})
            case _:
                sizes.update(len(qubits) for qubits in gate_qubits(step))
    return sizes


def _draws_of_gate(num_qubits: int, noise: NoiseModel) -> int:
    """One for whether it is depolarised and one for each letter, then one for each qubit and channel."""
    each = sum(rate > 0 for rate in (noise.bit_flip, noise.phase_flip, noise.amplitude_damping))
    return (noise.depolarizing(num_qubits) > 0) * (1 + num_qubits) + each * num_qubits


def _branches(draws: Array, size: int, noise: NoiseModel, dtype: np.dtype) -> Branches:
    """Branches of gates on `size` qubits from their uniform random numbers `[K, D]`."""
    letters = jnp.zeros((len(draws), size), jnp.int32)
    rate = noise.depolarizing(size)
    if rate:
        errors = _error_letters(draws[:, 1 : 1 + size])
        letters = jnp.where(draws[:, :1] < rate, errors, letters)
        draws = draws[:, 1 + size :]
    # The letters as bits of X and Z, in whose terms a product of letters is a sum: I 00, X 10, Y 11, Z 01.
    for rate, others in ((noise.bit_flip, [1, 0, 3, 2]), (noise.phase_flip, [3, 2, 1, 0])):
        if rate:
            letters = jnp.where(draws[:, :size] < rate, jnp.asarray(others, jnp.int32)[letters], letters)
            draws = draws[:, size:]
    if size > MAX_DENSE_QUBITS:
        errors = jnp.asarray(_pauli_table(1), dtype)[letters]
    else:
        places = np.array([4**k for k in range(size)][::-1], np.int32)
        errors = jnp.asarray(_pauli_table(size), dtype)[jnp.sum(letters * places, axis=1)]
    return Branches(errors, draws if noise.amplitude_damping else None)


def _error_letters(draws: Array) -> Array:
    """Pauli strings other than the identity, each with the same probability, `[K, k]` from draws `[K, k]`."""
    letters = []
    differs = jnp.zeros(len(draws), bool)
    for index, draw in enumerate(draws.T):
        left = draws.shape[1] - index
        # While all letters were I, this one is I in as many strings as the rest can still differ in.
        identity = jnp.where(differs, 0.25, (4 ** (left - 1) - 1) / (4**left - 1)).astype(draw.dtype)
        which = 1 + jnp.floor(3 * (draw - identity) / (1 - identity)).astype(jnp.int32)
        letters.append(jnp.where(draw < identity, 0, jnp.clip(which, 1, 3)))
        differs = differs | (letters[-1] > 0)
    return jnp.stack(letters, axis=1)


class _Reader:
    """Hands out the branches of one body's gates in order."""

    def __init__(self, tables: Tables):
        self.tables = tables
        self.positions: Counter[int] = Counter()

    def take(self, size: int, count: int) -> Branches:
        """The branches of the next so many gates of a size."""
        start = self.positions[size]
        self.positions[size] += count
        return jax.tree.map(lambda array: array[start : start + count], self.tables[size])

    def take_loop(self, step: LoopStep) -> Tables:
        """The branches of a loop's gates, `[times, ...]`."""
        sizes = _gate_sizes(step.body)
        return {
            size: jax.tree.map(
                lambda array, count=count: array.reshape(step.times, count, *array.shape[1:]),
                self.take(size, step.times * count),
            )
            for size, count in sizes.items()
        }


def _run(
    steps: Sequence[Step],
    state: Array,
    angles: tuple[Array, Array],
    tables: Tables,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    reader = _Reader(tables)
    for step in steps:
        match step:
            case LayerStep():
                num_gates = sum(len(factors) for _, factors in step.factors)
                state = _layer(state, step, angles, reader.take(1, num_gates), noise, num_qubits)
            case LoopStep():

                def body(state: Array, own: Any, step: LoopStep = step) -> tuple[Array, None]:
                    return _run(step.body, state, own[0], own[1], noise, num_qubits), None

                own = (loop_angles(step, angles), reader.take_loop(step))
                state = lax.scan(body, state, own)[0]
            case PauliRotationStep(pauli, slot) if len(pauli) > MAX_DENSE_QUBITS:
                half = angles[slot.uses_features][slot.index] / 2
                rotated = xla.apply_pauli(state, pauli, num_qubits)
                state = jnp.cos(half) * state - 1j * jnp.sin(half) * rotated
                (qubits,) = gate_qubits(step)
                branches = _first(reader.take(len(qubits), 1))
                errors = branches.errors[np.argsort(qubits)]
                state = xla.apply_product(state, sorted(qubits), errors, num_qubits)
                state = _damp(state, qubits, branches.decays, noise)
            case _:
                matrices = gate_matrices(step, angles, state.dtype)
                for qubits, matrix in zip(gate_qubits(step), matrices, strict=True):
                    branches = _first(reader.take(len(qubits), 1))
                    state = _gate(state, matrix, qubits, branches, noise, num_qubits)
    return state


def _first(branches: Branches) -> Branches:
    return jax.tree.map(lambda array: array[0], branches)


def _layer(
    state: Array,
    step: LayerStep,
    angles: tuple[Array, Array],
    branches: Branches,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    if branches.decays is not None:
        # Which branch a qubit takes depends on the state, so gates go one by one.
        factors = [(qubit, factor) for qubit, factors in step.factors for factor in factors]
        for index, (qubit, factor) in enumerate(factors):
            matrix = factor_matrix(factor, angles, state.dtype)
            own = jax.tree.map(lambda array, index=index: array[index], branches)
            state = _gate(state, matrix, (qubit,), own, noise, num_qubits)
        return state
    first = np.cumsum([0, *(len(factors) for _, factors in step.factors)])

    def noisy(matrices: Array, members: Sequence[int], before: int) -> Array:
        own = branches.errors[first[np.asarray(members)] + before]
        return jnp.matmul(own, matrices, precision=lax.Precision.HIGHEST)

    matrices = layer_matrices(step, angles, state.dtype, noisy)
    return xla.apply_product(state, [q for q, _ in step.factors], matrices, num_qubits)


def _gate(
    state: Array,
    matrix: Array | np.ndarray,
    qubits: tuple[int, ...],
    branches: Branches,
    noise: NoiseModel,
    num_qubits: int,
) -> Array:
    noisy = jnp.matmul(branches.errors, jnp.asarray(matrix, state.dtype), precision=lax.Precision.HIGHEST)
    state = xla.apply_matrix(state, noisy, qubits, num_qubits)
    return _damp(state, qubits, branches.decays, noise)


@lru_cache(maxsize=MAX_DENSE_QUBITS)
def _pauli_table(size: int) -> np.ndarray:
    """All Pauli strings on so many qubits, `[4**k, 2**k, 2**k]`."""
    return np.array([pauli_string_matrix("".join(letters)) for letters in product("IXYZ", repeat=size)])


def _damp(state: Array, qubits: Sequence[int], draws: Array | None, noise: NoiseModel) -> Array:
    """Amplitude damping of each qubit in turn, of a state of norm one; draws are `[k]`."""
    if draws is None:
        return state
    gamma = noise.amplitude_damping
    smallest = jnp.finfo(draws.dtype).tiny
    for position, qubit in enumerate(qubits):
        halves = state.reshape(2**qubit, 2, -1)
        zero, one = halves[:, 0], halves[:, 1]
        excited = jnp.sum(xla.probabilities(one))
        decays = draws[position] < gamma * excited
        scale = lax.rsqrt(jnp.maximum(jnp.where(decays, excited, 1 - gamma * excited), smallest))
        zero, one = (
            jnp.where(decays, one, zero) * scale,
            jnp.where(decays, 0, one) * (scale * math.sqrt(1 - gamma)),
        )
        state = jnp.stack([zero, one], axis=1).reshape(-1)
    return state
