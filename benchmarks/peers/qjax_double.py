"""The reference for all answers: the plain-JAX engine in double precision."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.in_jax import compiled, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem
from qjax import Simulator


def load() -> None:
    """Turns JAX's 64-bit mode on: nothing else runs in this process."""
    import jax

    jax.config.update("jax_enable_x64", True)
    warm_up()


def prepare(problem: Problem, cores: int) -> Call:
    """One call of `expectations`."""
    del cores
    simulator = Simulator(engine="xla", dtype="complex128")
    return compiled(
        lambda sets, features: simulator.expectations(
            problem.circuit, sets, features, problem.observable
        ).mean[..., 0],
        problem,
        np.float64,
    )


PEER = Peer("reference", ("jax", "jaxlib"), "double", "jit(expectations)", prepare, load)
