"""Amplitude encoding: real vectors prepared exactly by rotations about y and controlled-not gates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from qjax.ansatz.protocol import Encoding, check_features, real_features
from qjax.circuit import Angle, Op, Repeat

# Controls whose combinations are written out in Gray code. Each further control doubles a `Repeat`, so a
# circuit's size grows with its qubits and not with its amplitudes; closing a repeat costs two further cx.
_GRAY_CONTROLS = 3


@dataclass(frozen=True)
class AmplitudeEncoding:
    """What `amplitude` makes."""

    def max_features(self, num_qubits: int) -> int:
        """One for each basis state."""
        return 2**num_qubits

    def num_encoded(self, num_qubits: int) -> int:
        """One angle for each node of a binary tree over the basis states."""
        return 2**num_qubits - 1

    def encode(self, features: ArrayLike, num_qubits: int) -> Array:
        """The angles of the rotations `[..., 2**n - 1]`, radians."""
        array = real_features(features)
        num_features = check_features(self, array.shape[-1], num_qubits)
        padding = [(0, 0)] * (array.ndim - 1) + [(0, 2**num_qubits - num_features)]
        tree = _tree_angles(jnp.pad(array, padding), num_qubits)
        levels = [_signed_sums(angles)[..., _masks(level)] / 2**level for level, angles in enumerate(tree)]
        return jnp.concatenate(levels, axis=-1)

    def ops(self, num_qubits: int) -> tuple[Op | Repeat, ...]:
        """For each qubit a rotation about y that all qubits before it control."""
        return tuple(
            element.shifted(0, 2**level - 1)
            for level in range(num_qubits)
            for element in _multiplexed_rotation(level)
        )


def amplitude() -> Encoding:
    r"""Amplitude encoding: the state is the normalised vector of features.

    .. math:: |x\rangle = \frac{1}{\lVert x \rVert} \sum_{i=0}^{F-1} x_i |i\rangle

    Up to 2**n real features of either sign; fewer are padded with zeros. Qubit by qubit, a rotation about y
    divides the norm of each half of a subvector: by `2 atan2(|right|, |left|)`, on the last qubit with the
    signs of the two entries. A rotation that k qubits control is 2**k plain rotations with cx between them,
    whose angles depend linearly on those of the controlled one; `encode` computes them.

    A subvector of zeros has no direction and takes the angle 0, so a vector of zeros prepares |0...0>. The
    gradient is zero there and finite everywhere.

    Returns:
        The encoding; E = 2**n - 1.

    Example:
        >>> amplitude().encode(jnp.array([0.0, -2.0]), num_qubits=1).round(4).tolist()
        [-3.1415998935699463]

    Reference:
        Mottonen, Vartiainen, Bergholm, Salomaa, Quantum Inf. Comput. 5, 467 (2005), eqs. (3) and (8).
    """
    return AmplitudeEncoding()


def _tree_angles(vector: Array, num_qubits: int) -> list[Array]:
    """For each qubit the angles `[..., 2**qubit]` that divide the subvectors of `[..., 2**n]`."""
    halves = vector / _length_scale(jnp.max(jnp.abs(vector), axis=-1, keepdims=True))
    angles: list[Array] = []
    squares = halves**2
    for _ in range(num_qubits):
        left, right = halves[..., 0::2], halves[..., 1::2]
        angles.append(2 * _direction(left, right))
        squares = squares[..., 0::2] + squares[..., 1::2]
        positive = squares > 0
        halves = jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1)), 0)
    return angles[::-1]


def _direction(left: Array, right: Array) -> Array:
    """The angle of the points (left, right), zero at the origin, with a finite gradient."""
    empty = (left == 0) & (right == 0)
    scale = _length_scale(jnp.maximum(jnp.abs(left), jnp.abs(right)))
    return jnp.arctan2(jnp.where(empty, 0, right) / scale, jnp.where(empty, 1, left) / scale)


def _length_scale(lengths: Array) -> Array:
    """A divisor that brings lengths to one, so that their squares stay in the range of floats.

    Angles do not change with lengths, so neither their values nor their gradients depend on the divisor.
    """
    return lax.stop_gradient(jnp.where(lengths > 0, lengths, 1))


def _signed_sums(angles: Array) -> Array:
    """The Walsh-Hadamard transform of the last axis, `out[m] = sum_j (-1)**popcount(j & m) angles[j]`."""
    size = angles.shape[-1]
    step = 1
    while step < size:
        pairs = angles.reshape(*angles.shape[:-1], size // (2 * step), 2, step)
        left, right = pairs[..., 0, :], pairs[..., 1, :]
        angles = jnp.stack([left + right, left - right], axis=-2).reshape(*angles.shape[:-1], size)
        step *= 2
    return angles


def _multiplexed_rotation(level: int) -> tuple[Op | Repeat, ...]:
    """Gates with features 0 to 2**level - 1 that rotate qubit `level` as the qubits before it say.

    A rotation between two cx from the same qubit turns the other way where that qubit is one. Every
    combination of such sign changes occurs once, and every cx an even number of times.
    """
    written_out = min(level, _GRAY_CONTROLS)
    body: list[Op | Repeat] = []
    for index in range(2**written_out):
        body.append(Op("ry", (level,), Angle(feature=index)))
        if written_out:
            # Between index and index + 1 the Gray code changes the bit of the trailing zeros of index + 1.
            changed = ((index + 1) & -(index + 1)).bit_length() - 1
            body.append(Op("cx", (level - 1 - min(changed, written_out - 1), level)))
    for bit in range(written_out, level):
        toggle = Op("cx", (level - 1 - bit, level))
        body = [Repeat((*body, toggle), times=2, feature_stride=2**bit)]
    return tuple(body)


@lru_cache(maxsize=64)
def _masks(level: int) -> np.ndarray:
    """For each rotation of `_multiplexed_rotation` the controls that turn it around, as bits."""
    masks, mask = [], 0
    for op in Repeat(_multiplexed_rotation(level), times=1).unrolled():
        if op.gate == "cx":
            mask ^= 1 << (level - 1 - op.qubits[0])
        else:
            masks.append(mask)
    # JAX keeps a cached array's canonical type: one that every precision shares stays right in all.
    return np.array(masks, np.int32)
