"""Translation: the same states as here, in Cirq and in the service's JSON form."""

from __future__ import annotations

import json

import cirq
import cirq_ionq
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.cirq_gates import cirq_operation
from hw.cirq_simulator import CirqSimulator
from hw.lowering import lower
from hw.template import basis_change, circuit_texts, translate
from hw.translate import to_cirq
from qjax import Angle, Circuit, Op, PauliSum, Simulator, gates
from qjax.errors import ArgumentError
from qjax.observables import measurement_groups
from tests import circuits
from tests.hw import reader


def numbers(circuit: Circuit, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=circuit.num_params), rng.normal(size=circuit.num_features)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Of two states or unitaries, global phase aside."""
    overlap = np.vdot(one, other)
    return float(np.abs(one * (overlap / abs(overlap)) - other).max())


def from_ionq(values: np.ndarray) -> np.ndarray:
    """Values by IonQ's numbers of states, by this project's: the order of the bits turned around."""
    num_qubits = values.size.bit_length() - 1
    return values.reshape([2] * num_qubits).transpose().ravel()


@pytest.mark.parametrize("name", sorted(gates.GATES))
def test_every_gate_keeps_its_unitary_up_to_a_phase(name: str) -> None:
    rng = np.random.default_rng(7)
    order = cirq.LineQubit.range(4)
    for _ in range(3):
        circuit = Circuit(4, (circuits.random_op(rng, 4, 3, 2, name),), 3, 2)
        params, features = numbers(circuit)
        ours = to_cirq(circuit, params, features)
        theirs = circuits.to_cirq(circuit, params, features)
        unitaries = [each.unitary(order, order) for each in (ours, theirs)]
        assert distance(*unitaries) < 1e-6


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_special_unitaries(size: int) -> None:
    rng = np.random.default_rng(size)
    dimension = 2**size
    block = np.eye(dimension, dtype=complex)
    block[dimension // 2 :, dimension // 2 :] = circuits.random_unitary(rng, dimension // 2)
    product = np.ones((1, 1))
    for _ in range(size):
        product = np.kron(product, circuits.random_unitary(rng, 2))
    almost = circuits.random_unitary(rng, dimension) * (1 + 3e-7)
    order = cirq.LineQubit.range(size)
    for matrix in (
        np.eye(dimension),
        -1j * np.eye(dimension),
        np.eye(dimension)[rng.permutation(dimension)],
        np.diag(np.exp(1j * rng.normal(size=dimension))),
        *(block, product, almost, np.linalg.matrix_power(block, 2)),
    ):
        built = to_cirq(Circuit(size, (Op("unitary", range(size), matrix=matrix),)))
        assert distance(built.unitary(order, order), matrix) < 1e-5


@settings(max_examples=15, deadline=None)
@given(circuits.circuits(max_qubits=4, max_ops=8), st.integers(0, 1000))
def test_random_circuits_give_one_distribution_here_in_cirq_and_in_the_service(
    circuit: Circuit, seed: int
) -> None:
    params, features = numbers(circuit, seed)
    with jax.enable_x64(True):
        state = Simulator(dtype="complex128").statevector(circuit, params[None], features[None])[0, 0]
    ours = np.abs(np.asarray(state)) ** 2
    order = cirq.LineQubit.range(circuit.num_qubits)
    built = to_cirq(circuit, params, features)
    in_cirq = cirq.Simulator(dtype=np.complex128).simulate(built, qubit_order=order).final_state_vector
    assert distance(in_cirq, np.asarray(state)) < 1e-5
    template = translate(circuit)
    (text,) = circuit_texts(template.texts(template.angles(params[None], features[None])[0]), ())
    in_service = reader.probabilities(json.loads(text)["circuit"], circuit.num_qubits)
    np.testing.assert_allclose(from_ionq(in_service), ours, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(circuits.circuits(max_qubits=3, max_ops=6), st.integers(0, 1000))
def test_every_basis_reads_the_observables(circuit: Circuit, seed: int) -> None:
    rng = np.random.default_rng(seed)
    params, features = rng.normal(size=(2, circuit.num_params)), rng.normal(size=(2, circuit.num_features))
    observables = [random_observable(rng, circuit.num_qubits) for _ in range(3)]
    with jax.enable_x64(True):
        ours = CirqSimulator().expectations(circuit, params, features, observables, covariance=True)
        for s, b in np.ndindex(2, 2):
            state = circuits.cirq_state(circuit, params[s], features[b])
            exact = [np.vdot(state, dense(each, circuit.num_qubits) @ state).real for each in observables]
            np.testing.assert_allclose(ours.mean[s, b], exact, atol=1e-6)
        assert not ours.variance.any()
        assert int(ours.circuits) == 4 * len(measurement_groups(observables))


def dense(observable: PauliSum, num_qubits: int) -> np.ndarray:
    total = np.zeros((2**num_qubits, 2**num_qubits), complex)
    for string, coefficient in observable.terms:
        letters = dict(string)
        pauli = "".join(letters.get(qubit, "I") for qubit in range(num_qubits))
        total += coefficient * gates.pauli_string_matrix(pauli)
    return total


def random_observable(rng: np.random.Generator, num_qubits: int) -> PauliSum:
    terms = {"I": float(rng.normal())}
    for _ in range(3):
        letters = rng.choice(list("IXYZ"), num_qubits)
        terms[" ".join(f"{p}{q}" for q, p in enumerate(letters) if p != "I")] = float(rng.normal())
    return PauliSum(terms)


@settings(max_examples=25, deadline=None)
@given(circuits.circuits(max_qubits=4, max_ops=8), st.integers(0, 1000))
def test_the_json_form_is_that_of_the_stock_serializer(circuit: Circuit, seed: int) -> None:
    params, features = numbers(circuit, seed)
    template = translate(circuit)
    (group,) = measurement_groups([PauliSum("Y0")])
    angles = template.angles(params[None], features[None])[0]
    (text,) = circuit_texts(template.texts(angles), basis_change(group))
    values = iter(angles[0].tolist())
    operations = [
        cirq_operation(g, next(values) if g.angle else 0.0) for g in (*template.gates, *basis_change(group))
    ]
    # One operation in a moment, so that Cirq keeps the order.
    built = cirq.Circuit(cirq.Moment(operation) for operation in operations)
    stock = cirq_ionq.Serializer().serialize_single_circuit(built).input["circuit"]
    ours = json.loads(text)["circuit"]
    assert len(ours) == len(stock)
    for mine, theirs in zip(ours, stock, strict=True):
        where = ("targets", "control", "target")
        assert [mine.get(each) for each in where] == [theirs.get(each) for each in where]
        if mine["gate"] == theirs["gate"]:
            assert mine.get("rotation", 0.0) == pytest.approx(theirs.get("rotation", 0.0), abs=1e-12)
        else:  # It writes rotations by special angles as gates of their own.
            assert distance(reader.matrix(mine, "qis"), reader.matrix(theirs, "qis")) < 1e-7


ASYMMETRIC = [
    # Written by hand from the service's documentation: gates, the state that comes out in its numbers, and
    # the same as a bit string with qubit 0 first.
    (Op("x", (0,)), [{"gate": "x", "targets": [0]}], "1", "100"),
    (Op("x", (2,)), [{"gate": "x", "targets": [2]}], "4", "001"),
    (Op("y", (1,)), [{"gate": "y", "targets": [1]}], "2", "010"),
]


@pytest.mark.parametrize(("op", "gates_of_service", "number", "bits"), ASYMMETRIC)
def test_recorded_examples_that_no_mirror_leaves_alone(
    op: Op, gates_of_service: list[dict], number: str, bits: str
) -> None:
    from hw.results import read_distribution

    circuit = Circuit(3, (op,))
    (text,) = circuit_texts(translate(circuit).texts(np.zeros((1, 0))), ())
    assert json.loads(text) == {"circuit": gates_of_service}
    states = read_distribution({number: 1.0}, 3).states
    assert [format(state, "03b") for state in states] == [bits]
    (state,) = np.flatnonzero(np.round(reader.probabilities(gates_of_service, 3)))
    assert str(state) == number


def test_controlled_not_has_its_control_first() -> None:
    template = translate(Circuit(3, (Op("x", (2,)), Op("cx", (2, 0)))))
    (text,) = circuit_texts(template.texts(np.zeros((1, 0))), ())
    assert text == '{"circuit":[{"gate":"x","targets":[2]},{"gate":"cnot","control":2,"target":0}]}'


def test_a_circuit_without_gates_has_one_that_changes_nothing() -> None:
    (text,) = circuit_texts(translate(Circuit(2)).texts(np.zeros((1, 0))), ())
    assert reader.probabilities(json.loads(text)["circuit"], 2).tolist() == [1, 0, 0, 0]


def test_structure_is_translated_once() -> None:
    circuit = Circuit(2, (Op("ry", (0,), Angle(param=0)), Op("unitary", (0, 1), matrix=np.eye(4))))
    assert translate(circuit) is translate(Circuit.from_json(circuit.to_json()))


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_angles_that_are_no_numbers_are_refused(bad: float) -> None:
    circuit = Circuit(1, (Op("ry", (0,), Angle(param=0)),))
    with pytest.raises(ArgumentError, match=r"Argument `params` must give finite angles, but"):
        translate(circuit).angles(np.array([[bad]]), np.zeros((1, 0)))


def test_two_qubit_gates_are_few() -> None:
    counts = {
        name: sum(
            len(g.qubits) == 2
            for g in lower(Circuit(3, (circuits.random_op(np.random.default_rng(0), 3, 0, 0, name),)))
        )
        for name in ("cz", "cy", "ch", "cp", "crx", "cry", "crz", "iswap", "rxx", "ccx", "cswap")
    }
    assert counts == {"iswap": 2, "ccx": 6, "cswap": 8} | dict.fromkeys(
        ("cz", "cy", "ch", "cp", "crx", "cry", "crz", "rxx"), 1
    )
