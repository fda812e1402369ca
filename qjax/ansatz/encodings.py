"""Angle encoding, IQP encoding, and the encodings that have no gates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from qjax.ansatz.checks import ROTATIONS, check_count, check_name
from qjax.ansatz.protocol import Encoding, check_features, real_features
from qjax.ansatz.topology import TOPOLOGIES, edges
from qjax.circuit import Angle, Op, Repeat
from qjax.errors import ArgumentError


@dataclass(frozen=True)
class AngleEncoding:
    """What `angle` makes."""

    rotation: str = "ry"

    def __post_init__(self):
        check_name("rotation", self.rotation, ROTATIONS)

    def max_features(self, num_qubits: int) -> int:
        """One for each qubit."""
        return num_qubits

    def num_encoded(self, num_qubits: int) -> int:
        """One for each qubit."""
        return num_qubits

    def encode(self, features: ArrayLike, num_qubits: int) -> Array:
        """The features `[..., F]`, repeated cyclically to `[..., n]`."""
        return _one_per_qubit(self, features, num_qubits)

    def ops(self, num_qubits: int) -> tuple[Op | Repeat, ...]:
        """One rotation on each qubit."""
        # A rotation about z leaves |0> where it is, so it needs a superposition to act on.
        before = tuple(Op("h", (q,)) for q in range(num_qubits)) if self.rotation == "rz" else ()
        return before + tuple(Op(self.rotation, (q,), Angle(feature=q)) for q in range(num_qubits))


ANGLE: Encoding = AngleEncoding()
"""The encoding that families use by default."""


@dataclass(frozen=True)
class IQPEncoding:
    """What `iqp` makes."""

    num_repeats: int = 2
    topology: str = "full"
    scale: float = 2.0

    def __post_init__(self):
        object.__setattr__(self, "num_repeats", check_count("num_repeats", self.num_repeats))
        check_name("topology", self.topology, TOPOLOGIES)
        if isinstance(self.scale, bool | str) or not math.isfinite(self.scale) or self.scale == 0:
            raise ArgumentError(
                "scale", "be a finite number other than zero", f"it is {self.scale!r}", "The usual one is 2."
            )

    def max_features(self, num_qubits: int) -> int:
        """One for each qubit."""
        return num_qubits

    def num_encoded(self, num_qubits: int) -> int:
        """One for each qubit and one for each pair of the topology."""
        return num_qubits + len(edges(self.topology, num_qubits))

    def encode(self, features: ArrayLike, num_qubits: int) -> Array:
        """The features `[..., n]`, repeated cyclically, and then their products for each pair."""
        single = _one_per_qubit(self, features, num_qubits)
        pairs = np.array(edges(self.topology, num_qubits), int).reshape(-1, 2)
        return jnp.concatenate([single, single[..., pairs[:, 0]] * single[..., pairs[:, 1]]], axis=-1)

    def ops(self, num_qubits: int) -> tuple[Op | Repeat, ...]:
        """Hadamards, rotations about z and rotations about zz, several times."""
        pairs = edges(self.topology, num_qubits)
        body = [Op("h", (q,)) for q in range(num_qubits)]
        body += [Op("rz", (q,), Angle(feature=q, scale=self.scale)) for q in range(num_qubits)]
        body += [Op("rzz", e, Angle(feature=num_qubits + i, scale=self.scale)) for i, e in enumerate(pairs)]
        return (Repeat(tuple(body), self.num_repeats),)


@dataclass(frozen=True)
class IdentityEncoding:
    """What `identity` and `none` make."""

    num_features: int = 0

    def __post_init__(self):
        object.__setattr__(self, "num_features", check_count("num_features", self.num_features, minimum=0))

    def max_features(self, num_qubits: int) -> int:  # noqa: ARG002 -- part of the protocol
        """As many as were declared."""
        return self.num_features

    def num_encoded(self, num_qubits: int) -> int:  # noqa: ARG002 -- part of the protocol
        """As many as were declared."""
        return self.num_features

    def encode(self, features: ArrayLike, num_qubits: int) -> Array:
        """The features themselves."""
        array = real_features(features)
        check_features(self, array.shape[-1], num_qubits)
        return array

    def ops(self, num_qubits: int) -> tuple[Op | Repeat, ...]:  # noqa: ARG002 -- part of the protocol
        """No gates: those of the layers use the features."""
        return ()


def angle(rotation: str = "ry") -> Encoding:
    r"""Angle encoding: qubit `i` is rotated by feature `i mod F`.

    .. math:: |x\rangle = \bigotimes_{i=0}^{n-1} R(x_{i \bmod F}) |0\rangle

    F features, at most one for each qubit, repeat cyclically, so that every qubit carries one. For "rz" a
    Hadamard gate comes first, since a rotation about z alone leaves |0> where it is.

    Args:
        rotation: "rx", "ry" or "rz".

    Returns:
        The encoding; features are angles in radians, E = n.

    Raises:
        ArgumentError: if the rotation is unknown.

    Example:
        >>> angle().encode(jnp.array([0.5, 1.0]), num_qubits=3).tolist()
        [0.5, 1.0, 0.5]

    Reference:
        Schuld, Petruccione, Machine Learning with Quantum Computers, 2nd ed. (2021), chapter 4.
    """
    return AngleEncoding(rotation)


def iqp(num_repeats: int = 2, topology: str = "full", scale: float = 2.0) -> Encoding:
    r"""Instantaneous-quantum-polynomial encoding: Hadamards and commuting phases, several times.

    .. math:: |x\rangle = \left[ U(x) H^{\otimes n} \right]^r |0\rangle, \qquad
        U(x) = \exp\Big( -\tfrac{i s}{2} \big( \sum_i x_i Z_i + \sum_{(i,j)} x_i x_j Z_i Z_j \big) \Big)

    F features, at most one for each qubit, repeat cyclically.

    Args:
        num_repeats: r, 1 or more.
        topology: the pairs (i, j), a name that `edges` knows.
        scale: s, the bandwidth of the encoding: 2 for the phases of the reference (with `x_i x_j` for its
            pair function, and up to complex conjugation), 1 for those of PennyLane's `IQPEmbedding`.

    Returns:
        The encoding; E = n + number of pairs.

    Raises:
        ArgumentError: if an argument has no meaning.

    Example:
        >>> iqp().encode(jnp.array([0.5, 1.0, 3.0]), num_qubits=3).tolist()
        [0.5, 1.0, 3.0, 0.5, 1.5, 3.0]

    Reference:
        Havlicek et al., Nature 567, 209 (2019), the feature map U_Phi(x).
    """
    return IQPEncoding(num_repeats, topology, scale)


def identity(num_features: int) -> Encoding:
    """No gates: the features go on unchanged to layers that use them, as those of `data_reuploading`.

    Args:
        num_features: F.

    Returns:
        The encoding; E = F.

    Raises:
        ArgumentError: if F is negative.

    Example:
        >>> identity(2).encode(jnp.array([0.5, 1.0]), num_qubits=7).tolist()
        [0.5, 1.0]
    """
    return IdentityEncoding(num_features)


def none() -> Encoding:
    """The encoding of a circuit without features.

    Returns:
        The encoding; E = 0.

    Example:
        >>> none().num_encoded(num_qubits=4)
        0
    """
    return IdentityEncoding(0)


def _one_per_qubit(encoding: Encoding, features: ArrayLike, num_qubits: int) -> Array:
    array = real_features(features)
    num_features = check_features(encoding, array.shape[-1], num_qubits)
    return array[..., np.arange(num_qubits) % num_features]
