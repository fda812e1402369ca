"""TensorCircuit-NG: jit and vmap over its tensor networks."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

from benchmarks.flat import FlatOp
from benchmarks.peers.in_jax import compiled, mapped, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem

_PLAIN = {
    **{name: name for name in ("h", "x", "y", "z", "s", "t", "swap", "cx", "cy", "cz", "ccx", "cswap")},
    "sdg": "sd",
    "tdg": "td",
}
_ANGLED = {
    **{name: name for name in ("rx", "ry", "rz", "crx", "cry", "crz", "rxx", "ryy", "rzz")},
    "p": "phase",
    "cp": "cphase",
}


def load() -> None:
    """Imports the package, with its JAX backend."""
    import tensorcircuit

    tensorcircuit.set_backend("jax")
    tensorcircuit.set_dtype("complex64")
    warm_up()


def prepare(problem: Problem, cores: int) -> Call:
    """The value of one circuit, mapped over samples and parameter sets, and compiled."""
    del cores
    import tensorcircuit

    flat = problem.flat

    def expectation(params: Any, features: Any) -> Any:
        angles = flat.traced_angles(params, features)
        circuit = tensorcircuit.Circuit(flat.num_qubits)
        for op in flat.ops:
            _apply(circuit, op, angles)
        return tensorcircuit.backend.real(circuit.expectation_ps(z=[flat.num_qubits - 1]))

    return compiled(mapped(expectation), problem)


def _apply(circuit: Any, flat_op: FlatOp, angles: Any) -> None:
    name, qubits = flat_op.op.gate, flat_op.op.qubits
    if name in _PLAIN:
        getattr(circuit, _PLAIN[name])(*qubits)
    elif name in _ANGLED:
        getattr(circuit, _ANGLED[name])(*qubits, theta=angles[flat_op.first_angle])
    else:
        circuit.any(*qubits, unitary=flat_op.matrix(flat_op.own(angles)).astype("complex64"))


PEER = Peer(
    "TensorCircuit-NG", ("tensorcircuit-ng",), "single", "jit(vmap(vmap)), value_and_grad", prepare, load
)
