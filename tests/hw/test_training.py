"""Training's own requests, answered by the simulator and by the service: with shots, and with noise."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import numpy as np
import pytest
from scipy import stats

from hw import IonQ
from hw.server import LocalServer, ServerConfig
from qjax import Simulator
from qjax.executor import Executor
from qjax.gradients import answer
from qjax.train import TrainingConfig
from qjax.train.outside_loop import batch_at
from qjax.train.prepare import prepare
from qjax.train.run import run_keys

CONFIG = TrainingConfig(num_qubits=4, num_samples=50, gradient_method="spsa_parallel", num_directions=2)
SHOTS = 400
CONFIDENCE = 1e-6
"""How seldom a right program fails one of these tests."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with LocalServer(ServerConfig(tmp_path_factory.mktemp("server") / "jobs.sqlite")) as running:
        yield running


def requested(executor: Executor, key: int, offset: float = 0.0) -> np.ndarray:
    """Means and their variances `[2, S * B]` of the last qubit, for the circuits of a step."""
    prepared = prepare(CONFIG)
    parts = prepared.method.parts
    assert parts is not None
    params = prepared.model.init(run_keys(0)[0])
    objective = prepared.model.objective(executor)
    with prepared.loader() as loader:
        request, _ = parts.ask(
            prepared.method.init(params), objective, params, batch_at(loader, 0), jax.random.key(0)
        )
    request = request._replace(key=jax.random.key(key), params=request.params + offset)
    result = answer(executor, parts.circuit(objective), objective.observables, request)
    return np.stack([np.asarray(array)[..., -1].ravel() for array in (result.mean, result.variance)])


def probability(one: np.ndarray, other: np.ndarray) -> float:
    """How often means that are equal differ so much, by a chi-squared test over all circuits."""
    # A mean of all-equal shots has no variance of its own; one shot in SHOTS is the least there is.
    spread = np.maximum(one[1], 1 / SHOTS**2) + np.maximum(other[1], 1 / SHOTS**2)
    return float(stats.chi2.sf(np.sum((one[0] - other[0]) ** 2 / spread), one.shape[1]))


@pytest.mark.parametrize("noise", [None, "aria-2"])
def test_with_shots_the_means_agree_and_the_shots_differ(server: LocalServer, noise: str | None) -> None:
    there = IonQ(shots=SHOTS, noise_model=noise, remote_host=server.url, api_key=server.api_key)
    here = Simulator(shots=SHOTS, noise=noise)
    theirs, ours = requested(there, 1), requested(here, 1)
    assert ours.shape == (2, 40)
    assert probability(theirs, ours) > CONFIDENCE
    assert np.any(theirs[0] != ours[0])
    # Shots are new with a new key, and the same with the same: a resumed step finds its own.
    assert np.any(requested(there, 2)[0] != theirs[0])
    np.testing.assert_array_equal(requested(there, 1), theirs)
    # The test sees angles that are off by a fifth.
    assert probability(theirs, requested(here, 1, offset=0.2)) < CONFIDENCE
