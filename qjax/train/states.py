"""The states that a model's circuit makes of samples, for the record."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from qjax.gradients import Params
from qjax.simulator import Simulator
from qjax.store import EncodedStates
from qjax.train.prepare import Prepared

_BLOCK_BYTES = 2**23

MakeStates = Callable[[Params, int, np.ndarray], Iterator[EncodedStates]]


def make_states(prepared: Prepared) -> MakeStates:
    """Builds the function that simulates the states of samples, block by block.

    Args:
        prepared: the run.

    Returns:
        A function of the parameters, the step they belong to, and the places of samples in the prepared data.
        It gives the states in blocks of some megabytes, in the dtype of the configuration.

    Example:
        >>> from qjax.train import TrainingConfig
        >>> from qjax.train.prepare import prepare
        >>> from qjax.train.run import initial_state
        >>> prepared = prepare(TrainingConfig(dataset="rings", num_features=2, num_qubits=2))
        >>> (states,) = make_states(prepared)(initial_state(prepared).params, 0, np.array([3, 5]))
        >>> states.values.shape, states.values.dtype.name
        ((2, 4), 'complex64')
    """
    circuit = prepared.model.circuit
    simulator = Simulator(dtype=prepared.config.dtype)
    bytes_per_state = 2**circuit.num_qubits * np.dtype(prepared.config.dtype).itemsize
    most = max(1, _BLOCK_BYTES // bytes_per_state)

    @jax.jit
    def states_of(params: jax.Array, features: jax.Array) -> jax.Array:
        return simulator.statevector(circuit, params[None], features)[0]

    def states(params: Params, step: int, samples: np.ndarray) -> Iterator[EncodedStates]:
        size = min(most, len(samples))
        for first in range(0, len(samples), size):
            block = samples[first : first + size]
            # Filled up to one shape, so that there is one program for all blocks.
            filled = np.resize(block, size)
            values = np.asarray(states_of(params.circuit, jnp.asarray(prepared.features[filled])))
            yield EncodedStates(step, block.astype(np.int32), values[: len(block)])

    return states
