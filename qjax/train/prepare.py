"""From a configuration to everything a run needs: data, model, executor, gradient method."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from qjax import data, gradients
from qjax.dispatch import Dispatch
from qjax.engine.chunks import MAX_QUBITS
from qjax.errors import ArgumentError
from qjax.executor import Executor
from qjax.gradients import GradientMethod
from qjax.simulator import MAX_DENSITY_QUBITS, Simulator
from qjax.train.config import SHOT_FREE_METHODS, TrainingConfig
from qjax.train.model import Model, build_model, wanted_features
from qjax.train.outside import refused


@dataclass(frozen=True, eq=False)
class Prepared:
    """A configuration brought to life: everything a run needs, nothing done yet.

    Args:
        config: the configuration.
        dataset: the data, raw.
        train_set: its training part, raw.
        test_set: its test part, raw.
        preprocessing: fitted on the training part.
        model: the model.
        executor: runs the circuits.
        method: the gradient method.
        features: encoded features of all samples, training part first, `[N, E]`.
        targets: their targets `[N]`.
        order: the sample of `dataset` that each of them is, `[N]`.
    """

    config: TrainingConfig
    dataset: data.Dataset
    train_set: data.Dataset
    test_set: data.Dataset
    preprocessing: data.Preprocessing
    model: Model
    executor: Executor
    method: GradientMethod
    features: np.ndarray
    targets: np.ndarray
    order: np.ndarray

    @property
    def num_train(self) -> int:
        """Number of training samples."""
        return self.train_set.num_samples

    def loader(self) -> data.BatchLoader:
        """Batches of the training part."""
        return data.BatchLoader(
            self.features[: self.num_train],
            self.targets[: self.num_train],
            batch_size=self.config.batch_size,
            num_epochs=self.config.epochs,
            seed=self.config.seed,
        )


def prepare(
    config: TrainingConfig, executor: Executor | None = None, *, dataset: data.Dataset | None = None
) -> Prepared:
    """Loads the data, fits the preprocessing, builds the model; checks that all parts fit.

    Args:
        config: the configuration.
        executor: runs the circuits; None for the simulator that the configuration describes.
        dataset: the data, where it need not be loaded, as from the record of a run.

    Returns:
        What a run needs.

    Raises:
        QjaxError: if data or configuration cannot work.
    """
    executor = executor or make_executor(config)
    method = gradient_method(config)
    if method.parts is None and not executor.traceable:
        raise refused(executor)
    dataset = dataset or load_dataset(config)
    parts = data.split_indices(dataset, config.test_fraction, config.seed)
    train_set, test_set = (dataset.subset(part) for part in parts)
    if config.batch_size > train_set.num_samples:
        raise ArgumentError(
            "batch_size",
            f"be at most the number of training samples, {train_set.num_samples}",
            f"it is {config.batch_size}",
            "Lower it, or use more samples.",
        )
    num_features = min(wanted_features(config), dataset.num_features)
    preprocessing = data.Preprocessing.fit(
        train_set.features, num_components=num_features, scaling=config.scaling
    )
    model = build_model(config, preprocessing.num_components, dataset.num_classes)
    raw = np.concatenate([train_set.features, test_set.features])
    targets = np.concatenate([train_set.targets, test_set.targets])
    if model.task == "regression":
        # In units of the training part's spread, so that learning rates mean the same for all data.
        targets = (targets - train_set.targets.mean()) / (train_set.targets.std() or 1.0)
    features = jax.jit(model.encode)(preprocessing.transform(raw).astype(model.dtype))
    return Prepared(
        config=config,
        dataset=dataset,
        train_set=train_set,
        test_set=test_set,
        preprocessing=preprocessing,
        model=model,
        executor=executor,
        method=method,
        features=np.asarray(features),
        targets=targets.astype(model.dtype if model.task == "regression" else np.int32),
        order=np.concatenate(parts),
    )


def load_dataset(config: TrainingConfig) -> data.Dataset:
    """The dataset that a configuration names.

    Args:
        config: the configuration.

    Returns:
        The dataset.

    Raises:
        QjaxError: if there is none, or a file is at fault.
    """
    return data.load(
        config.dataset,
        target=config.target,
        task=config.task,
        num_samples=config.num_samples,
        seed=config.seed,
    )


def gradient_method(config: TrainingConfig) -> GradientMethod:
    """The gradient method that a configuration names.

    Args:
        config: the configuration.

    Returns:
        The method.

    Example:
        >>> gradient_method(TrainingConfig(gradient_method="parameter_shift")).init(None)
        ()
    """
    match config.gradient_method:
        case "adjoint":
            return gradients.adjoint()
        case "parameter_shift":
            return gradients.parameter_shift()
        case "frozen":
            return gradients.frozen()
        case _:
            return gradients.spsa(
                config.perturbation,
                num_directions=config.num_directions,
                subsample_size=config.gradient_subsample_size,
            )


def make_executor(config: TrainingConfig) -> Executor:
    """The simulator that a configuration describes, without the grouping of circuits into jobs.

    Args:
        config: the configuration.

    Returns:
        The executor.

    Raises:
        ArgumentError: if it is none that this package makes, it does not hold so many qubits, or the gradient
            method needs exact results and noise on so many qubits is drawn at random.
    """
    if config.executor != "simulator":
        raise ArgumentError(
            "executor",
            "be given as an object where circuits do not run on the simulator",
            f"there is none for {config.executor!r}",
            "Make it with `hw` and pass it to `prepare(config, executor)`; the command does so by itself.",
        )
    if config.num_qubits > MAX_QUBITS:
        raise ArgumentError(
            "num_qubits",
            f"be at most {MAX_QUBITS} for the simulator",
            f"it is {config.num_qubits}",
            "Lower it.",
        )
    is_large = config.num_qubits > MAX_DENSITY_QUBITS
    simulator = Simulator(
        engine=config.engine,
        shots=config.shots_per_circuit,
        dtype=config.dtype,
        noise=config.noise,
        noise_method="trajectories" if is_large else "density",
    )
    if config.gradient_method in SHOT_FREE_METHODS and not simulator.exact:
        raise ArgumentError(
            "gradient_method",
            f"work from random results where `noise` is set and `num_qubits` is above {MAX_DENSITY_QUBITS}",
            f"`{config.gradient_method}` differentiates the exact simulation",
            "Use spsa_parallel, spsa_subsampled or parameter_shift, or fewer qubits.",
        )
    return simulator


def dispatched(config: TrainingConfig, executor: Executor) -> Executor:
    """The executor with circuits sent as a configuration says: together, one by one, or so many at a time."""
    # The method called `spsa` is the one that sends its circuits one by one.
    batching = config.enable_circuit_batching and config.gradient_method != "spsa"
    if batching and config.max_parallel_circuits is None:
        return executor
    return Dispatch(executor, batching, config.max_parallel_circuits)
