"""Jobs from submission to results, as cirq-ionq asks for them."""

from __future__ import annotations

import cirq
import numpy as np
import pytest

from hw.server import LocalServer, ServerConfig

cirq_ionq = pytest.importorskip("cirq_ionq")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    config = ServerConfig(tmp_path_factory.mktemp("server") / "jobs.sqlite")
    with LocalServer(config) as running:
        yield running


def example(angle: float) -> cirq.Circuit:
    """Different on every qubit, so that no order of bits can be mistaken for another."""
    a, b, c = cirq.LineQubit.range(3)
    return cirq.Circuit(cirq.X(a), cirq.ry(angle)(b), cirq.CNOT(b, c), cirq.measure(a, b, c, key="m"))


@pytest.mark.parametrize("angles", [[0.3], [0.3, 1.2, 2.0]])
def test_circuits_alone_and_batched_give_what_cirq_gives(server, angles):
    service = cirq_ionq.Service(server.url, server.api_key, default_target="simulator")
    circuits = [example(angle) for angle in angles]
    job = service.create_job(circuits[0]) if len(circuits) == 1 else service.create_batch_job(circuits)
    results = job.results(polling_seconds=0.01)
    for circuit, result in zip(circuits, results if isinstance(results, list) else [results], strict=True):
        expected = np.abs(cirq.final_state_vector(circuit[:-1], dtype=np.complex128)) ** 2
        found = np.zeros(8)
        for state, probability in result.probabilities("m").items():
            found[state] = probability
        np.testing.assert_allclose(found, expected, atol=1e-12)
