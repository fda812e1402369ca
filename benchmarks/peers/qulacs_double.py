"""qulacs: compiled gates on one state at a time, in double precision; gradients by its backprop."""

# pyright: reportMissingImports=false
from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.flat import FlatCircuit
from benchmarks.peers.one_by_one import task_call
from benchmarks.peers.pauli_form import pauli_rotations
from benchmarks.peers.peer import Call, Peer
from benchmarks.problem import Problem

_PLAIN = {"h": "H", "x": "X", "y": "Y", "z": "Z", "s": "S", "t": "T", "sdg": "Sdag", "tdg": "Tdag"}
_PLAIN |= {"sx": "sqrtX", "sxdg": "sqrtXdag", "cx": "CNOT", "cz": "CZ", "swap": "SWAP"}
_LETTERS = {"X": 1, "Y": 2, "Z": 3}


def load() -> None:
    """Imports the package."""
    import qulacs  # noqa: F401


def prepare(problem: Problem, cores: int) -> Call:
    """One parametric circuit, whose angles are set before every run."""
    del cores
    import qulacs

    flat = problem.flat
    circuit, slots, factors = _build(flat)
    observable = qulacs.Observable(flat.num_qubits)
    observable.add_operator(1.0, f"Z {flat.num_qubits - 1}")
    state = qulacs.QuantumState(flat.num_qubits)
    # d angle / d parameter, gathered over the parameters that share an angle.
    gather = np.zeros((len(slots), flat.num_angles))
    gather[np.arange(len(slots)), slots] = factors

    def set_angles(row: np.ndarray) -> None:
        for index, value in enumerate((row[slots] * factors).tolist()):
            circuit.set_parameter(index, value)

    def value(row: np.ndarray) -> float:
        set_angles(row)
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return observable.get_expectation_value(state)

    def values(angles: np.ndarray) -> np.ndarray:
        return np.array([value(row) for row in angles])

    def slopes(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        derivatives, results = [], []
        for row in angles:
            results.append(value(row))
            derivatives.append(circuit.backprop(observable))
        return np.array(results), np.array(derivatives) @ gather

    return task_call(problem, values, slopes)


def _build(flat: FlatCircuit) -> tuple[Any, np.ndarray, np.ndarray]:
    """The circuit, and for each of its parameters the angle and the factor that make it."""
    import qulacs

    circuit = qulacs.ParametricQuantumCircuit(flat.num_qubits)
    slots, factors = [], []
    for flat_op in flat.ops:
        op = flat_op.op
        rotations = pauli_rotations(op)
        if rotations is not None:
            for which, factor, qubits, letters in rotations:
                if len(qubits) == 1:
                    getattr(circuit, f"add_parametric_R{letters}_gate")(qubits[0], 0.0)
                else:
                    circuit.add_parametric_multi_Pauli_rotation_gate(
                        list(qubits), [_LETTERS[letter] for letter in letters], 0.0
                    )
                slots.append(flat_op.first_angle + which)
                factors.append(-factor)  # its rotations are exp(+i theta P / 2)
        elif op.gate in _PLAIN:
            getattr(circuit, f"add_{_PLAIN[op.gate]}_gate")(*op.qubits)
        elif op.gate in ("ccx", "cswap"):
            name = "TOFFOLI" if op.gate == "ccx" else "FREDKIN"
            circuit.add_gate(getattr(qulacs.gate, name)(*op.qubits))
        else:
            # The first qubit of a matrix is its least significant one there.
            circuit.add_dense_matrix_gate(list(op.qubits[::-1]), np.asarray(flat_op.matrix()))
    return circuit, np.array(slots), np.array(factors)


PEER = Peer("qulacs", ("qulacs",), "double", "one by one, backprop", prepare, load)
