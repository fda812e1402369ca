"""Native gates: what is measured stays what it was, and every gate is one that the machines have."""

from __future__ import annotations

import json

import cirq
import cirq_ionq
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.lowering import lower
from hw.native import Entangler, compile_native
from hw.primitives import ONE_QUBIT, ROTATIONS, Primitive
from hw.template import translate
from hw.translate import build
from qjax import Angle, Circuit, PauliSum
from tests import circuits
from tests.hw import reader
from tests.hw.standin import StandIn
from tests.hw.test_ionq import CIRCUIT, FEATURES, OBSERVABLES, PARAMS, exact, executor

ENTANGLERS: list[Entangler] = ["ms", "zz"]
HAS = {"ms": {"gpi", "gpi2", "ms"}, "zz": {"gpi", "gpi2", "zz"}}


def probabilities(text: str, num_qubits: int, entangler: Entangler) -> np.ndarray:
    gates = json.loads(text)["circuit"]
    assert {gate["gate"] for gate in gates} <= HAS[entangler]
    for gate in gates:
        assert all(0 <= phase <= 1 for phase in gate.get("phases", [gate.get("phase", 0)]))
        assert abs(gate.get("angle", 0)) <= 0.25 + 1e-9
        assert gate["gate"] != "ms" or gate["angle"] >= 0
    return reader.probabilities(gates, num_qubits, "native")


@settings(max_examples=40, deadline=None)
@given(circuits.circuits(max_qubits=4, max_ops=10), st.integers(0, 1000), st.sampled_from(ENTANGLERS))
def test_random_circuits_are_measured_the_same(circuit: Circuit, seed: int, entangler: Entangler) -> None:
    rng = np.random.default_rng(seed)
    params, features = (
        4 * rng.normal(size=(1, circuit.num_params)),
        rng.normal(size=(5, circuit.num_features)),
    )
    template = translate(circuit)
    angles = template.angles(params, features)[0]
    native = compile_native(circuit.num_qubits, template.gates, angles, entangler)
    for (text, one, two), plain in zip(native, template.texts(angles), strict=True):
        expected = reader.probabilities(json.loads(f"[{plain}]"), circuit.num_qubits)
        np.testing.assert_allclose(probabilities(text, circuit.num_qubits, entangler), expected, atol=1e-9)
        assert sum("targets" in gate for gate in json.loads(text)["circuit"]) == two
        assert len(json.loads(text)["circuit"]) == one + two


@pytest.mark.parametrize("entangler", ENTANGLERS)
@pytest.mark.parametrize("name", [*ONE_QUBIT, *ROTATIONS, "cnot", "swap"])
def test_every_gate_between_rotations_that_show_its_phase(name: str, entangler: Entangler) -> None:
    rng = np.random.default_rng(3)
    size = 2 if name in ("xx", "yy", "zz", "cnot", "swap") else 1

    def rotations() -> list[Primitive]:
        axes = [(axis, qubit) for axis in ("rx", "rz", "ry") for qubit in range(2)]
        return [Primitive(axis, (qubit,), Angle(offset=float(rng.normal()))) for axis, qubit in axes]

    for turns in (0.1, 0.3, -0.2, -0.4, 0.5, 0.75, 1.3):
        angle = Angle(offset=2 * np.pi * turns) if name in ROTATIONS else None
        gates = [*rotations(), Primitive(name, tuple(range(size)), angle), *rotations()]
        angles = np.array([[gate.angle.offset for gate in gates if gate.angle is not None]])
        ((text, *_),) = compile_native(2, gates, angles, entangler)
        expected = reader.probabilities([_json(gate) for gate in gates], 2)
        np.testing.assert_allclose(probabilities(text, 2, entangler), expected, atol=1e-9)


def _json(gate: Primitive) -> dict:
    if gate.gate == "cnot":
        return {"gate": "cnot", "control": gate.qubits[0], "target": gate.qubits[1]}
    rotation = {} if gate.angle is None else {"rotation": gate.angle.offset}
    return {"gate": gate.gate, "targets": list(gate.qubits), **rotation}


def test_the_independent_reader_knows_the_gates_as_cirq_ionq_does() -> None:
    rng = np.random.default_rng(5)
    phase, other, angle = rng.random(3)
    for gate, theirs in (
        ({"gate": "gpi", "phase": phase}, cirq_ionq.GPIGate(phi=phase)),
        ({"gate": "gpi2", "phase": phase}, cirq_ionq.GPI2Gate(phi=phase)),
        (
            {"gate": "ms", "phases": [phase, other], "angle": angle},
            cirq_ionq.MSGate(phi0=phase, phi1=other, theta=angle),
        ),
        ({"gate": "zz", "angle": angle}, cirq_ionq.ZZGate(theta=angle)),
    ):
        np.testing.assert_allclose(reader.matrix(gate, "native"), cirq.unitary(theirs), atol=1e-12)


@pytest.mark.parametrize("target", ["qpu.aria-1", "qpu.forte-1"])
def test_fewer_gates_than_the_published_compiler(target: str) -> None:
    angles = translate(CIRCUIT).angles(PARAMS, FEATURES)[0]
    gates = lower(CIRCUIT)
    entangler: Entangler = "ms" if "aria" in target else "zz"
    ours = sum(compile_native(3, gates, angles, entangler)[0][1:])
    gateset = cirq_ionq.AriaNativeGateset() if entangler == "ms" else cirq_ionq.ForteNativeGateset()
    stock = cirq.optimize_for_target_gateset(build(3, gates, angles[0]), gateset=gateset)
    assert ours < sum(bool(op.qubits) for op in stock.all_operations())


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("settings", [{}, {"target": "qpu.aria-1"}, {"target": "qpu.forte-1"}])
def test_the_executor_sends_them(service: StandIn, settings: dict) -> None:
    shots = {"shots": 20_000} if settings else {}
    ionq = executor(service, gateset="native", **settings, **shots)
    estimate = ionq.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=jax.random.key(0))
    np.testing.assert_allclose(estimate.mean, exact(), atol=0.06 if settings else 1e-9)
    assert service.bodies[0]["input"]["gateset"] == "native"
    empty = ionq.expectations(Circuit(1), np.zeros((1, 0)), None, PauliSum("Z0"), key=jax.random.key(1))
    assert empty.mean.item() == pytest.approx(1.0)
