"""From a configuration and its data to a model: circuit, encoding, observables, head and loss."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import Array

from qjax import ansatz
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Executor
from qjax.gradients import Measured, Objective, Params
from qjax.observables import PauliSum, as_observables
from qjax.train import heads
from qjax.train.config import TrainingConfig, unknown_name
from qjax.train.losses import Task, loss_function, score_function

# Controlled Z commutes with Z: from small initial angles every output starts as a function of its own
# feature, which trains far better than the parities that controlled X makes of them.
_USUAL_OPTIONS: dict[str, dict[str, Any]] = {"hardware_efficient": {"entangler": "cz"}}


@dataclass(frozen=True, eq=False)
class Model:
    """A variational model, as pure functions of its parameters.

    Args:
        circuit: the circuit, which takes encoded features.
        encode: from features `[..., F]` to the circuit's features.
        observables: what is measured.
        head: from outputs `[B, O]` to predictions `[B, C]`.
        task: what is predicted.
        loss: from predictions, targets and weights to the batch's loss.
        score: from predictions, targets and weights to accuracy, or R^2 in regression.
        dtype: real dtype of parameters and features.
    """

    circuit: Circuit
    encode: Callable[[Array], Array]
    observables: tuple[PauliSum, ...]
    head: heads.Head
    task: Task
    loss: Callable[[Array, Array, Array], Array]
    score: Callable[[Array, Array, Array], Array]
    dtype: np.dtype

    def init(self, key: Array) -> Params:
        """Random initial parameters."""
        circuit_key, head_key = jax.random.split(key)
        return Params(
            circuit=ansatz.initial_params(self.circuit, circuit_key).astype(self.dtype),
            head=self.head.init(head_key),
        )

    def objective(self, executor: Executor) -> Objective:
        """The loss of a batch, with circuits run by an executor."""

        def loss(head: Any, outputs: Array, targets: Array, weights: Array) -> Array:
            return self.loss(self.head.apply(head, outputs), targets, weights)

        return Objective(executor, self.circuit, self.observables, loss)

    def measured_score(self, params: Params, measured: Measured) -> Array:
        """The score of outputs that a gradient measured anyway."""
        predictions = self.head.apply(params.head, measured.outputs)
        return self.score(predictions, measured.targets, measured.weights)


def wanted_features(config: TrainingConfig) -> int:
    """How many features the configuration asks for, or else the most that its encoding takes.

    Args:
        config: the configuration.

    Returns:
        The number of features.

    Raises:
        ArgumentError: if the encoding does not take as many.

    Example:
        >>> wanted_features(TrainingConfig(num_qubits=3)), wanted_features(
        ...     TrainingConfig(num_qubits=3, encoding="amplitude"))
        (3, 8)
    """
    if config.ansatz == "data_reuploading":
        return config.num_features or sys.maxsize
    encoding = config.encoding or "angle"
    if encoding not in ansatz.ENCODINGS:
        raise unknown_name("encoding", encoding, ansatz.ENCODINGS)
    most = ansatz.ENCODINGS[encoding]().max_features(config.num_qubits)
    if config.num_features is not None and config.num_features > most:
        raise ArgumentError(
            "num_features",
            f"be at most {most} for the encoding `{encoding}` on {config.num_qubits} qubit(s)",
            f"it is {config.num_features}",
            f"Set it to {most} (principal components), or raise `num_qubits`.",
        )
    return config.num_features or most


def build_model(config: TrainingConfig, num_features: int, num_classes: int) -> Model:
    """Builds the model that a configuration describes.

    Args:
        config: the configuration.
        num_features: F, features of a sample after preprocessing.
        num_classes: number of classes; 0 for regression.

    Returns:
        The model.

    Raises:
        ArgumentError: if parts do not fit together; the message names the key of the configuration.

    Example:
        >>> build_model(TrainingConfig(num_qubits=2), num_features=2, num_classes=2).circuit.num_params
        8
    """
    options = {name: getattr(config, name) for name in ("encoding", "rotations", "entangler", "topology")}
    chosen = {name: value for name, value in options.items() if value is not None}
    built = ansatz.build(
        config.ansatz,
        config.num_qubits,
        config.num_layers,
        num_features=num_features,
        **{**_USUAL_OPTIONS.get(config.ansatz, {}), **chosen},
    )
    observables = _observables(config)
    dtype = np.dtype(np.float64 if config.dtype == "complex128" else np.float32)
    task: Task = "regression" if num_classes == 0 else "binary" if num_classes == 2 else "multiclass"
    num_predictions = num_classes if task == "multiclass" else 1
    if config.head == "linear":
        head = heads.linear(len(observables), num_predictions, dtype)
    else:
        head = heads.identity(len(observables), num_predictions)
    return Model(
        circuit=built.circuit,
        encode=built.encode,
        observables=observables,
        head=head,
        task=task,
        loss=loss_function(config.loss, task),
        score=score_function(task),
        dtype=dtype,
    )


def _observables(config: TrainingConfig) -> tuple[PauliSum, ...]:
    if config.observables is None:
        return tuple(PauliSum(f"Z{qubit}") for qubit in range(config.num_qubits))
    if not config.observables:
        raise ArgumentError(
            "observables",
            "name one Pauli string or more",
            "it is empty",
            "Leave it out for Z on every qubit.",
        )
    try:
        return as_observables([PauliSum(text) for text in config.observables], config.num_qubits)
    except ArgumentError as error:
        if error.argument == "observables":
            raise
        raise ArgumentError(
            "observables",
            'hold Pauli strings such as "Z0" or "X0 Y2"',
            f"it is {list(config.observables)!r}",
            "Give each qubit one letter of X, Y, Z, directly followed by its number.",
        ) from None
