"""How a step's circuits are sent: all at once, one by one, or so many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Estimate, Executor, check_batch, check_mask, circuit_keys
from qjax.observables import PauliSum, as_observables, measurement_groups


@dataclass(frozen=True)
class Dispatch:
    """An executor that sends its circuits to another in groups, and gives the same answers.

    Every circuit has a key of its own before it is sent, so the numbers do not depend on the grouping (but
    for the last bits: a machine rounds the same sums differently in batches of different sizes).

    Args:
        executor: runs the circuits. One that is not traceable is called once for each group, by so many
            threads as single circuits may be in flight, and so must allow calls from several threads.
        batching: whether a group is one job; otherwise every circuit is a job.
        max_parallel_circuits: the most circuits in flight at once; None for all of a step with batching, and
            for one without. The measurement bases of one parameter set and sample go together, even where
            they are more.

    Raises:
        ArgumentError: if `max_parallel_circuits` is not positive, or groups are asked of an executor that has
            a number of shots for each parameter set.

    Example:
        >>> from qjax import Circuit, Op, PauliSum, Simulator
        >>> one_by_one = Dispatch(Simulator(), batching=False)
        >>> circuit = Circuit(num_qubits=1, ops=(Op("h", (0,)),), num_params=1)
        >>> estimate = one_by_one.expectations(circuit, jnp.zeros((3, 1)), None, PauliSum("X0"))
        >>> estimate.mean.shape, int(estimate.circuits), int(estimate.jobs)
        ((3, 1, 1), 3, 3)
    """

    executor: Executor
    batching: bool = True
    max_parallel_circuits: int | None = None

    def __post_init__(self):
        size = self.max_parallel_circuits
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
            raise ArgumentError(
                "max_parallel_circuits",
                "be None or a positive integer",
                f"it is {size!r}",
                "Leave it out to send a step's circuits together.",
            )
        # A group mixes parameter sets, so it cannot know which number is whose.
        if isinstance(getattr(self.executor, "shots", None), tuple) and not (self.batching and size is None):
            raise ArgumentError(
                "executor",
                "have one number of shots for all parameter sets where circuits are sent in groups",
                f"it is {self.executor!r}",
                "Set `shots` to one number, or send all circuits of a step together.",
            )

    @property
    def exact(self) -> bool:
        """Whether means are exact."""
        return self.executor.exact

    @property
    def traceable(self) -> bool:
        """Whether calls may be traced by JAX."""
        return self.executor.traceable

    def expectations(
        self,
        circuit: Circuit,
        params: ArrayLike,
        features: ArrayLike | None,
        observables: PauliSum | Sequence[PauliSum],
        *,
        key: Array | None = None,
        mask: Array | None = None,
        covariance: bool = False,
    ) -> Estimate:
        """Evaluates as `Executor.expectations` says, group by group."""
        params, features, (num_sets, num_samples) = check_batch(circuit, params, features)
        real = check_mask(mask, num_sets, num_samples)
        num_circuits = num_sets * num_samples
        size, num_threads = self._grouping(circuit, observables, num_circuits)
        if self.batching and size >= num_circuits:
            return self.executor.expectations(
                circuit, params, features, observables, key=key, mask=mask, covariance=covariance
            )
        keys = None if key is None else circuit_keys(key, num_sets, num_samples)

        def send(group: _Group) -> Estimate:
            result = self.executor.expectations(
                circuit,
                group.params,
                group.features,
                observables,
                key=group.keys,
                mask=group.real,
                covariance=covariance,
            )
            jobs = result.jobs if self.batching or not self.traceable else result.circuits
            return result._replace(jobs=jnp.any(group.real) * jobs)

        num_features = features.shape[-1]
        # Every circuit becomes a parameter set with one sample of its own.
        circuits = _Group(
            params=jnp.repeat(params, num_samples, axis=0),
            features=jnp.broadcast_to(features, (num_sets, num_samples, num_features)).reshape(
                num_circuits, 1, num_features
            ),
            keys=None if keys is None else keys.reshape(num_circuits, 1),
            real=real.reshape(num_circuits, 1),
        )
        groups: _Group = jax.tree.map(lambda array: _grouped(array, size), circuits)
        num_padded = groups.real.shape[0] * size - num_circuits
        if num_padded:
            groups = groups._replace(real=groups.real.at[-1, size - num_padded :].set(False))
        result = lax.map(send, groups) if self.traceable else _map_on_host(send, groups, num_threads)

        def merge(array: Array) -> Array:
            flat = array.reshape(array.shape[0] * size, *array.shape[3:])[:num_circuits]
            return flat.reshape(num_sets, num_samples, *flat.shape[1:])

        return Estimate(
            mean=merge(result.mean),
            variance=merge(result.variance),
            circuits=jnp.sum(result.circuits, dtype=jnp.int32),
            jobs=jnp.sum(result.jobs, dtype=jnp.int32),
            covariance=None if result.covariance is None else merge(result.covariance),
        )

    def _grouping(
        self, circuit: Circuit, observables: PauliSum | Sequence[PauliSum], num_circuits: int
    ) -> tuple[int, int]:
        """How many circuits a group has, and how many groups are in flight at once."""
        if self.max_parallel_circuits is None:
            return (max(1, num_circuits), 1) if self.batching else (1, 1)
        bases = measurement_groups(as_observables(observables, circuit.num_qubits))
        num_bases = 1 if self.exact else max(1, len(bases))
        size = max(1, self.max_parallel_circuits // num_bases)
        # Inside JAX jobs are but counted; elsewhere each is a call of its own.
        return (size, 1) if self.batching or self.traceable else (1, size)


class _Group(NamedTuple):
    """Circuits `[n]` that go together, or groups of them `[groups, n]`, see `Executor.expectations`."""

    params: Array
    features: Array
    keys: Array | None
    real: Array


def _grouped(array: Array, size: int) -> Array:
    """`[N, ...]` as `[groups, size, ...]`, the last group filled up with the first item."""
    padding = -len(array) % size
    if padding:
        array = jnp.concatenate([array, jnp.broadcast_to(array[:1], (padding, *array.shape[1:]))])
    return array.reshape(len(array) // size, size, *array.shape[1:])


def _map_on_host(send: Callable[[_Group], Estimate], groups: _Group, num_threads: int) -> Estimate:
    """`lax.map` for an executor that cannot be traced; groups of padding alone are not sent."""
    # Taking one group of NumPy's is a thousand times cheaper than of JAX's.
    params, features, real = (np.asarray(each) for each in (groups.params, groups.features, groups.real))
    keys = groups.keys
    words = None if keys is None else np.asarray(jax.random.key_data(keys))

    def send_one(index: int) -> Estimate:
        key = None
        if keys is not None and words is not None:
            key = jax.random.wrap_key_data(words[index], impl=jax.random.key_impl(keys))
        return send(_Group(params[index], features[index], key, real[index]))

    wanted = [index for index in range(len(real)) if real[index].any()] or [0]
    with ThreadPoolExecutor(num_threads, thread_name_prefix="qjax-dispatch") as pool:
        results = list(pool.map(send_one, wanted))
    stacked: Estimate = jax.tree.map(lambda *arrays: np.stack([np.asarray(a) for a in arrays]), *results)
    everywhere = np.zeros((len(real),), np.intp)
    everywhere[wanted] = np.arange(len(wanted))
    is_sent = real.any(axis=(1, 2))
    spread: Estimate = jax.tree.map(lambda array: jnp.asarray(array[everywhere]), stacked)
    return spread._replace(circuits=spread.circuits * is_sent, jobs=spread.jobs * is_sent)
