"""As many parameter sets as all shifted ones, but none like another, run by the worker like a peer."""

from __future__ import annotations

import jax.numpy as jnp

from benchmarks.peers.in_jax import compiled, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem
from qjax import Simulator


def prepare(problem: Problem, cores: int) -> Call:
    """One call of `expectations` at sets that differ in every parameter."""
    del cores
    simulator = Simulator(engine="native")
    apart = 1e-3 * jnp.arange(len(problem.sets))[:, None]
    return compiled(
        lambda sets, features: simulator.expectations(
            problem.circuit, sets + apart, features, problem.observable
        ).mean[..., 0],
        problem,
    )


PEER = Peer("unrelated sets", ("jax",), "single", "jit(expectations)", prepare, warm_up)
