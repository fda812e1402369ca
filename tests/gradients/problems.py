"""Objectives that the tests of gradient methods share, and executors that make their work visible."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from qjax import Angle, Circuit, Estimate, Op, PauliSum, Simulator
from qjax.executor import check_mask
from qjax.gradients import Batch, Objective, Params

CIRCUIT = Circuit(
    2,
    (
        Op("ry", (0,), Angle(feature=0)),
        Op("rx", (1,), Angle(param=0, scale=0.7)),
        Op("crz", (0, 1), Angle(param=1, offset=0.2)),
        Op("ry", (1,), Angle(param=0)),
        Op("rx", (0,), Angle(param=2)),
    ),
)
"""Three parameters, the first one twice: 3 occurrences with two terms and one with four."""
OBSERVABLES = (PauliSum("Z0"), PauliSum({"X1": 1.0, "Z0 Z1": 0.5}))  # two measurement bases


def squared_loss(head, outputs, targets, weights):
    """The weighted mean squared error of a linear head."""
    predictions = outputs @ head["weights"] + head["bias"]
    return jnp.sum(weights * (predictions - targets) ** 2) / jnp.sum(weights)


def linear_loss(head, outputs, targets, weights):
    """The weighted mean of the outputs' sum, each sample with the sign of its target."""
    return jnp.sum(weights * targets * jnp.sum(outputs, axis=1)) / jnp.sum(weights)


def objective(executor=None, *, linear: bool = False) -> Objective:
    executor = Simulator() if executor is None else executor
    return Objective(executor, CIRCUIT, OBSERVABLES, linear_loss if linear else squared_loss, linear)


def params(dtype=jnp.float32) -> Params:
    head = {"weights": jnp.array([0.8, -1.2], dtype), "bias": jnp.asarray(0.1, dtype)}
    return Params(jnp.array([0.4, -0.9, 1.3], dtype), head)


def batch(num_samples: int = 4, num_padded: int = 0, filler: float = 0.0, dtype=jnp.float32) -> Batch:
    """Real samples of unequal weight, followed by padding that holds `filler`."""
    rng = np.random.default_rng(3)
    padding = np.full(num_padded, filler)
    return Batch(
        jnp.asarray(np.concatenate([rng.normal(size=num_samples), padding])[:, None], dtype),
        jnp.asarray(np.concatenate([rng.normal(size=num_samples), padding]), dtype),
        jnp.asarray(np.concatenate([rng.uniform(0.5, 2, num_samples), 0 * padding]), dtype),
    )


@dataclass(frozen=True)
class Echo:
    """An executor whose outputs are the parameters themselves, one observable for each."""

    exact: bool = True
    traceable: bool = True

    def expectations(self, circuit, params, features, observables, *, key=None, mask=None, covariance=False):
        num_sets, num_samples = params.shape[0], features.shape[-2]
        mean = jnp.broadcast_to(params[:, None], (num_sets, num_samples, params.shape[1]))
        circuits = jnp.sum(check_mask(mask, num_sets, num_samples), dtype=jnp.int32)
        return Estimate(mean, jnp.zeros_like(mean), circuits, jnp.ones((), jnp.int32))


@dataclass(frozen=True)
class Careless:
    """An executor that returns nonsense for padding, as it may."""

    executor: Simulator

    @property
    def exact(self):
        return self.executor.exact

    @property
    def traceable(self):
        return True

    def expectations(self, circuit, params, features, observables, *, key=None, mask=None, covariance=False):
        estimate = self.executor.expectations(
            circuit, params, features, observables, key=key, mask=mask, covariance=covariance
        )
        real = check_mask(mask, *estimate.mean.shape[:2])[..., None]
        return estimate._replace(mean=jnp.where(real, estimate.mean, 1234.5))
