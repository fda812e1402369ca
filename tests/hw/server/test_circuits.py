"""What gates do: the server against an independent reader, and against examples worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from hw.server import simulate
from hw.server.circuits import ReadCircuit, read_circuit
from hw.server.errors import ApiError
from tests.hw.server import reader
from tests.hw.server.circuits import NUM_QUBITS, random_circuits


def answered(circuits: list[ReadCircuit]) -> list[np.ndarray]:
    """Probabilities as an array by the number of the state."""
    found = np.zeros((len(circuits), 2**NUM_QUBITS))
    for row, answer in zip(found, simulate.answer(circuits, "ideal", None, 0), strict=True):
        for state, probability in orjson.loads(answer.probabilities).items():
            row[int(state)] = probability
    return list(found)


def check_random_circuit(circuit) -> None:
    gateset, gates = circuit
    (found,) = answered([read_circuit(gates, gateset)])
    np.testing.assert_allclose(found, reader.probabilities(gates, NUM_QUBITS, gateset), atol=1e-10)


quick = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(random_circuits())
def test_random_circuits_give_what_an_independent_reader_finds(circuit):
    check_random_circuit(circuit)


@pytest.mark.long
@settings(quick, max_examples=1000)
@given(random_circuits())
def test_many_random_circuits_give_what_an_independent_reader_finds(circuit):
    check_random_circuit(circuit)


# Different on every qubit and for every order of letters, targets and bits.
HALF, THIRD = math.pi / 2, 2 * math.acos(math.sqrt(0.75))


def exponential(targets: list[int], term: str, coefficient: float) -> dict[str, Any]:
    return {
        "gate": "pauliexp",
        "targets": targets,
        "terms": [term],
        "coefficients": [coefficient],
        "time": HALF,
    }


X2 = {"gate": "x", "targets": [2]}
RIGHT_ANGLE = {"gate": "gpi2", "target": 1, "phase": 0.0}
ENTANGLING = {"gate": "ms", "targets": [0, 2], "phases": [0.0, 0.0]}
EXAMPLES = [
    ("qis", [{"gate": "x", "target": 0}], {1: 1.0}),
    ("qis", [X2], {4: 1.0}),
    ("qis", [{"gate": "ry", "target": 1, "rotation": THIRD}], {0: 0.75, 2: 0.25}),
    ("qis", [X2, {"gate": "cnot", "control": 2, "target": 0}], {5: 1.0}),
    ("qis", [X2, {"gate": "cnot", "control": 0, "target": 2}], {4: 1.0}),
    ("qis", [X2, {"gate": "x", "targets": [3], "controls": [2]}], {12: 1.0}),
    ("qis", [X2, {"gate": "swap", "targets": [2, 3]}], {8: 1.0}),
    ("qis", [{"gate": "v", "target": 0}, {"gate": "v", "target": 0}], {1: 1.0}),
    # The phase gate: between Hadamards it is a rotation about x.
    (
        "qis",
        [
            {"gate": "h", "target": 0},
            {"gate": "z", "target": 0, "rotation": THIRD},
            {"gate": "h", "target": 0},
        ],
        {0: 0.75, 1: 0.25},
    ),
    # The last letter of a term belongs to the first target.
    ("qis", [exponential([3, 1], "ZX", 1.0)], {8: 1.0}),
    ("qis", [exponential([0, 1, 2], "IXZ", -1.0)], {2: 1.0}),
    ("native", [{"gate": "gpi", "target": 1, "phase": 0.3}], {2: 1.0}),
    ("native", [RIGHT_ANGLE, RIGHT_ANGLE], {2: 1.0}),
    ("native", [ENTANGLING | {"angle": 0.5}], {5: 1.0}),
    ("native", [ENTANGLING, ENTANGLING], {5: 1.0}),
    # Half a turn of one ion's phase undoes what the first gate did.
    ("native", [ENTANGLING, ENTANGLING | {"phases": [0.5, 0.0]}], {0: 1.0}),
    # What one client calls the phase of zz is what the service calls its angle.
    (
        "native",
        [RIGHT_ANGLE, {"gate": "zz", "targets": [1, 2], "phase": 0.5}, RIGHT_ANGLE],
        {0: 1.0},
    ),
]


@pytest.mark.parametrize(("gateset", "gates", "expected"), EXAMPLES)
def test_examples_worked_out_by_hand(gateset, gates, expected):
    (found,) = answered([read_circuit(gates, gateset)])
    assert {state: found[state] for state in np.flatnonzero(found > 1e-9)} == pytest.approx(expected)


@pytest.mark.parametrize("controls", [3, 7])
def test_many_controls_act_where_all_are_one_and_nowhere_else(controls):
    ones = [{"gate": "x", "target": qubit} for qubit in range(controls)]
    turn = {"gate": "ry", "target": controls, "controls": list(range(controls)), "rotation": THIRD}
    for start, expected in ((ones, {2**controls - 1: 0.75, 2 ** (controls + 1) - 1: 0.25}), (ones[1:], None)):
        circuit = read_circuit([*start, turn], "qis")
        (answer,) = simulate.answer([circuit], "ideal", None, 0)
        found = {int(state): p for state, p in orjson.loads(answer.probabilities).items() if p > 1e-9}
        assert found == pytest.approx(expected or {2**controls - 2: 1.0})


def test_circuits_of_one_structure_are_simulated_together_and_stay_in_order():
    angles = np.linspace(0, 3, 7).tolist()
    gates = [[{"gate": "ry", "target": k % 2, "rotation": angle}] for k, angle in enumerate(angles)]
    circuits = [read_circuit(circuit, "qis") for circuit in gates]
    assert len({circuit.structure for circuit in circuits}) == 2
    for circuit, found in zip(gates, answered(circuits), strict=True):
        np.testing.assert_allclose(found, reader.probabilities(circuit, NUM_QUBITS), atol=1e-12)


def test_idle_qubits_cost_nothing():
    circuit = read_circuit([{"gate": "x", "target": 28}, {"gate": "cnot", "control": 28, "target": 3}], "qis")
    assert circuit.structure.num_states == 4
    (answer,) = simulate.answer([circuit], "ideal", None, 0)
    assert orjson.loads(answer.probabilities) == {str(2**28 + 2**3): 1.0}


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ({"gate": "u"}, "There is no gate 'u'"),
        ({"gate": "cnot", "targets": [0, 1]}, "must have a `control`"),
        ({"gate": "x", "target": 0, "rotation": 1.0}, "must not have a `rotation`"),
        ({"gate": "rx", "target": 0}, "must have a `rotation`"),
        ({"gate": "rx", "target": 0, "rotation": "1"}, "must be a number"),
        ({"gate": "rx", "target": 0, "rotation": 10**400}, "must be finite"),
        ({"gate": "swap", "targets": [1, 1]}, "different qubits"),
        ({"gate": "swap", "targets": [1]}, "2 target(s)"),
        ({"gate": "x", "target": 0, "targets": [0]}, "has both"),
        ({"gate": "x", "target": -1}, "whole number"),
        ({"gate": "x", "target": 64}, "whole number"),
        ({"gate": "x", "target": 0.5}, "whole number"),
        ({"gate": "x", "target": True}, "whole number"),
        ({"gate": "x", "targets": [[0]]}, "whole number"),
        ({"gate": "x", "targets": "0"}, "must be a list"),
        ({"gate": "x", "target": 9, "controls": list(range(8))}, "8 controls"),
        ({"gate": "pauliexp", "targets": [0], "terms": ["XX"], "coefficients": [1], "time": 1}, "one letter"),
        ({"gate": "pauliexp", "targets": [0], "terms": ["X"], "coefficients": [], "time": 1}, "one for each"),
        ({"gate": "pauliexp", "targets": [0], "terms": ["X"], "coefficients": [1], "time": -1}, "0 or more"),
        ({"gate": 3}, "a `gate` name"),
        (None, "must be an object"),
    ],
)  # fmt: skip
def test_a_gate_that_cannot_be_run_is_refused_with_its_place_and_reason(gate, reason):
    with pytest.raises(ApiError) as refused:
        read_circuit([{"gate": "h", "target": 0}, gate], "qis")
    assert refused.value.status == 400
    assert "Gate 1 of a circuit" in refused.value.message
    assert reason in refused.value.message
