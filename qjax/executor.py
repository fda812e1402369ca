"""What gradient methods and the trainer know of a machine: one method, one shape of answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from qjax.checks import shown
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.observables import PauliSum


class Estimate(NamedTuple):
    """Expectation values of S parameter sets, B samples and O observables.

    Attributes:
        mean: `[S, B, O]`, real: the expectation values or their estimates.
        variance: `[S, B, O]`, real: the variance of the mean; zero when exact.
        circuits: int32 scalar: circuits executed (one measured in two bases counts as two).
        jobs: int32 scalar: submissions.
        covariance: `[S, B, O, O]` of the means when asked for, else None.
    """

    mean: Array
    variance: Array
    circuits: Array
    jobs: Array
    covariance: Array | None = None


@runtime_checkable
class Executor(Protocol):
    """Runs circuits: a simulator here, or a service elsewhere.

    Attributes:
        exact: whether means are exact, so that variances are zero.
        traceable: whether it can be called inside `jax.jit`, with traced arrays.
    """

    @property
    def exact(self) -> bool:
        """Whether means are exact."""
        ...

    @property
    def traceable(self) -> bool:
        """Whether calls may be traced by JAX."""
        ...

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
        """Evaluates observables for every parameter set and every sample.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real.
            features: `[B, F]`, or `[S, B, F]` where each parameter set has samples of its own, real; None for
                a circuit without features (then B = 1).
            observables: O observables.
            key: a PRNG key, or one for each circuit `[S, B]`; needed where results are random.
            mask: `[B]` or `[S, B]`, bool: which samples are real. Others are padding: they are not run where
                that costs anything, their values mean nothing, and they are not counted.
            covariance: whether to give the covariance between observables.

        Returns:
            The estimate.
        """
        ...


def _array(name: str, values: ArrayLike) -> Array:
    try:
        return jnp.asarray(values)
    except (TypeError, ValueError):
        raise ArgumentError(
            name, "be an array of numbers", f"it is {shown(values)}", "Pass a rectangular array."
        ) from None


def check_batch(
    circuit: Circuit, params: ArrayLike, features: ArrayLike | None
) -> tuple[Array, Array, tuple[int, int]]:
    """Checks the shapes of parameters and features against a circuit.

    Args:
        circuit: the circuit.
        params: `[S, P]`.
        features: `[B, F]`, `[S, B, F]` or None.

    Returns:
        params, features (`[1, 0]` for None), and `(S, B)`.

    Raises:
        ArgumentError: if a shape does not fit.
    """
    params = _array("params", params)
    features = jnp.zeros((1, 0), params.dtype) if features is None else _array("features", features)
    if params.ndim != 2 or params.shape[1] != circuit.num_params:
        raise ArgumentError(
            "params",
            f"have shape [S, {circuit.num_params}] for this circuit",
            f"its shape is {list(params.shape)}",
            "Write `params[None]` for a single parameter set.",
        )
    if features.ndim not in (2, 3) or features.shape[-1] != circuit.num_features:
        raise ArgumentError(
            "features",
            f"have shape [B, {circuit.num_features}] or [S, B, {circuit.num_features}] for this circuit",
            f"its shape is {list(features.shape)}",
            "Pass one row for each sample, encoded as the circuit's encoding says.",
        )
    if features.ndim == 3 and features.shape[0] != params.shape[0]:
        raise ArgumentError(
            "features",
            f"have as many sets as `params` ({params.shape[0]})",
            f"it has {features.shape[0]}",
            "Pass [B, F] to use the same samples for every parameter set.",
        )
    for name, array in (("params", params), ("features", features)):
        if not jnp.issubdtype(array.dtype, jnp.floating) and not jnp.issubdtype(array.dtype, jnp.integer):
            raise ArgumentError(name, "be real", f"its dtype is {array.dtype}", "Pass real numbers.")
    return params, features, (params.shape[0], features.shape[-2])


def check_mask(mask: Array | None, num_sets: int, num_samples: int) -> Array:
    """Which circuits of a batch are real, for every circuit.

    Args:
        mask: `[B]` or `[S, B]`, or None where all are real.
        num_sets: S.
        num_samples: B.

    Returns:
        Mask `[S, B]`, bool.

    Raises:
        ArgumentError: if the shape does not fit.

    Example:
        >>> check_mask(jnp.array([True, False]), 2, 2).tolist()
        [[True, False], [True, False]]
    """
    mask = jnp.ones(num_samples, bool) if mask is None else jnp.asarray(mask)
    if mask.shape not in ((num_samples,), (num_sets, num_samples)):
        raise ArgumentError(
            "mask",
            f"have shape [{num_samples}] or [{num_sets}, {num_samples}]",
            f"its shape is {list(mask.shape)}",
            "Pass one bool for each sample.",
        )
    return jnp.broadcast_to(mask != 0, (num_sets, num_samples))


def circuit_keys(key: Array, num_sets: int, num_samples: int) -> Array:
    """One key for each circuit of a batch, however the batch is sent.

    Args:
        key: a PRNG key, or keys `[S, B]`, which are passed on.
        num_sets: S.
        num_samples: B.

    Returns:
        Keys `[S, B]`.

    Raises:
        ArgumentError: if it is neither.
    """
    key = key if isinstance(key, Array) else jnp.asarray(key)
    if jnp.issubdtype(key.dtype, jnp.unsignedinteger) and key.shape == (2,):
        key = jax.random.wrap_key_data(key)  # the older form, `jax.random.PRNGKey`
    is_key = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if is_key and key.shape == (num_sets, num_samples):
        return key
    if not is_key or key.shape != ():
        raise ArgumentError(
            "key",
            f"be one PRNG key or have shape [{num_sets}, {num_samples}]",
            f"its shape is {list(key.shape)} and its dtype {key.dtype}",
            "Make one with `jax.random.key(seed)`.",
        )
    return jax.random.split(key, (num_sets, num_samples))
