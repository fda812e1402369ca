"""This project's plain-JAX engine."""

from __future__ import annotations

from benchmarks.peers.in_jax import compiled, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem
from qjax import Simulator


def prepare(problem: Problem, cores: int) -> Call:
    """One call of `expectations`."""
    del cores
    simulator = Simulator(engine="xla")
    return compiled(
        lambda sets, features: simulator.expectations(
            problem.circuit, sets, features, problem.observable
        ).mean[..., 0],
        problem,
    )


PEER = Peer("qjax (plain JAX)", ("jax", "jaxlib"), "single", "jit(expectations)", prepare, warm_up)
