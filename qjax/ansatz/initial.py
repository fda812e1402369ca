"""Where training starts."""

from __future__ import annotations

import math
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.circuit import Circuit
from qjax.errors import ArgumentError


def initial_params(circuit: Circuit, key: Array, *, scale: float = 0.1) -> Array:
    """Random parameters near a point where features enter as they are and nothing else turns.

    A parameter that multiplies a feature anywhere in the circuit is a weight and starts at one, any other is
    an angle and starts at zero; to all of them a normal deviation is added. Small angles keep the layers near
    the identity, where gradients do not vanish with the number of qubits as they do for angles spread over
    the circle.

    Args:
        circuit: the circuit.
        key: a PRNG key.
        scale: standard deviation, 0 or more, radians.

    Returns:
        Parameters `[P]`, in JAX's default float type.

    Raises:
        ArgumentError: if the scale is negative or not finite.

    Example:
        >>> from qjax.ansatz import data_reuploading
        >>> circuit = data_reuploading(1, 1, num_features=1)
        >>> initial_params(circuit, jax.random.key(0), scale=0.0).tolist()
        [1.0, 0.0, 0.0]

    Reference:
        Zhang, Liu, Hsieh, Tao, NeurIPS 35 (2022), arXiv:2203.09376, section 4.
    """
    if isinstance(scale, bool | str) or not math.isfinite(scale) or scale < 0:
        raise ArgumentError("scale", "be finite and 0 or more", f"it is {scale!r}", "The default is 0.1.")
    center = jnp.asarray(_weights(circuit), float)
    return center + scale * jax.random.normal(key, center.shape, center.dtype)


@lru_cache(maxsize=256)
def _weights(circuit: Circuit) -> np.ndarray:
    """Which parameters multiply a feature, bool `[P]`."""
    weights = np.zeros(circuit.num_params, bool)
    for op in circuit.unrolled():
        for angle in op.angles:
            if angle.param is not None and angle.feature is not None:
                weights[angle.param] = True
    return weights
