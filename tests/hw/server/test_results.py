"""Results: in every format, exact and drawn, ideal and noisy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import cirq
import numpy as np
import pytest
from scipy import stats

from tests.hw.server import reader
from tests.hw.server.client import BELL, probabilities, ran, several, single

CIRCUIT = [
    {"gate": "ry", "target": 0, "rotation": 0.7},
    {"gate": "rx", "target": 2, "rotation": 1.9},
    {"gate": "cnot", "control": 0, "target": 1},
    {"gate": "xx", "targets": [1, 2], "rotation": 0.8},
    {"gate": "h", "target": 0},
    {"gate": "x", "targets": [2], "controls": [0]},
]
RATES = {"aria-1": (0.0005, 0.0133), "aria-2": (0.000657, 0.01856), "forte-1": (0.000267, 0.00495)}


def dense(found: dict[str, float], num_qubits: int = 3) -> np.ndarray:
    values = np.zeros(2**num_qubits)
    for state, value in found.items():
        values[int(state)] = value
    return values


def with_noise_in_cirq(circuit: list[dict[str, Any]], model: str, gateset: str = "qis") -> np.ndarray:
    """The density matrix's diagonal with a depolarising channel after every gate, by the state's number."""
    rates = RATES[model]
    line = cirq.LineQubit.range(3)
    steps = []
    for gate in circuit:
        targets = [line[q] for q in reader.qubits(gate, "target", "targets")]
        controls = [line[q] for q in reader.qubits(gate, "control", "controls")]
        operation = cirq.MatrixGate(reader.matrix(gate, gateset)).on(*targets).controlled_by(*controls)
        touched = [*controls, *targets]
        steps += [operation, cirq.depolarize(rates[len(touched) > 1], len(touched)).on(*touched)]
    simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
    matrix: Any = simulator.simulate(cirq.Circuit(steps), qubit_order=line[::-1])
    return np.real(np.diag(matrix.final_density_matrix))


def check_drawn(counts: np.ndarray, expected: np.ndarray, level: float = 1e-6) -> None:
    """A G-test; a right sampler fails once in a million."""
    possible = expected > 1e-12
    assert counts[~possible].sum() == 0
    shots = counts.sum()
    seen = counts > 0
    statistic = 2 * np.sum(counts[seen] * np.log(counts[seen] / (shots * expected[seen])))
    assert stats.chi2.sf(statistic, possible.sum() - 1) > level


def test_both_generations_and_all_clients_words_give_the_same(client):
    job = ran(client, single(CIRCUIT))
    found = probabilities(client, job)
    np.testing.assert_allclose(dense(found), reader.probabilities(CIRCUIT, 3), atol=1e-12)
    address = job["results"]["probabilities"]["url"]
    assert address.startswith("/v0.4/jobs/")
    root = str(client.base_url).removesuffix("/v0.4/")
    assert client.get(root + address).json() == found
    first = job["results"]["ionq.result.probabilities.json.v1"]
    assert client.get(f"/jobs/{job['id']}/artifacts/{first['id']}").json() == found
    second = job["results"]["ionq.result.probabilities.json.v2"]
    nested = client.get(f"/jobs/{job['id']}/artifacts/{second['id']}").json()["probabilities"]["registers"]
    assert nested["output_all"] == {format(int(state), "03b"): value for state, value in found.items()}
    assert client.get(f"/jobs/{job['id']}/results/histogram").status_code == 404
    assert client.get(f"/jobs/{job['id']}/artifacts/none").status_code == 404


def test_counts_and_shots_of_a_drawn_job_agree(client):
    job = ran(client, single(CIRCUIT, backend="qpu.forte-1", shots=700))
    assert set(job["results"]) >= {"probabilities", "histogram", "shots", "ionq.result.shots.json.v2"}
    counts = client.get(f"/jobs/{job['id']}/results/histogram").json()
    shots = client.get(f"/jobs/{job['id']}/results/shots").json()
    assert Counter(shots) == counts
    assert probabilities(client, job) == {state: count / 700 for state, count in counts.items()}
    assert sum(counts.values()) == len(shots) == 700
    assert shots != sorted(shots, key=int)
    bits = client.get(f"/jobs/{job['id']}/artifacts/shots-v2").json()["shots"]
    read = [sum(bit << q for q, bit in enumerate(shot["registers"]["output_all"])) for shot in bits]
    assert read == list(map(int, shots))
    assert client.get(f"/jobs/{job['id']}/artifacts/histogram-v2").json()["histogram"]["registers"] == {
        "output_all": {format(int(state), "03b"): count for state, count in counts.items()}
    }


@pytest.mark.parametrize("model", RATES)
def test_noisy_results_are_drawn_from_what_cirq_finds(client, model):
    job = ran(client, single(CIRCUIT, noise={"model": model, "seed": 1}, shots=200_000))
    assert job["noise"] == {"model": model, "seed": 1}
    counts = dense(client.get(f"/jobs/{job['id']}/results/histogram").json())
    check_drawn(counts, with_noise_in_cirq(CIRCUIT, model))


def test_a_machine_has_its_noise_on_native_gates_too(client):
    circuit = [
        {"gate": "gpi2", "target": 0, "phase": 0.1},
        {"gate": "ms", "targets": [0, 2], "phases": [0.1, 0.3], "angle": 0.2},
        {"gate": "gpi", "target": 1, "phase": 0.7},
        *({"gate": "ms", "targets": [2, 1], "phases": [0.4, 0.1 * k], "angle": 0.45} for k in range(5)),
    ]
    job = ran(client, single(circuit, "native", backend="qpu.aria-2", shots=200_000))
    counts = dense(client.get(f"/jobs/{job['id']}/results/histogram").json())
    exact = with_noise_in_cirq(circuit, "aria-2", "native")
    check_drawn(counts, exact)
    # The noise is what the test sees: without it the same counts are impossible.
    with pytest.raises(AssertionError):
        check_drawn(counts, reader.probabilities(circuit, 3, "native"))


def test_the_same_seed_draws_the_same_and_another_does_not(client):
    payload = single(CIRCUIT, noise={"model": "forte-1", "seed": 5}, shots=1000)
    one, same = (probabilities(client, ran(client, payload)) for _ in range(2))
    other = probabilities(client, ran(client, payload | {"noise": {"model": "forte-1", "seed": 6}}))
    assert one == same != other


def test_circuits_of_a_drawn_batch_do_not_share_their_shots(client):
    job = ran(client, several([BELL] * 20, backend="qpu.aria-1", shots=1000))
    found = client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json()
    assert len({tuple(sorted(row.items())) for row in found.values()}) > 10


@pytest.mark.long
def test_noise_on_more_qubits_than_a_density_matrix_takes(client):
    circuit = [{"gate": "x", "target": 0}] + [
        {"gate": "cnot", "control": q, "target": q + 1} for q in range(10)
    ]
    found = probabilities(client, ran(client, single(circuit, noise={"model": "aria-1"}, shots=2000)))
    # All eleven qubits are 1 unless an error happened: ten gates on two qubits, each wrong with 0.0133.
    assert 0.75 < found[str(2**11 - 1)] < 0.99


def test_results_of_a_batch_come_by_child_in_order(client):
    circuits = [[{"gate": "ry", "target": k % 3, "rotation": 0.2 * k}] for k in range(8)]
    job = ran(client, several(circuits))
    found = client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json()
    assert list(found) == job["child_job_ids"]
    for circuit, (child, row) in zip(circuits, found.items(), strict=True):
        np.testing.assert_allclose(dense(row), reader.probabilities(circuit, 3), atol=1e-12)
        assert client.get(f"/jobs/{child}/results/probabilities").json() == row
    aggregate = job["results"]["ionq.result.probabilities-aggregate.json.v1"]["id"]
    assert client.get(f"/jobs/{job['id']}/artifacts/{aggregate}").json() == found
    merged = dense(client.get(f"/jobs/{job['id']}/results/probabilities").json())
    np.testing.assert_allclose(merged, np.mean([dense(row) for row in found.values()], axis=0), atol=1e-12)


def test_gatesets_may_be_mixed_in_a_batch(client):
    native = [{"gate": "gpi2", "target": 0, "phase": 0.0}, {"gate": "gpi", "target": 1, "phase": 0.3}]
    payload = several([native, BELL], "native")
    payload["input"]["circuits"][1] |= {"gateset": "qis", "name": "bell"}
    job = ran(client, payload)
    rows = client.get(f"/jobs/{job['id']}/results/probabilities/aggregated").json().values()
    for row, expected in zip(rows, ({"2": 0.5, "3": 0.5}, {"0": 0.5, "3": 0.5}), strict=True):
        assert row == pytest.approx(expected)
    assert client.get(f"/jobs/{job['child_job_ids'][1]}").json()["name"] == "bell"
