"""Qiskit Aer: one transpiled circuit with parameters, bound to all numbers in one run."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.flat import FlatCircuit
from benchmarks.peers.one_by_one import task_call
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem
from qjax import gates

_SAME = {name: name for name in gates.GATES if name not in ("u3", "iswapdg", "unitary", "pauli_rotation")}
_SAME |= {"u3": "u"}


def load() -> None:
    """Imports the package and runs something unrelated."""
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.save_statevector()
    AerSimulator().run(circuit).result()


def prepare(problem: Problem, cores: int) -> Call:
    """A run of all parameter sets and samples, exact, in single precision, on all cores."""
    from qiskit import transpile
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer import AerSimulator

    flat = problem.flat
    simulator = AerSimulator(
        method="statevector",
        precision="single",
        max_parallel_threads=cores,
        max_parallel_experiments=0,  # as many as the threads allow
    )
    circuit, parameters = _build(flat)
    circuit.save_expectation_value(SparsePauliOp("Z"), [flat.num_qubits - 1])
    circuit = transpile(circuit, simulator, optimization_level=0)

    def values(angles: np.ndarray) -> np.ndarray:
        columns = angles.T.tolist()
        binds = {parameter: columns[slot] for slot, parameter in parameters.items()}
        result = simulator.run(circuit, parameter_binds=[binds], shots=1).result()
        return np.array([result.data(index)["expectation_value"] for index in range(len(angles))])

    return task_call(problem, values)


def _build(flat: FlatCircuit) -> tuple[Any, dict[Any, int]]:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(flat.num_qubits)
    parameters = {slot: Parameter(f"a{slot}") for slot in range(flat.num_angles)}
    for flat_op in flat.ops:
        op = flat_op.op
        own = flat_op.own(parameters)
        if op.gate in _SAME:
            getattr(circuit, _SAME[op.gate])(*own, *op.qubits)
        elif op.gate == gates.PAULI_ROTATION:
            _pauli_rotation(circuit, op, own[0])
        else:
            # The first qubit of a matrix is its least significant one there.
            circuit.unitary(np.asarray(flat_op.matrix()), list(op.qubits[::-1]))
    return circuit, parameters


def _pauli_rotation(circuit: Any, op: Any, angle: Any) -> None:
    """A rotation about a Pauli string: basis change, parity, RZ, and back."""
    for qubit, letter in zip(op.qubits, op.pauli, strict=True):
        if letter == "X":
            circuit.h(qubit)
        elif letter == "Y":
            circuit.sx(qubit)
    ladder = list(zip(op.qubits[:-1], op.qubits[1:], strict=True))
    for pair in ladder:
        circuit.cx(*pair)
    circuit.rz(angle, op.qubits[-1])
    for pair in reversed(ladder):
        circuit.cx(*pair)
    for qubit, letter in zip(op.qubits, op.pauli, strict=True):
        if letter == "X":
            circuit.h(qubit)
        elif letter == "Y":
            circuit.sxdg(qubit)


PEER = Peer(
    "Qiskit Aer", ("qiskit", "qiskit-aer"), "single", "parameter_binds", prepare, load, ("spsa", "pshift")
)
