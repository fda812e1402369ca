"""What an encoding is: a pure function of the features, then gates that take its result as their angles.

Everything that is not a rotation by a multiple of one number happens in `encode`, before the circuit. So
whatever runs circuits with per-sample angles runs every encoding, a simulator or a machine.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from qjax.ansatz.checks import check_count
from qjax.circuit import Op, Repeat
from qjax.errors import ArgumentError


@runtime_checkable
class Encoding(Protocol):
    """How features enter a circuit."""

    def max_features(self, num_qubits: int) -> int:
        """The most features that fit on some qubits."""
        ...

    def num_encoded(self, num_qubits: int) -> int:
        """E, the number of encoded features: `num_features` of the circuit."""
        ...

    def encode(self, features: ArrayLike, num_qubits: int) -> Array:
        """Turns features into encoded features: pure, traceable and differentiable.

        Args:
            features: `[..., F]`, real.
            num_qubits: number of qubits.

        Returns:
            Encoded features `[..., E]`, real.

        Raises:
            ArgumentError: if F does not fit on the qubits.
        """
        ...

    def ops(self, num_qubits: int) -> tuple[Op | Repeat, ...]:
        """Gates on qubits 0 to n - 1 that prepare the state from |0...0>.

        They use features 0 to E - 1 and no parameters.
        """
        ...


def check_features(encoding: Encoding, num_features: int, num_qubits: int) -> int:
    """Checks that an encoding takes some number of features.

    Args:
        encoding: the encoding.
        num_features: F.
        num_qubits: number of qubits.

    Returns:
        F.

    Raises:
        ArgumentError: if there are more features than fit, or none for an encoding that needs one.

    Example:
        >>> from qjax.ansatz import angle
        >>> check_features(angle(), 5, num_qubits=4)
        Traceback (most recent call last):
        ...
        qjax.errors.ArgumentError: Argument `features` must hold 4 feature(s) or fewer for this encoding on 4
        qubit(s), but there are 5. Reduce them by PCA with `num_components=4`, or use 5 qubits.
    """
    num_features = check_count("num_features", num_features, minimum=0)
    most = encoding.max_features(num_qubits)
    if num_features > most:
        enough = (
            n for n in range(num_qubits + 1, num_features + 1) if encoding.max_features(n) >= num_features
        )
        qubits = next(enough, None)
        cure = f"Reduce them by PCA with `num_components={most}`, or use {qubits} qubits."
        raise ArgumentError(
            "features",
            f"hold {most} feature(s) or fewer for this encoding on {num_qubits} qubit(s)",
            f"there are {num_features}",
            cure if qubits else "Choose another encoding, for example `angle`.",
        )
    if num_features == 0 and most > 0:
        raise ArgumentError(
            "features",
            "hold one feature or more for this encoding",
            "there are none",
            "Use the encoding `none` for a circuit without features.",
        )
    return num_features


def real_features(features: ArrayLike) -> Array:
    """Features as a floating-point array with at least one axis.

    Args:
        features: `[..., F]`, real.

    Returns:
        The array.

    Raises:
        ArgumentError: if it has no axis or is not real.
    """
    array = jnp.asarray(features)
    if array.ndim == 0 or jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise ArgumentError(
            "features",
            "be real with shape [..., F]",
            f"its shape is {list(array.shape)} and its dtype {array.dtype}",
            "Pass one row of real numbers for each sample.",
        )
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))
