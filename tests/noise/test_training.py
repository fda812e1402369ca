"""Training under noise: the key of the configuration reaches the simulator, and says what cannot work."""

from __future__ import annotations

import numpy as np
import pytest

from qjax.errors import ArgumentError
from qjax.simulator import Simulator
from qjax.train import TrainingConfig, train
from qjax.train.prepare import make_executor

SMALL = {
    "dataset": "rings",
    "num_samples": 40,
    "num_features": 2,
    "num_qubits": 2,
    "num_layers": 1,
    "epochs": 1,
}


def test_the_executor_has_the_noise():
    assert make_executor(TrainingConfig(noise="aria-1")) == Simulator(noise="aria-1")
    assert make_executor(TrainingConfig(noise="ideal")) == Simulator()
    assert make_executor(
        TrainingConfig(num_qubits=11, noise="forte-1", gradient_method="spsa_parallel")
    ) == Simulator(noise="forte-1", noise_method="trajectories")


@pytest.mark.long
def test_training_goes_through_the_noise():
    losses = [train(TrainingConfig(**SMALL, noise=noise)).loss for noise in (None, "aria-2")]
    assert np.all(np.isfinite(losses))
    assert losses[0] != losses[1]


def test_bad_noise_is_refused():
    with pytest.raises(ArgumentError, match=r"Argument `noise` must .*Did you mean `aria-1`\?"):
        TrainingConfig(noise="aria1")
    with pytest.raises(ArgumentError, match=r"Argument `gradient_method` must .*spsa_parallel"):
        make_executor(TrainingConfig(num_qubits=11, noise="aria-1"))
