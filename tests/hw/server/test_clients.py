"""The published clients, as they are, against the server: right answers, alone and batched."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tests.hw.server import reader
from tests.hw.server.client import connected, finished

ANGLES = [0.3, 1.2, 2.0]


def example(angle: float) -> list[dict]:
    """Different on every qubit, so that no order of bits can be mistaken for another."""
    return [
        {"gate": "x", "target": 0},
        {"gate": "ry", "target": 1, "rotation": angle},
        {"gate": "cnot", "control": 1, "target": 2},
        {"gate": "rx", "target": 0, "rotation": 0.7},
        {"gate": "zz", "targets": [0, 2], "rotation": 0.4},
    ]


def expected(angle: float) -> np.ndarray:
    """By the number of the state, qubit 0 last."""
    return reader.probabilities(example(angle), 3)


def first_qubit_first(values: np.ndarray) -> np.ndarray:
    return values.reshape(2, 2, 2).transpose(2, 1, 0).ravel()


@pytest.fixture(scope="module")
def cirq_service(server):
    cirq_ionq = pytest.importorskip("cirq_ionq")
    return cirq_ionq.Service(server.url, server.api_key, default_target="simulator", max_retry_seconds=1)


def cirq_circuit(angle: float):
    import cirq

    a, b, c = cirq.LineQubit.range(3)
    gates = [cirq.X(a), cirq.ry(angle)(b), cirq.CNOT(b, c), cirq.rx(0.7)(a), cirq.ZZ(a, c) ** (0.4 / np.pi)]
    return cirq.Circuit(gates, cirq.measure(a, b, c, key="m"))


@pytest.mark.parametrize("angles", [ANGLES[:1], ANGLES])
def test_cirq_ionq(cirq_service, angles):
    circuits = [cirq_circuit(angle) for angle in angles]
    if len(circuits) == 1:
        results = [cirq_service.create_job(circuits[0], repetitions=100).results(polling_seconds=0.01)]
    else:
        results = cirq_service.create_batch_job(circuits, repetitions=100).results(polling_seconds=0.01)
    for angle, result in zip(angles, results, strict=True):
        found = np.zeros(8)
        for state, probability in result.probabilities("m").items():
            found[state] = probability
        np.testing.assert_allclose(found, first_qubit_first(expected(angle)), atol=1e-10)


def test_cirq_ionq_with_native_gates_pauli_exponentials_and_a_qpu(cirq_service):
    import cirq
    import cirq_ionq

    a, b = cirq.LineQubit.range(2)
    native = cirq.Circuit(
        cirq_ionq.GPI2Gate(phi=0.1)(a), cirq_ionq.MSGate(phi0=0.2, phi1=0.3, theta=0.2)(a, b),
        cirq_ionq.GPIGate(phi=0.4)(b), cirq_ionq.GPI2Gate(phi=0.7)(b), cirq.measure(a, b, key="m"),
    )  # fmt: skip
    string = cirq.PauliString({a: cirq.X, b: cirq.Y})
    phasor = cirq.PauliStringPhasor(string, exponent_neg=0.3, exponent_pos=-0.1)
    exponential = cirq.Circuit(cirq.H(a), cirq.ry(0.9)(b), phasor, cirq.H(a), cirq.measure(a, b, key="m"))
    for circuit in (native, exponential):
        result = cirq_service.create_job(circuit).results(polling_seconds=0.01)
        state = cirq.Circuit(circuit.all_operations()).final_state_vector(
            ignore_terminal_measurements=True, dtype=np.complex128
        )
        found = np.zeros(4)
        for index, probability in result.probabilities("m").items():
            found[index] = probability
        np.testing.assert_allclose(found, np.abs(state) ** 2, atol=1e-10)
    counts = cirq_service.create_job(cirq_circuit(0.3), repetitions=200, target="qpu.aria-1").results(
        polling_seconds=0.01
    )
    assert sum(counts.counts("m").values()) == 200


def test_cirq_ionq_lists_cancels_and_deletes(cirq_service):
    import cirq_ionq

    ids = [cirq_service.create_job(cirq_circuit(angle)).job_id() for angle in ANGLES]
    listed = [job.job_id() for job in cirq_service.list_jobs(limit=3)]
    assert listed == ids[::-1]
    job = cirq_service.get_job(ids[0])
    job.cancel()
    assert job.status() == "canceled"
    cirq_service.get_job(ids[1]).delete()
    with pytest.raises(cirq_ionq.IonQNotFoundException):
        cirq_service.get_job(ids[1])


def test_cirq_ionq_with_a_wrong_key_hears_that_it_is_wrong(server):
    cirq_ionq = pytest.importorskip("cirq_ionq")
    service = cirq_ionq.Service(server.url, "wrong", default_target="simulator", max_retry_seconds=0)
    with pytest.raises(cirq_ionq.IonQException, match="Not authorized"):
        service.create_job(cirq_circuit(0.1))


@pytest.fixture(scope="module")
def qiskit_backend(server):
    qiskit_ionq = pytest.importorskip("qiskit_ionq")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONQ_API_URL", f"{server.url}/v0.4")
        yield qiskit_ionq.IonQProvider(server.api_key, f"{server.url}/v0.4").get_backend("simulator")


def qiskit_circuit(angle: float):
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.ry(angle, 1)
    circuit.cx(1, 2)
    circuit.rx(0.7, 0)
    circuit.rzz(0.4, 0, 2)
    circuit.measure(range(3), range(3))
    return circuit


@pytest.mark.parametrize("angles", [ANGLES[:1], ANGLES])
def test_qiskit_ionq(qiskit_backend, angles):
    assert qiskit_backend.num_qubits == 29
    circuits = [qiskit_circuit(angle) for angle in angles]
    job = qiskit_backend.run(circuits if len(circuits) > 1 else circuits[0], shots=100)
    found = job.result(wait=0.01).results
    for angle, result in zip(angles, found, strict=True):
        values = np.zeros(8)
        for bits, probability in result.data.probabilities.items():
            values[int(bits, 2)] = probability
        # The client leaves out what its own sampling did not hit.
        seen = values > 0
        assert seen.any()
        np.testing.assert_allclose(values[seen], expected(angle)[seen], atol=1e-10)


def test_qiskit_ionq_with_controls_of_every_kind(qiskit_backend):
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import CSXGate, MCXGate, PauliEvolutionGate
    from qiskit.quantum_info import SparsePauliOp, Statevector

    circuit = QuantumCircuit(4)
    for qubit in range(4):
        circuit.ry(0.4 + 0.3 * qubit, qubit)
    circuit.append(CSXGate(), [1, 0])
    circuit.cp(0.7, 2, 0)
    circuit.crx(1.1, 0, 3)
    circuit.append(MCXGate(3), [3, 1, 0, 2])
    circuit.ch(2, 1)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XY", "ZZ"], np.array([0.5, -0.3])), 0.8), [3, 1])
    circuit.rx(0.5, 2)
    exact = Statevector(circuit).probabilities()
    circuit.measure_all()
    job = qiskit_backend.run(circuit, shots=100000, extra_metadata={"ionq_compiler_synthesis": True})
    values = np.zeros(16)
    for bits, probability in job.result(wait=0.01).results[0].data.probabilities.items():
        values[int(bits, 2)] = probability
    np.testing.assert_allclose(values, exact, atol=1e-3)
    seen = values > 0
    np.testing.assert_allclose(values[seen], exact[seen], atol=1e-10)


def test_qiskit_ionq_reads_shots_of_a_noisy_job(qiskit_backend):
    noisy = qiskit_backend.with_name("simulator", noise_model="aria-1", sampler_seed=3)
    job = noisy.run(qiskit_circuit(0.3), shots=50, memory=True)
    result = job.result(wait=0.01)
    assert sum(result.get_counts().values()) == len(job.get_memory()) == 50


def test_qiskit_ionq_asks_for_estimates_and_sessions(server, qiskit_backend):
    from qiskit_ionq.ionq_session import Session

    estimate = qiskit_backend.client.estimate_job(
        backend="ionq_qpu.aria-1", oneq_gates=10, twoq_gates=4, qubits=3, shots=100
    )
    assert estimate.cost == pytest.approx(0.01 + 100 * (10e-6 + 4e-5))
    with Session(qiskit_backend, max_jobs=3) as session:
        job = qiskit_backend.run(qiskit_circuit(0.2), shots=10)
        job.wait_for_final_state(wait=0.01)
    details = session.details()
    assert details["status"] == "ended"
    with connected(server) as client:
        assert [j["id"] for j in client.get(f"/sessions/{details['id']}/jobs").json()["jobs"]] == [
            job.job_id()
        ]


@pytest.mark.parametrize("angles", [ANGLES[:1], ANGLES])
def test_pennylane_ionq(server, monkeypatch, angles):
    api_client = pytest.importorskip("pennylane_ionq.api_client")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pennylane as qml
        from pennylane.tape import QuantumScript
    monkeypatch.setattr(api_client.APIClient, "BASE_URL", f"{server.url}/v0.4")
    device = qml.device("ionq.simulator", wires=3, shots=100, api_key=server.api_key)
    tapes = []
    for angle in angles:
        gates = [
            qml.PauliX(0), qml.RY(angle, 1), qml.CNOT([1, 2]), qml.RX(0.7, 0), qml.IsingZZ(0.4, [0, 2]),
        ]  # fmt: skip
        tapes.append(QuantumScript(gates, [qml.probs(wires=range(3))], shots=100))
    device.batch_execute(tapes)
    for index, angle in enumerate(angles):
        device.set_current_circuit_index(index)
        np.testing.assert_allclose(device.prob, first_qubit_first(expected(angle)), atol=1e-10)


def test_a_stock_batch_is_one_job_with_a_child_for_each_circuit(server, cirq_service):
    job_id = cirq_service.create_batch_job([cirq_circuit(angle) for angle in ANGLES]).job_id()
    with connected(server) as client:
        job = finished(client, job_id)
        assert len(job["child_job_ids"]) == job["stats"]["circuits"] == 3
        listed = client.get("/jobs", params={"parent_job_id": job_id}).json()["jobs"]
        assert {child["id"] for child in listed} == set(job["child_job_ids"])
