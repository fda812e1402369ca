"""The configuration of a training run: one flat, frozen record with every choice."""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal

from qjax.errors import ArgumentError
from qjax.noise import NOISE_MODELS

GRADIENT_METHODS = ("adjoint", "parameter_shift", "spsa", "spsa_parallel", "spsa_subsampled", "frozen")
SHOT_FREE_METHODS = ("adjoint",)
SERVICES = ("ionq-local", "ionq")
"""Executors that run circuits as jobs of a service."""


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a run. Equal configurations give equal numbers.

    Args:
        dataset: a name that `qjax.data.names()` lists, or the path of a CSV or NPZ file.
        target: column of a CSV file to predict; None for the column that is named so, or the last.
        task: "classification" or "regression"; None to tell from the data.
        num_samples: samples drawn from the data (or made, for synthetic data); None for all.
        test_fraction: part of the samples kept for testing.
        num_features: features after principal component analysis, at most the data's own; None for as many as
            the encoding takes.
        scaling: how features become angles: "standard", "minmax", "none" or "unit_norm".
        num_qubits: qubits of the model.
        num_layers: layers of the ansatz.
        ansatz: a family of `qjax.ansatz`: "hardware_efficient", "data_reuploading", "strongly_entangling".
        rotations: rotation gates of each layer, such as ["ry", "rz"]; None, here and below, for the
            ansatz's own choice.
        entangler: entangling gate, such as "cx"; None means "cz" for "hardware_efficient".
        topology: which qubits it joins: "linear", "ring", "full" or "brick".
        encoding: "angle", "iqp" or "amplitude".
        observables: Pauli strings to measure; None for Z on every qubit.
        head: classical map from the outputs to the prediction: "linear" or "none".
        loss: "cross_entropy", "hinge", "squared_error" or "huber"; None for the task's usual one.
        gradient_method: "adjoint", "parameter_shift", "spsa" (circuits sent one by one), "spsa_parallel" (as
            one batch), "spsa_subsampled", or "frozen" (only the head learns).
        gradient_subsample_size: samples that a subsampled gradient draws from each batch.
        perturbation: c of SPSA, in radians.
        num_directions: directions that SPSA averages.
        optimizer: name of any optimizer of optax that takes a learning rate.
        learning_rate: its learning rate; with `schedule="spall"` the gain a.
        schedule: "cosine", "linear" or "spall" decay, or "constant".
        epochs: passes over the training samples.
        batch_size: samples of a step.
        seed: decides split, initial parameters, order of samples, perturbations and shots.
        executor: where circuits run: "simulator"; "cirq", Cirq's simulator; "ionq-local", a server on this
            machine that speaks IonQ's language; "ionq", the service itself.
        backend: IonQ's target: "simulator" or a machine, such as "qpu.forte-1".
        debiasing: IonQ's error mitigation, on or off; None for the service's own choice.
        engine: engine of the simulator: "auto", "xla" or "native".
        dtype: "complex64" or "complex128".
        noise: noise of the simulator, here or at the service, one of IonQ's models: "aria-1", "aria-2" or
            "forte-1"; None or "ideal" for none. Density matrices to 10 qubits, random trajectories above.
        shots_per_circuit: measurements of each circuit; None for exact results.
        enable_circuit_batching: one job for many circuits, or one each.
        max_parallel_circuits: the most circuits of a step in flight at once; None for no bound.
        batch_submission_timeout: seconds that a step may wait for its results before the run stops cleanly,
            with a checkpoint.
        pipeline_depth: d, how many steps late gradients come: the one applied at step t was taken at the
            parameters of step t - d, so that the circuits of d + 1 steps are in flight at once.
        evaluate: when the model is evaluated on all samples: "epoch" (after each), "end" or "never"; None for
            "epoch" where circuits run on this machine, and for "end" where each of them costs.
        record_states: which states of the circuit the store keeps: "never" any, of each "batch" its samples
            before its step, after each "epoch" all samples, or all samples at the "end".

    Raises:
        ArgumentError: if a value cannot work; the message names the key.

    Example:
        >>> TrainingConfig(epochs=2).batch_size
        10
        >>> TrainingConfig(batch_size=0)
        Traceback (most recent call last):
        ...
        qjax.errors.ArgumentError: Argument `batch_size` must be 1 or more, but it is 0. Raise it.
    """

    dataset: str = "breast_cancer"
    target: str | None = None
    task: Literal["classification", "regression"] | None = None
    num_samples: int | None = None
    test_fraction: float = 0.2
    num_features: int | None = None
    scaling: Literal["minmax", "standard", "none", "unit_norm"] = "standard"
    num_qubits: int = 8
    num_layers: int = 2
    ansatz: str = "hardware_efficient"
    rotations: tuple[str, ...] | None = None
    entangler: str | None = None
    topology: str | None = None
    encoding: str | None = None
    observables: tuple[str, ...] | None = None
    head: Literal["linear", "none"] = "linear"
    loss: Literal["cross_entropy", "hinge", "squared_error", "huber"] | None = None
    gradient_method: str = "adjoint"
    gradient_subsample_size: int | None = None
    perturbation: float = 0.2
    num_directions: int = 1
    optimizer: str = "adam"
    learning_rate: float = 0.05
    schedule: Literal["constant", "cosine", "linear", "spall"] = "cosine"
    epochs: int = 5
    batch_size: int = 10
    seed: int = 0
    executor: Literal["simulator", "cirq", "ionq-local", "ionq"] = "simulator"
    backend: str = "simulator"
    debiasing: bool | None = None
    engine: Literal["auto", "native", "xla"] = "auto"
    dtype: Literal["complex64", "complex128"] = "complex64"
    noise: str | None = None
    shots_per_circuit: int | None = None
    enable_circuit_batching: bool = True
    max_parallel_circuits: int | None = None
    batch_submission_timeout: float = 300.0
    pipeline_depth: int = 0
    evaluate: Literal["epoch", "end", "never"] | None = None
    record_states: Literal["never", "batch", "epoch", "end"] = "never"

    def __post_init__(self):
        hints = _hints()
        for field in fields(self):
            value = _convert(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
        for name in _AT_LEAST_ONE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArgumentError(name, "be 1 or more", f"it is {value}", "Raise it.")
        for name in ("perturbation", "learning_rate", "batch_submission_timeout"):
            if not 0 < getattr(self, name) < math.inf:
                raise ArgumentError(
                    name, "be positive and finite", f"it is {getattr(self, name)}", "Correct the value."
                )
        if not 0 <= self.seed < 2**32:
            raise ArgumentError(
                "seed", "lie between 0 and 2**32 - 1", f"it is {self.seed}", "Pass a smaller one."
            )
        if self.shots_per_circuit is not None and self.shots_per_circuit >= 2**31:
            raise ArgumentError(
                "shots_per_circuit",
                "be below 2**31",
                f"it is {self.shots_per_circuit}",
                "Leave it out for exact results.",
            )
        if not 0 <= self.pipeline_depth <= 100:
            raise ArgumentError(
                "pipeline_depth",
                "lie between 0 and 100",
                f"it is {self.pipeline_depth}",
                "Usual values are 0, 1 and 2: later gradients train worse.",
            )
        if not 0 < self.test_fraction < 1:
            raise ArgumentError(
                "test_fraction", "lie between 0 and 1", f"it is {self.test_fraction}", "A usual value is 0.2."
            )
        if self.noise is not None and self.noise not in NOISE_MODELS:
            raise unknown_name("noise", self.noise, NOISE_MODELS)
        if self.record_states != "never" and self.num_qubits > _MAX_RECORDED_QUBITS:
            raise ArgumentError(
                "record_states",
                f'be "never" where the model has more than {_MAX_RECORDED_QUBITS} qubits',
                f"it has {self.num_qubits}",
                "Leave the key out: a state for each sample would fill the disk.",
            )
        self._check_method()

    def _check_method(self) -> None:
        if self.gradient_method not in GRADIENT_METHODS:
            raise unknown_name("gradient_method", self.gradient_method, GRADIENT_METHODS)
        if self.gradient_method in SHOT_FREE_METHODS and self.shots_per_circuit is not None:
            raise ArgumentError(
                "gradient_method",
                "work from measured results where `shots_per_circuit` is set",
                f"`{self.gradient_method}` differentiates the exact simulation",
                "Leave `shots_per_circuit` out, or use spsa_parallel, spsa_subsampled or parameter_shift.",
            )
        if self.gradient_method in SHOT_FREE_METHODS and self.executor != "simulator":
            raise ArgumentError(
                "gradient_method",
                f"work from measured results on the executor {self.executor}",
                f"{self.gradient_method} differentiates the simulation itself",
                "Use spsa_subsampled, spsa_parallel, spsa or parameter_shift.",
            )
        subsampled = self.gradient_method == "spsa_subsampled"
        if subsampled and self.gradient_subsample_size is None:
            raise ArgumentError(
                "gradient_subsample_size",
                "be set for the gradient method spsa_subsampled",
                "it is not",
                "Set it to a few samples, such as 2 or 5.",
            )
        if not subsampled and self.gradient_subsample_size is not None:
            raise ArgumentError(
                "gradient_subsample_size",
                "be left out unless the gradient method is spsa_subsampled",
                f"it is {self.gradient_subsample_size} with `{self.gradient_method}`",
                "Leave it out, or set `gradient_method` to spsa_subsampled.",
            )
        if subsampled and (self.gradient_subsample_size or 0) > self.batch_size:
            raise ArgumentError(
                "gradient_subsample_size",
                f"be at most `batch_size`, {self.batch_size}",
                f"it is {self.gradient_subsample_size}",
                "Lower it, or raise `batch_size`.",
            )

    @property
    def evaluation(self) -> Literal["epoch", "end", "never"]:
        """When the model is evaluated: as `evaluate` says, or else as suits the executor."""
        return self.evaluate or ("end" if self.executor in SERVICES else "epoch")

    @staticmethod
    def from_mapping(values: Mapping[str, Any]) -> TrainingConfig:
        """Reads a configuration from parsed TOML or JSON.

        Args:
            values: keys and values; keys that are left out take their defaults.

        Returns:
            The configuration.

        Raises:
            ArgumentError: on a key that does not exist, with the nearest one that does, or a bad value.

        Example:
            >>> TrainingConfig.from_mapping({"epoch": 3})
            Traceback (most recent call last):
            ...
            qjax.errors.ArgumentError: Argument `epoch` must be a key of the configuration, but there is no...
        """
        known = [field.name for field in fields(TrainingConfig)]
        for key in values:
            if key not in known:
                close = _closest(key, known)
                raise ArgumentError(
                    key if key.isprintable() and len(key) <= 80 else _shown(key),
                    "be a key of the configuration",
                    "there is none of that name",
                    f"Did you mean `{close}`?" if close else f"The keys are {', '.join(known)}.",
                )
        return TrainingConfig(**values)

    def to_mapping(self) -> dict[str, Any]:
        """All keys and values, ready for JSON; `from_mapping` reads them back."""
        # Not `asdict`: it copies every value, though none can change.
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


_MAX_RECORDED_QUBITS = 20

_AT_LEAST_ONE = (
    "num_samples",
    "num_features",
    "num_qubits",
    "num_layers",
    "gradient_subsample_size",
    "num_directions",
    "epochs",
    "batch_size",
    "shots_per_circuit",
    "max_parallel_circuits",
)


def unknown_name(argument: str, name: object, known: typing.Iterable[str]) -> ArgumentError:
    """The error for a name that is none of the known ones.

    Args:
        argument: where it was given.
        name: what was given.
        known: the names that exist.

    Returns:
        The error, to be raised.
    """
    names = list(known)
    close = _closest(str(name), names)
    cure = f"Did you mean `{close}`?" if close else "Pick one of them."
    return ArgumentError(argument, f"be one of {', '.join(names)}", f"it is {_shown(name)}", cure)


def _shown(value: object) -> str:
    """A value as a message shows it: on one line, and not all of a very long one."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _closest(name: str, names: list[str]) -> str | None:
    """The name that was probably meant: one spelt alike, or else one that begins so, as `shots` does."""
    beginning = [each for each in names if len(name) > 2 and each.startswith(name)]
    return next(iter(difflib.get_close_matches(name, names, n=1) + beginning), None)


def defaults() -> dict[str, Any]:
    """The default of every key."""
    return {field.name: field.default for field in fields(TrainingConfig) if field.default is not MISSING}


def _hints() -> dict[str, Any]:
    return typing.get_type_hints(TrainingConfig)


def _convert(name: str, value: Any, hint: Any) -> Any:
    """The value in the type of its field; integers serve as floats and lists as tuples."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in options:
            return None
        return _convert(name, value, next(option for option in options if option is not type(None)))
    if origin is Literal:
        if value not in options:
            raise unknown_name(name, value, options)
        return value
    if origin is tuple:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise _wrong_type(name, "a list of strings", value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ArgumentError(name, "fit into a float", "it is too large", "Lower it.") from None
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise _wrong_type(name, _WORDS[hint], value)


_WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}


def _wrong_type(name: str, words: str, value: Any) -> ArgumentError:
    return ArgumentError(name, f"be {words}", f"it is {_shown(value)}", "Correct the value.")
