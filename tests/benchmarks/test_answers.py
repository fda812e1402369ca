"""Every installed peer gives Cirq's answers, and the forms that peers take circuits in are right."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.answers import TOLERANCE, deviation
from benchmarks.cell import TASKS, Cell, model
from benchmarks.flat import flatten
from benchmarks.peers import PEERS, SUBJECT, Peer, load
from benchmarks.peers.pauli_form import pauli_rotations
from benchmarks.problem import Problem, make_problem
from qjax import Angle, Circuit, Op, gates
from qjax.engine import native
from tests.circuits import cirq_state, random_circuit, random_unitary


def installed(name: str) -> Peer:
    peer = load(name)
    if peer.versions is None or (name == SUBJECT and native.isa() is None):
        pytest.skip(f"{peer.title} is not installed")
    peer.load()
    return peer


def right_values(problem: Problem, sets: np.ndarray) -> np.ndarray:
    signs = 1 - 2 * (np.arange(2**problem.num_qubits) & 1)
    return np.array(
        [
            [abs(cirq_state(problem.circuit, params, row)) ** 2 @ signs for row in problem.features]
            for params in sets
        ]
    )


def right_answer(problem: Problem) -> np.ndarray:
    """By Cirq, circuit by circuit; the gradient by the parameter-shift rule."""
    values = right_values(problem, problem.sets)
    if problem.cell.task != "grad":
        return problem.answer(values)
    shifted = right_values(problem, make_problem(replace(problem.cell, task="pshift")).sets)
    return problem.gradient(values[0], (shifted[0::2] - shifted[1::2]).T / 2)


def off_by(problem: Problem, peer: Peer) -> float:
    answer = np.ravel(peer.prepare(problem, 1)()).tolist()
    return deviation(answer, np.ravel(right_answer(problem)).tolist())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PEERS)
def test_a_peer_gives_the_right_answers(name, task):
    peer = installed(name)
    if task not in peer.tasks:
        pytest.skip(f"{peer.title} has no way for it")
    assert off_by(make_problem(model(2, 2, 2, task)), peer) < TOLERANCE


def every_gate_once() -> Problem:
    """All gates of the table on four qubits, each between rotations that make every part of it count."""
    rng = np.random.default_rng(0)
    ops, num_params = [Op("ry", (qubit,), Angle(feature=qubit)) for qubit in range(4)], 0
    for name, row in gates.GATES.items():
        size = row.num_qubits or 2
        qubits = tuple(int(qubit) for qubit in rng.permutation(4)[:size])
        angles = tuple(Angle(param=num_params + index) for index in range(row.num_angles))
        num_params += row.num_angles
        pauli = "XY" if name == gates.PAULI_ROTATION else None
        matrix = random_unitary(rng, 2**size) if name == gates.UNITARY else None
        ops.append(Op(name, qubits, angles, pauli=pauli, matrix=matrix))
        ops += [Op("ry", (qubit,), float(rng.normal())) for qubit in qubits]
    circuit = Circuit(4, ops)
    return Problem(
        Cell("random", 4, len(ops), 2, "spsa"),
        circuit,
        rng.normal(size=circuit.num_params),
        np.ones(circuit.num_params),
        rng.normal(size=(2, 4)),
        np.array([1.0, -1.0]),
    )


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_knows_the_whole_gate_table(name):
    assert off_by(every_gate_once(), installed(name)) < TOLERANCE


@pytest.mark.parametrize("num_qubits", [10, 14, 18])
def test_random_circuits_use_every_gate(num_qubits):
    circuit = make_problem(Cell("random", num_qubits, 200, 16, "spsa")).circuit
    assert {op.gate for op in circuit.unrolled()} == set(gates.GATES)


def applied(state: np.ndarray, qubits: tuple[int, ...], matrix: np.ndarray) -> np.ndarray:
    tensor = np.moveaxis(state.reshape((2,) * (state.size.bit_length() - 1)), qubits, range(len(qubits)))
    moved = (matrix @ tensor.reshape(len(matrix), -1)).reshape(tensor.shape)
    return np.moveaxis(moved, range(len(qubits)), qubits).ravel()


@pytest.mark.parametrize("seed", range(5))
def test_a_flat_circuit_does_what_its_circuit_does(seed):
    circuit = random_circuit(seed, 3, 12)
    flat, rng = flatten(circuit), np.random.default_rng(seed)
    params, features = rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_features)
    angles, state = flat.angles(params, features), np.eye(8, dtype=complex)[0]
    for flat_op in flat.ops:
        state = applied(state, flat_op.op.qubits, np.asarray(flat_op.matrix(flat_op.own(angles))))
    assert abs(np.vdot(state, cirq_state(circuit, params, features))) == pytest.approx(1, abs=1e-5)


def test_slopes_by_parameters_follow_from_slopes_by_angles():
    circuit, rng = random_circuit(3, 3, 12), np.random.default_rng(0)
    flat = flatten(circuit)
    params, features = rng.normal(size=circuit.num_params), rng.normal(size=(2, circuit.num_features))
    by_angle, step = rng.normal(size=(2, flat.num_angles)), rng.normal(size=circuit.num_params)
    moved = flat.angles(params + step, features) - flat.angles(params, features)
    np.testing.assert_allclose(flat.slopes(features, by_angle) @ step, (by_angle * moved).sum(axis=1))


@pytest.mark.parametrize("name", [name for name, row in gates.GATES.items() if row.num_angles])
def test_gates_with_angles_are_pauli_rotations_up_to_a_phase(name):
    rng, row = np.random.default_rng(0), gates.GATES[name]
    size = row.num_qubits or 3
    own = rng.normal(size=row.num_angles).tolist()
    op = Op(name, tuple(range(size)), own, pauli="XYZ" if name == gates.PAULI_ROTATION else None)
    state = whole = random_unitary(rng, 2**size)[0]
    for which, factor, qubits, letters in pauli_rotations(op) or ():
        half, pauli = factor * own[which] / 2, gates.pauli_string_matrix(letters)
        state = applied(state, qubits, np.cos(half) * np.eye(len(pauli)) - 1j * np.sin(half) * pauli)
    (flat_op,) = flatten(Circuit(size, (op,))).ops
    whole = applied(whole, op.qubits, np.asarray(flat_op.matrix(own)))
    assert abs(np.vdot(state, whole)) == pytest.approx(1, abs=1e-5)
