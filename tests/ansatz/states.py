"""States of circuits in double precision, for comparison with oracles."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from qjax import Circuit, Simulator
from qjax.ansatz import Encoding


def state(circuit: Circuit, params=(), features=()) -> np.ndarray:
    with jax.enable_x64(True):
        simulator = Simulator(dtype="complex128")
        batch = jnp.asarray(params, float)[None], jnp.asarray(features, float)[None]
        return np.asarray(simulator.statevector(circuit, *batch)[0, 0])


@partial(jax.jit, static_argnums=(0, 1))
def encode(encoding: Encoding, num_qubits: int, features):
    return encoding.encode(features, num_qubits)


@partial(jax.jit, static_argnums=(0, 1))
def encode_jacobian(encoding: Encoding, num_qubits: int, features):
    return jax.jacrev(lambda x: encoding.encode(x, num_qubits))(features)


def encoded_state(encoding: Encoding, num_qubits: int, features) -> np.ndarray:
    with jax.enable_x64(True):
        encoded = np.asarray(encode(encoding, num_qubits, np.asarray(features, float)))
    return state(Circuit(num_qubits, encoding.ops(num_qubits)), (), encoded)
