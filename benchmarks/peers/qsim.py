"""qsim, through Cirq: one circuit at a time, fused gates, several threads."""

# pyright: reportMissingImports=false
from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.flat import FlatOp
from benchmarks.peers.one_by_one import task_call
from benchmarks.peers.pauli_form import pauli_rotations
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem


def load() -> None:
    """Imports the package and runs something unrelated."""
    import cirq
    import qsimcirq

    qsimcirq.QSimSimulator().simulate(cirq.Circuit(cirq.X(cirq.LineQubit(0))))


def prepare(problem: Problem, cores: int) -> Call:
    """Circuits with numbers, made and run one after another: cheaper than resolving Cirq's symbols."""
    import cirq
    import qsimcirq

    flat = problem.flat
    options = qsimcirq.QSimOptions(cpu_threads=cores, max_fused_gate_size=4)
    simulator = qsimcirq.QSimSimulator(options)
    qubits = cirq.LineQubit.range(flat.num_qubits)
    observable = cirq.Z(qubits[-1])
    plain = _plain_gates()

    def value(row: list[float]) -> float:
        circuit = cirq.Circuit()
        for op in flat.ops:
            circuit.append(_operations(cirq, plain, op, op.own(row), qubits))
        results = simulator.simulate_expectation_values(circuit, observable, qubit_order=qubits)
        return float(np.real(results[0]))

    return task_call(problem, lambda angles: np.array([value(row) for row in angles.tolist()]))


def _plain_gates() -> dict[str, Any]:
    import cirq

    table = {"h": cirq.H, "x": cirq.X, "y": cirq.Y, "z": cirq.Z, "s": cirq.S, "t": cirq.T}
    table |= {"sdg": cirq.S**-1, "tdg": cirq.T**-1, "sx": cirq.X**0.5, "sxdg": cirq.X**-0.5}
    table |= {"cx": cirq.CNOT, "cz": cirq.CZ, "swap": cirq.SWAP, "iswap": cirq.ISWAP}
    return table | {"ccx": cirq.CCX, "cswap": cirq.CSWAP}


def _operations(cirq: Any, plain: dict[str, Any], flat_op: FlatOp, own: list[float], line: Any) -> list[Any]:
    op = flat_op.op
    if op.gate in plain:
        return [plain[op.gate](*(line[qubit] for qubit in op.qubits))]
    if op.gate in ("rx", "ry", "rz"):
        return [getattr(cirq, op.gate)(own[0])(line[op.qubits[0]])]
    rotations = pauli_rotations(op)
    if rotations is None:
        return [cirq.MatrixGate(np.asarray(flat_op.matrix()))(*(line[qubit] for qubit in op.qubits))]
    return [
        step
        for which, factor, qubits, letters in rotations
        for step in _rotation(cirq, [line[qubit] for qubit in qubits], letters, factor * own[which])
    ]


def _rotation(cirq: Any, qubits: list[Any], letters: str, angle: float) -> list[Any]:
    """A rotation about a Pauli string: basis change, parity, RZ, and back."""
    changes = {"X": cirq.H, "Y": cirq.X**0.5}
    before = [changes[letter](qubit) for qubit, letter in zip(qubits, letters, strict=True) if letter != "Z"]
    ladder = [cirq.CNOT(*pair) for pair in pairwise(qubits)]
    after = [*reversed(ladder), *(cirq.inverse(gate) for gate in before)]
    return [*before, *ladder, cirq.rz(angle)(qubits[-1]), *after]


PEER = Peer("qsim", ("qsimcirq", "cirq-core"), "single", "one by one", prepare, load, ("spsa", "pshift"))
