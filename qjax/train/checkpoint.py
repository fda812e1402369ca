"""Training states as bytes, exact to the bit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.errors import StoreError
from qjax.store.serialization import from_bytes, to_bytes
from qjax.train.step import TrainState


def state_to_bytes(state: TrainState) -> bytes:
    """A state as bytes.

    Args:
        state: the state; its structure is not kept, only its arrays.

    Returns:
        The arrays in order, see `qjax.store.serialization.to_bytes`.
    """
    return to_bytes([np.asarray(_data(leaf)) for leaf in jax.tree.leaves(state)])


def state_from_bytes(template: TrainState, payload: bytes) -> TrainState:
    """Reads what `state_to_bytes` wrote.

    Args:
        template: a state of the same structure, such as the run's initial one.
        payload: the bytes.

    Returns:
        The state, equal to the bit.

    Raises:
        StoreError: if the arrays do not fit the template.
    """
    leaves, structure = jax.tree.flatten(template)
    arrays = from_bytes(payload)
    expected = [(_data(leaf).shape, _data(leaf).dtype) for leaf in leaves]
    if [(array.shape, array.dtype) for array in arrays] != expected:
        raise StoreError(
            "The checkpoint does not fit the run's configuration. It was written by another version; train "
            "anew."
        )
    return jax.tree.unflatten(structure, map(_restore, leaves, arrays))


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _data(leaf: Any) -> Array:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _restore(leaf: Any, array: np.ndarray) -> Array:
    value = jnp.asarray(array)
    return jax.random.wrap_key_data(value, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else value
