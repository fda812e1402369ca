"""Sending circuits in groups changes how many jobs there are, and no answer."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qjax import Angle, Circuit, Op, PauliSum, Simulator
from qjax.dispatch import Dispatch
from qjax.errors import ArgumentError
from qjax.executor import Estimate, check_mask
from qjax.gradients import Batch, Objective, Params, parameter_shift, spsa
from qjax.observables import measurement_groups

CIRCUIT = Circuit(
    2,
    (
        *(Op("ry", (q,), Angle(feature=q)) for q in range(2)),
        Op("cx", (0, 1)),
        *(Op("rx", (q,), Angle(param=q)) for q in range(2)),
    ),
)
RNG = np.random.default_rng(0)
PARAMS = jnp.asarray(RNG.normal(size=(3, 2)), jnp.float32)
FEATURES = jnp.asarray(RNG.normal(size=(5, 2)), jnp.float32)
OWN_FEATURES = jnp.asarray(RNG.normal(size=(3, 5, 2)), jnp.float32)
MASK = jnp.array([[1, 1, 1, 1, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]], bool)
OBSERVABLES = (PauliSum({"Z0": 1.0, "X1": 0.5}), PauliSum("Z0 Z1"))  # two measurement bases
WAYS = [(True, None), (True, 1), (True, 3), (True, 7), (True, 100), (False, None), (False, 1), (False, 4)]
KEY = jax.random.key(8)


@pytest.mark.parametrize(
    ("shots", "batching", "size"),
    [(None, True, 4), (64, True, 7), (64, False, 3)],
)
def test_the_same_key_gives_the_same_answers_in_every_grouping(shots, batching, size):
    executor = Simulator(shots=shots)
    # Sums are rounded differently in groups of different sizes. A draw on the very edge between two states
    # may then fall to the other side, which moves a mean by 2 / shots; almost all draws must stay.
    flip = 0.0 if shots is None else 2.0 / shots

    def answers(executor):
        return executor.expectations(CIRCUIT, PARAMS, OWN_FEATURES, OBSERVABLES, key=KEY, covariance=True)

    ours, expected = jax.jit(lambda: answers(Dispatch(executor, batching, size)))(), answers(executor)
    error = np.abs(np.asarray(ours.mean - expected.mean))
    assert error.max() < flip + 1e-6
    assert np.mean(error > 1e-6) <= 0.05
    kept = np.all(error < 1e-6, axis=-1)
    assert ours.covariance is not None
    assert expected.covariance is not None
    np.testing.assert_allclose(ours.variance[kept], expected.variance[kept], atol=1e-6)
    np.testing.assert_allclose(ours.covariance[kept], expected.covariance[kept], atol=1e-6)
    assert int(ours.circuits) == int(expected.circuits)


@pytest.mark.parametrize(
    ("method", "shots", "batching"),
    [(spsa(num_directions=2, subsample_size=3), 64, False), (parameter_shift(), None, True)],
)
def test_gradients_do_not_depend_on_the_grouping(method, shots, batching):
    batch = Batch(FEATURES, jnp.linspace(-1, 1, 5), jnp.array([1.0, 1.0, 1.0, 1.0, 0.0]))
    params = Params(PARAMS[0])

    def loss(head, outputs, targets, weights):
        return jnp.sum(weights * (outputs.sum(axis=1) - targets) ** 2) / jnp.sum(weights)

    def gradient(executor):
        objective = Objective(executor, CIRCUIT, OBSERVABLES, loss)
        return jax.jit(lambda: method.estimate(method.init(params), objective, params, batch, KEY))()

    whole, _, whole_info = gradient(Dispatch(Simulator(shots=shots)))
    assert int(whole_info.jobs) == 1
    ours, _, info = gradient(Dispatch(Simulator(shots=shots), batching, 7))
    # These keys put no draw on an edge, so the noise is the same too.
    np.testing.assert_allclose(ours.circuit, whole.circuit, atol=2e-5)
    np.testing.assert_allclose(info.loss, whole_info.loss, atol=1e-5)
    assert int(info.circuits) == int(whole_info.circuits)
    assert int(info.jobs) > 1
    assert batching or int(info.jobs) == int(info.circuits)


@dataclass(frozen=True)
class Counter:
    """An executor that computes next to nothing and notes how many circuits each call holds."""

    exact: bool
    sizes: list[int] = field(default_factory=list, compare=False)
    traceable: bool = True

    def expectations(self, circuit, params, features, observables, *, key=None, mask=None, covariance=False):
        bases = 1 if self.exact else len(measurement_groups(observables))
        mean = jnp.sum(params, axis=1)[:, None, None] + jnp.sum(features, axis=-1)[..., None]
        mean = jnp.broadcast_to(mean, (*mean.shape[:2], len(observables)))
        self.sizes.append(bases * mean[..., 0].size)
        circuits = bases * jnp.sum(check_mask(mask, *mean.shape[:2]), dtype=jnp.int32)
        return Estimate(mean, jnp.zeros_like(mean), circuits, jnp.ones((), jnp.int32))


@pytest.mark.parametrize(("batching", "size"), WAYS)
@pytest.mark.parametrize("exact", [True, False])
def test_jobs_and_circuits_are_counted(batching, size, exact):
    bases = 1 if exact else 2
    # A group is one job where anything in it is real; the bases of a circuit stay together.
    group = max(1, size // bases) if size else (15 if batching else 1)
    dispatch = Dispatch(Counter(exact), batching, size)

    @jax.jit
    def counted(mask):
        return dispatch.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=KEY, mask=mask)

    for mask in (jnp.ones((3, 5), bool), MASK, jnp.broadcast_to(MASK[0], (3, 5))):
        real = np.asarray(mask).ravel()
        whole = batching and group >= 15
        starts = range(0, 15, 15 if whole else group)
        jobs = (
            sum(np.any(real[start : start + group]) for start in starts) if batching else bases * real.sum()
        )
        estimate = counted(mask)
        assert (int(estimate.circuits), int(estimate.jobs)) == (bases * real.sum(), jobs)
        exact_sums = PARAMS.sum(axis=1)[:, None] + FEATURES.sum(axis=1)
        np.testing.assert_allclose(estimate.mean[..., 0], exact_sums, atol=1e-6)


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5, 14, 1000])
def test_no_more_circuits_are_in_flight_than_allowed(size, exact):
    counter = Counter(exact)
    dispatch = Dispatch(counter, max_parallel_circuits=size)
    jax.eval_shape(lambda: dispatch.expectations(CIRCUIT, PARAMS, FEATURES, OBSERVABLES, key=KEY))
    one_circuit = 1 if exact else 2
    assert max(counter.sizes) <= max(size, one_circuit)
    assert max(counter.sizes) + one_circuit > min(size, 15 * one_circuit)


def test_grouped_circuits_are_differentiable():
    def energy(executor, params, features):
        return jnp.sum(executor.expectations(CIRCUIT, params, features, OBSERVABLES).mean ** 2)

    gradient_of = jax.jit(jax.grad(energy, argnums=(1, 2)), static_argnums=0)
    expected = gradient_of(Simulator(), PARAMS, FEATURES)
    gradient = gradient_of(Dispatch(Simulator(), True, 4), PARAMS, FEATURES)
    jax.tree.map(lambda ours, other: np.testing.assert_allclose(ours, other, atol=2e-6), gradient, expected)


def test_counts_keep_their_type_in_64_bit_mode_and_circuits_may_have_no_features():
    with jax.enable_x64(True):
        estimate = Dispatch(Counter(True), max_parallel_circuits=2).expectations(
            CIRCUIT, PARAMS, FEATURES, OBSERVABLES
        )
        assert estimate.circuits.dtype == estimate.jobs.dtype == "int32"
    circuit = Circuit(1, (Op("ry", (0,), Angle(param=0)),))
    ours = Dispatch(Simulator(), max_parallel_circuits=2).expectations(
        circuit, PARAMS[:, :1], None, PauliSum("Z0")
    )
    np.testing.assert_allclose(ours.mean[:, 0, 0], np.cos(PARAMS[:, 0]), atol=1e-6)


@pytest.mark.parametrize("size", [0, -1, True, 2.5, "3"])
def test_a_bad_group_size_is_refused(size):
    with pytest.raises(ArgumentError, match=r"^Argument `max_parallel_circuits` must .+, but .+\. .+\.$"):
        Dispatch(Simulator(), max_parallel_circuits=size)


def test_groups_refuse_a_number_of_shots_for_each_set():
    assert Dispatch(Simulator(shots=(1, 2))).exact is False
    for batching, size in ((False, None), (True, 2)):
        with pytest.raises(ArgumentError, match=r"^Argument `executor` must .+, but .+\. .+\.$"):
            Dispatch(Simulator(shots=(1, 2)), batching, size)


@dataclass
class Away:
    """An executor outside of JAX that keeps how many circuits a call has, and how many calls there are."""

    simulator: Simulator
    sizes: list[int] = field(default_factory=list)
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    exact: bool = False
    traceable: bool = False

    def expectations(self, circuit, params, features, observables, *, key=None, mask=None, covariance=False):
        np.array(params)  # a tracer cannot become one
        with self.lock:
            self.sizes.append(int(np.sum(check_mask(mask, len(params), features.shape[-2]))))
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        result = self.simulator.expectations(
            circuit, params, features, observables, key=key, mask=mask, covariance=covariance
        )
        with self.lock:
            self.now -= 1
        return jax.tree.map(np.asarray, result)


@pytest.mark.parametrize(
    ("batching", "most", "sizes", "in_flight"),
    [
        (True, None, [7], 1),
        (True, 8, [1, 2, 4], 1),  # four places a group, each of two bases; a group of padding is not sent
        (False, None, [1] * 7, 1),
        (False, 6, [1] * 7, 3),
    ],
)
def test_outside_of_jax_groups_are_calls_and_single_circuits_go_in_parallel(batching, most, sizes, in_flight):
    away = Away(Simulator(shots=64))

    def answers(executor):
        return executor.expectations(CIRCUIT, PARAMS, OWN_FEATURES, OBSERVABLES, key=KEY, mask=MASK)

    result, expected = answers(Dispatch(away, batching, most)), answers(away.simulator)
    assert sorted(away.sizes) == sizes
    assert away.most == in_flight
    real = np.asarray(MASK)
    # A draw on the very edge between two states may fall to the other side.
    assert np.mean(np.abs(result.mean - expected.mean)[real] > 1e-6) <= 0.05
    assert int(result.circuits) == int(expected.circuits) == 14
    assert int(result.jobs) == len(sizes)
