"""States of circuits in double precision, for comparison with oracles."""

from __future__ import annotations

import jax
import numpy as np

from qjax import Circuit, Simulator


def state(circuit: Circuit, params=(), features=()) -> np.ndarray:
    params, features = np.asarray(params, float), np.asarray(features, float)
    with jax.enable_x64(True):
        simulator = Simulator(dtype="complex128")
        return np.asarray(simulator.statevector(circuit, params[None], features[None])[0, 0])


def encoded_state(encoding, num_qubits: int, features) -> np.ndarray:
    with jax.enable_x64(True):
        encoded = np.asarray(encoding.encode(np.asarray(features, float), num_qubits))
    return state(Circuit(num_qubits, encoding.ops(num_qubits)), (), encoded)
