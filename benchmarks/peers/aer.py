"""Qiskit Aer: one transpiled circuit with parameters, bound to all numbers in one run."""

# pyright: reportMissingImports=false
from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.flat import FlatCircuit
from benchmarks.peers.one_by_one import task_call
from benchmarks.peers.pauli_form import pauli_rotations
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem
from qjax import gates

# Controlled gates with an angle bound through `parameter_binds` give wrong values (Aer 0.18.2; they are right
# with numbers in the circuit).
_AS_ROTATIONS = ("pauli_rotation", "cp", "crx", "cry", "crz")
_SAME = {name: name for name in gates.GATES if name not in ("iswapdg", "unitary", *_AS_ROTATIONS)}
_SAME |= {"u3": "u"}


def load() -> None:
    """Imports the package and runs something unrelated."""
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    circuit = QuantumCircuit(1)
    circuit.h(0)
    circuit.measure_all()
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
        elif op.gate in _AS_ROTATIONS:
            for which, factor, qubits, letters in pauli_rotations(op) or ():
                _rotation(circuit, qubits, letters, factor * own[which])
        else:
            # The first qubit of a matrix is its least significant one there.
            circuit.unitary(np.asarray(flat_op.matrix()), list(op.qubits[::-1]))
    return circuit, parameters


def _rotation(circuit: Any, qubits: tuple[int, ...], letters: str, angle: Any) -> None:
    """A rotation about a Pauli string: basis change, parity, RZ, and back."""
    ladder = list(pairwise(qubits))
    for qubit, letter in zip(qubits, letters, strict=True):
        if letter != "Z":
            (circuit.h if letter == "X" else circuit.sx)(qubit)
    for pair in ladder:
        circuit.cx(*pair)
    circuit.rz(angle, qubits[-1])
    for pair in reversed(ladder):
        circuit.cx(*pair)
    for qubit, letter in zip(qubits, letters, strict=True):
        if letter != "Z":
            (circuit.h if letter == "X" else circuit.sxdg)(qubit)


PEER = Peer(
    "Qiskit Aer", ("qiskit", "qiskit-aer"), "single", "parameter_binds", prepare, load, ("spsa", "pshift")
)
