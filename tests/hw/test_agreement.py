"""Random circuits of the whole gate table: the local server's answer to what is sent is Cirq's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hw
from hw.server import LocalServer, ServerConfig
from tests import circuits
from tests.hw.test_translate import dense, random_observable


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder: Path = tmp_path_factory.mktemp("server")
    with LocalServer(ServerConfig(folder / "jobs.sqlite")) as running:
        yield running


def check(server: LocalServer, seed: int, settings: dict) -> None:
    rng = np.random.default_rng(seed)
    circuit = circuits.random_circuit(seed, int(rng.integers(1, 5)), 10)
    params, features = rng.normal(size=(2, circuit.num_params)), rng.normal(size=(2, circuit.num_features))
    observables = [random_observable(rng, circuit.num_qubits) for _ in range(2)]
    ionq = hw.IonQ(remote_host=server.url, api_key=server.api_key, **settings)
    found = ionq.expectations(circuit, params, features, observables)
    for s, b in np.ndindex(2, 2):
        state = circuits.cirq_state(circuit, params[s], features[b])
        exact = [np.vdot(state, dense(each, circuit.num_qubits) @ state).real for each in observables]
        np.testing.assert_allclose(found.mean[s, b], exact, atol=1e-5)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("settings", [{}, {"gateset": "native"}])
@pytest.mark.parametrize("seed", range(3))
def test_random_circuits(server: LocalServer, seed: int, settings: dict) -> None:
    check(server, seed, settings)


@pytest.mark.long
@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("settings", [{}, {"gateset": "native"}])
@pytest.mark.parametrize("seed", range(3, 100))
def test_many_random_circuits(server: LocalServer, seed: int, settings: dict) -> None:
    check(server, seed, settings)
