"""Executors whose answers are kept, and one that answers from what was kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from qjax.circuit import Circuit
from qjax.content import content_hash
from qjax.errors import StoreError
from qjax.executor import Estimate, Executor
from qjax.observables import PauliSum, as_observables
from qjax.store.answers import RunAnswers


class NotAnsweredError(StoreError):
    """The record holds no answer to what is asked."""


class RecordingExecutor:
    """An executor that keeps every answer before it is used.

    Args:
        executor: who answers; not traced.
        answers: where to keep it.
    """

    traceable = False

    def __init__(self, executor: Executor, answers: RunAnswers):
        self._executor = executor
        self._answers = answers

    @property
    def exact(self) -> bool:
        """Whether means are exact."""
        return self._executor.exact

    @property
    def shots(self) -> Any:
        """Shots of the executor behind, None where it has none."""
        return getattr(self._executor, "shots", None)

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
        """See `Executor.expectations`."""
        result = self._executor.expectations(
            circuit, params, features, observables, key=key, mask=mask, covariance=covariance
        )
        question = _question(circuit, params, features, observables, key, mask, covariance)
        self._answers.keep(question, [np.asarray(leaf) for leaf in jax.tree.leaves(result)])
        return result


class RecordedExecutor:
    """An executor that runs nothing and answers what was asked before.

    Args:
        answers: what was kept.
        exact: whether means were exact.
    """

    traceable = False

    def __init__(self, answers: RunAnswers, *, exact: bool):
        self._answers = answers
        self.exact = exact

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
        """See `Executor.expectations`.

        Raises:
            NotAnsweredError: this was not asked before.
        """
        found = self._answers.find(_question(circuit, params, features, observables, key, mask, covariance))
        if found is None:
            raise NotAnsweredError("The record holds no answer to what is asked. Run the circuits instead.")
        # The arrays as they came: of another type they would be rounded otherwise.
        return Estimate(*found)  # pyright: ignore[reportArgumentType]


def _question(
    circuit: Circuit,
    params: ArrayLike,
    features: ArrayLike | None,
    observables: PauliSum | Sequence[PauliSum],
    key: Array | None,
    mask: Array | None,
    covariance: bool,
) -> str:
    """Hashes everything that an answer depends on."""
    if key is not None and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    given = (params, features, key, mask)
    present = [np.asarray(each) for each in given if each is not None]
    measured = as_observables(observables, circuit.num_qubits)
    parts = (
        circuit.content_hash,
        measured,
        covariance,
        [each is None for each in given],
        content_hash(present),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()
