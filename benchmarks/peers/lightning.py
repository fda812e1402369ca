"""PennyLane Lightning: compiled gates on one state at a time, adjoint differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.one_by_one import task_call
from benchmarks.peers.peer import Call, Peer
from benchmarks.peers.pennylane_gates import operation
from benchmarks.problem import Problem


def load() -> None:
    """Imports the package and runs something unrelated."""
    import pennylane as qml
    from pennylane.tape import QuantumScript

    tape = QuantumScript([qml.RX(0.1, wires=0)], [qml.expval(qml.PauliZ(0))])
    qml.device("lightning.qubit", wires=1, c_dtype=np.complex64).execute([tape])


def prepare(problem: Problem, cores: int) -> Call:
    """Tapes given to the device without a QNode around them, which would cost more."""
    del cores
    import pennylane as qml
    from pennylane.devices import ExecutionConfig
    from pennylane.tape import QuantumScript

    flat = problem.flat
    device = qml.device("lightning.qubit", wires=flat.num_qubits, c_dtype=np.complex64)
    measured = [qml.expval(qml.PauliZ(flat.num_qubits - 1))]
    adjoint = ExecutionConfig(gradient_method="adjoint")
    transforms = device.preprocess_transforms(adjoint)
    trainable = [slot for slot in range(flat.num_angles) if flat.param[slot] < flat.num_params]

    def tapes(angles: np.ndarray) -> tuple[Any, Any]:
        scripts = [
            QuantumScript([operation(op, op.own(row)) for op in flat.ops], measured)
            for row in angles.tolist()
        ]
        if problem.cell.task == "grad":
            for script in scripts:
                script.trainable_params = trainable
        return transforms(scripts)

    def values(angles: np.ndarray) -> np.ndarray:
        scripts, finish = tapes(angles)
        return np.ravel(finish(device.execute(scripts)))

    def slopes(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scripts, finish = tapes(angles)
        results, derivatives = device.execute_and_compute_derivatives(scripts, adjoint)
        by_angle = np.zeros(angles.shape)
        by_angle[:, trainable] = np.array(derivatives).reshape(len(angles), len(trainable))
        return np.ravel(finish(results)), by_angle

    return task_call(problem, values, slopes)


PEER = Peer(
    "PennyLane Lightning",
    ("pennylane", "pennylane-lightning"),
    "single",
    "one by one, adjoint",
    prepare,
    load,
)
