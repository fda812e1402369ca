"""Optimizers and learning-rate schedules by name, from optax."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array

from qjax.errors import ArgumentError
from qjax.gradients import Params
from qjax.train.config import TrainingConfig, unknown_name


def spall(gain: float, *, stability: float, alpha: float = 0.602) -> optax.Schedule:
    r"""Spall's step sizes for SPSA, `a_k = a / (A + k + 1)^alpha`.

    Args:
        gain: a.
        stability: A, usually a tenth of the number of steps.
        alpha: decay exponent.

    Returns:
        A schedule for any optax optimizer.

    Example:
        >>> round(float(spall(1.0, stability=9.0)(jnp.asarray(0))), 4)
        0.25

    Reference:
        Spall, IEEE Trans. Aerosp. Electron. Syst. 34, 817 (1998), section III.B.
    """
    return lambda step: gain / (stability + step + 1.0) ** alpha


def make_optimizer(config: TrainingConfig, num_steps: int) -> optax.GradientTransformation:
    """The optimizer that a configuration names.

    Args:
        config: the configuration.
        num_steps: steps of the whole run, for schedules that end.

    Returns:
        The optimizer.

    Raises:
        ArgumentError: if optax has no such optimizer, or it needs more, or takes no schedule.

    Example:
        >>> optimizer = make_optimizer(TrainingConfig(optimizer="sgd"), num_steps=10)
        >>> isinstance(optimizer, optax.GradientTransformation)
        True
    """
    constructor: Callable[..., Any] | None = getattr(optax, config.optimizer, None)
    if not callable(constructor) or "learning_rate" not in _parameters(constructor):
        raise unknown_name("optimizer", config.optimizer, sorted(_optimizers()))
    missing = [
        name
        for name, parameter in _parameters(constructor).items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name != "learning_rate"
    ]
    if missing:
        raise ArgumentError(
            "optimizer",
            "need no argument but a learning rate",
            f"`optax.{config.optimizer}` needs {', '.join(missing)}",
            "Use another one, such as adam or sgd.",
        )
    problem = _problem(constructor, config.learning_rate)
    if problem is not None:
        raise ArgumentError(
            "optimizer",
            "need no more than gradients and the loss",
            f"`optax.{config.optimizer}` asks for more ({problem})",
            "Use another one, such as adam or sgd.",
        )
    rate = _schedule(config, num_steps)
    if _problem(constructor, rate) is not None:
        raise ArgumentError(
            "schedule",
            f"be constant for `optax.{config.optimizer}`, which takes no schedule",
            f"it is {config.schedule}",
            "Leave it out, or use another optimizer, such as adam or sgd.",
        )
    optimizer = constructor(learning_rate=rate)
    if config.gradient_method == "frozen":
        return _for_head_alone(optimizer)
    return optimizer


_CIRCUIT_LABEL: Any = "circuit"  # a label stands where the array does
_LABELS = Params(circuit=_CIRCUIT_LABEL, head="head")


def _for_head_alone(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    """Leaves the circuit as it is: weight decay or noise would move it without any gradient."""
    return optax.multi_transform({"head": optimizer, "circuit": optax.set_to_zero()}, _LABELS)


def _problem(constructor: Any, rate: optax.ScalarOrSchedule) -> str | None:
    """Why an optimizer cannot be used, if so, found by tracing one update before the run needs it.

    A line search, which evaluates the loss by itself, fails here; so does a schedule where none is taken.
    """

    def update(params: Array) -> Any:
        optimizer = optax.with_extra_args_support(constructor(learning_rate=rate))
        return optimizer.update(params, optimizer.init(params), params, value=params[0])

    try:
        jax.eval_shape(update, jax.ShapeDtypeStruct((1,), jnp.float32))
    except (TypeError, ValueError) as error:
        return " ".join(str(error).split())
    return None


def _schedule(config: TrainingConfig, num_steps: int) -> optax.ScalarOrSchedule:
    match config.schedule:
        case "cosine":
            return optax.cosine_decay_schedule(config.learning_rate, num_steps)
        case "linear":
            return optax.linear_schedule(config.learning_rate, 0.0, num_steps)
        case "spall":
            return spall(config.learning_rate, stability=0.1 * num_steps)
        case _:
            return config.learning_rate


def _optimizers() -> list[str]:
    candidates = [name for name in dir(optax) if name.islower() and not name.startswith(("_", "scale_by_"))]
    functions = {name: getattr(optax, name) for name in candidates}
    return [
        name
        for name, function in functions.items()
        if inspect.isfunction(function) and "learning_rate" in _parameters(function)
    ]


def _parameters(constructor: Callable) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(constructor).parameters)
    except (TypeError, ValueError):
        return {}
