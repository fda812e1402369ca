"""A thousand SPSA steps as one compiled loop, run by the worker like a peer."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.peers.in_jax import warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import PERTURBATION, Problem
from qjax import Simulator

NUM_STEPS = 1000
_LEARNING_RATE = 0.02


def prepare(problem: Problem, cores: int) -> Call:
    """SPSA on one batch: draw signs, evaluate the pair, step; the answer is the last parameters."""
    del cores
    simulator = Simulator(engine="native")

    @jax.jit
    def train(params: Any, features: Any, targets: Any, key: Any) -> Any:
        signs = jax.random.rademacher(key, (NUM_STEPS, params.size), params.dtype)

        def step(params: Any, sign: Any) -> Any:
            pair = params + PERTURBATION * jnp.stack([sign, -sign])
            values = simulator.expectations(problem.circuit, pair, features, problem.observable).mean[..., 0]
            losses = jnp.mean((values - targets) ** 2, axis=-1)
            slope = (losses[0] - losses[1]) / (2 * PERTURBATION)
            return params - _LEARNING_RATE * slope * sign, None

        return jax.lax.scan(step, params, signs)[0]

    numbers = [jnp.asarray(array, "float32") for array in (problem.params, problem.features, problem.targets)]
    key = jax.random.key(0)
    return lambda: train(*numbers, key).block_until_ready()


PEER = Peer("1000 SPSA steps", ("jax",), "single", "one lax.scan", prepare, warm_up)
