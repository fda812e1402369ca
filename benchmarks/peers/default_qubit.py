"""PennyLane's default.qubit: a QNode under jit and vmap, differentiated by JAX."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.in_jax import compiled, mapped, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.peers.pennylane_gates import operation
from benchmarks.problem import Problem


def load() -> None:
    """Imports the package."""
    import pennylane  # noqa: F401

    warm_up()


def prepare(problem: Problem, cores: int) -> Call:
    """The value of one circuit, mapped over samples and parameter sets, and compiled."""
    del cores
    import pennylane as qml

    flat = problem.flat

    @qml.qnode(qml.device("default.qubit", wires=flat.num_qubits), interface="jax", diff_method="backprop")
    def expectation(params: Any, features: Any) -> Any:
        angles = flat.traced_angles(params, features)
        for op in flat.ops:
            operation(op, op.own(angles))
        return qml.expval(qml.PauliZ(flat.num_qubits - 1))

    return compiled(mapped(expectation), problem)


PEER = Peer(
    "PennyLane default.qubit", ("pennylane",), "single", "jit(vmap(vmap)), value_and_grad", prepare, load
)
