"""This project's compiled engine."""

from __future__ import annotations

from benchmarks.peers.in_jax import compiled, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem
from qjax import Simulator


def prepare(problem: Problem, cores: int) -> Call:
    """One call of `expectations`; the engine takes the cores that the process may run on."""
    del cores
    simulator = Simulator(engine="native")
    return compiled(
        lambda sets, features: simulator.expectations(
            problem.circuit, sets, features, problem.observable
        ).mean[..., 0],
        problem,
    )


PEER = Peer("qjax (native)", ("jax", "jaxlib"), "single", "jit(expectations)", prepare, warm_up)
