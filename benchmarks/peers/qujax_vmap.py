"""qujax: pure JAX functions of circuits; jit and vmap."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from benchmarks.flat import FlatOp
from benchmarks.peers.in_jax import compiled, mapped, warm_up
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem

_NAMES = {name: name.upper() for name in ("h", "x", "y", "z", "s", "t", "cx", "cy", "cz", "ch", "swap")}
_NAMES |= {"ccx": "CCX", "cswap": "CSWAP", "rx": "Rx", "ry": "Ry", "rz": "Rz"}
_NAMES |= {"crx": "CRx", "cry": "CRy", "crz": "CRz", "sdg": "Sdg", "tdg": "Tdg", "sx": "SX"}


def load() -> None:
    """Imports the package."""
    import qujax  # noqa: F401

    warm_up()


def prepare(problem: Problem, cores: int) -> Call:
    """The value of one circuit, mapped over samples and parameter sets, and compiled."""
    del cores
    import qujax

    flat = problem.flat
    gates, slots = [], []
    for op in flat.ops:
        name = _NAMES.get(op.op.gate)
        if name is not None and hasattr(qujax.gates, name):
            gates.append(name)
        elif op.slots:
            gates.append(_function(op))
        else:
            matrix = jnp.asarray(op.matrix(), "complex64")
            gates.append(matrix.reshape((2,) * (2 * len(op.op.qubits))))
        slots.append(list(op.slots))
    qubits = [list(op.op.qubits) for op in flat.ops]
    to_state = qujax.get_params_to_statetensor_func(gates, qubits, slots, flat.num_qubits)
    to_value = qujax.get_statetensor_to_expectation_func([["Z"]], [[flat.num_qubits - 1]], [1.0])

    def expectation(params: Any, features: Any) -> Any:
        # qujax counts angles in units of pi.
        return to_value(to_state(flat.traced_angles(params, features) / jnp.pi))

    return compiled(mapped(expectation), problem)


def _function(op: FlatOp) -> Any:
    def tensor(*own: Any) -> Any:
        matrix = op.matrix([angle * jnp.pi for angle in own]).astype("complex64")
        return matrix.reshape((2,) * (2 * len(op.op.qubits)))

    # qujax counts a function's arguments by their names.
    return tensor if len(op.slots) == 1 else lambda theta, phi, lam: tensor(theta, phi, lam)


PEER = Peer("qujax", ("qujax",), "single", "jit(vmap(vmap)), value_and_grad", prepare, load)
