"""A trained model brought to life: from raw features to labels, probabilities or numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from qjax.circuit import Circuit
from qjax.data import Preprocessing
from qjax.data.statistics import finite_table
from qjax.errors import ArgumentError, DataError, QjaxError, StoreError
from qjax.gradients import Params
from qjax.store import ModelRecord, from_bytes
from qjax.train.artifact import FORMAT
from qjax.train.config import TrainingConfig
from qjax.train.losses import classes
from qjax.train.model import Model, build_model
from qjax.train.prepare import make_executor

_BLOCK_AMPLITUDES = 2**16
_MAX_BLOCK = 256


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model with its parameters and its preprocessing, as it was when it was saved.

    Samples are predicted in blocks of one size, so that what is predicted for one does not depend on those
    beside it. Expectation values are exact, also where the model was trained from measured ones; noise of
    the configuration stays.

    Args:
        record: the model as it is kept.
        config: configuration of the run it came from.
        preprocessing: the map that was fitted to the training part.
        model: circuit, encoding, observables and head.
        params: their parameters.
        feature_names: names of the F raw features, in the order in which they are taken.
        class_names: names of the classes, empty for regression.

    Example:
        >>> import tempfile
        >>> from qjax.models import load
        >>> from qjax.store import RunStore
        >>> from qjax.train import TrainingConfig, train
        >>> config = TrainingConfig(dataset="iris", num_samples=30, num_qubits=2, num_layers=1, epochs=1)
        >>> with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:
        ...     _ = train(config, store=store)
        ...     model = load(store, "latest")
        >>> model.predict([[5.1, 3.5, 1.4, 0.2]]).shape, model.class_names
        ((1,), ('setosa', 'versicolor', 'virginica'))
    """

    record: ModelRecord
    config: TrainingConfig
    preprocessing: Preprocessing
    model: Model
    params: Params
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    @staticmethod
    def from_record(record: ModelRecord) -> TrainedModel:
        """Builds a model from what is kept of it.

        Args:
            record: what is kept.

        Returns:
            The model.

        Raises:
            StoreError: it is of a newer version, or its parts do not fit together.
        """
        version = record.description.get("format")
        if not isinstance(version, int) or version > FORMAT:
            raise StoreError(
                f"The model has format version {version!r}, but this qjax knows versions up to {FORMAT}. "
                "Update qjax."
            )
        try:
            return _build(record)
        except (QjaxError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(
                f"The model {record.id[:12]} cannot be built from what is kept of it ({error}). Use the "
                "version of qjax that saved it, or train anew."
            ) from error

    @property
    def id(self) -> str:
        """SHA-256 of the model: equal models have equal ids in every store."""
        return self.record.id

    def outputs(self, features: npt.ArrayLike) -> np.ndarray:
        """What the head makes of each sample: margins or logits, or targets in units of the training part.

        Args:
            features: raw features `[N, F]`, real.

        Returns:
            `[N, C]`, one column for two classes and for regression, in the dtype of the model.

        Raises:
            ArgumentError: there is another number of features.
            DataError: they are not a table of finite numbers.
        """
        table = finite_table(features)
        if table.shape[1] != len(self.feature_names):
            raise ArgumentError(
                "features",
                f"have shape [N, {len(self.feature_names)}] for this model",
                f"its shape is {list(table.shape)}",
                f"Give the features {_some(self.feature_names)} in this order.",
            )
        blocks = []
        for first in range(0, len(table), self._block):
            block = table[first : first + self._block]
            filled = np.resize(block, (self._block, table.shape[1]))
            inputs = self.preprocessing.transform(filled).astype(self.model.dtype)
            blocks.append(np.asarray(self._program(self.params, inputs))[: len(block)])
        return np.concatenate(blocks) if blocks else np.zeros((0, self._num_outputs), self.model.dtype)

    def predict(self, features: npt.ArrayLike) -> np.ndarray:
        """Predicts a label or a number for each sample.

        Args:
            features: raw features `[N, F]`, real, in the order of `feature_names`.

        Returns:
            `[N]`: class names as they stand in the data, or float64 numbers in the units of the data.

        Raises:
            ArgumentError: there is another number of features.
            DataError: they are not a table of finite numbers.
        """
        outputs = self.outputs(features)
        if self.model.task == "regression":
            units = self.record.description["units"]
            return outputs[:, 0].astype(np.float64) * units["scale"] + units["mean"]
        return np.asarray(self.class_names)[np.asarray(classes(jnp.asarray(outputs)))]

    @property
    def has_probabilities(self) -> bool:
        """Whether its loss makes its outputs probabilities: cross entropy does."""
        return self.model.task != "regression" and self.config.loss in (None, "cross_entropy")

    def predict_proba(self, features: npt.ArrayLike) -> np.ndarray:
        """Predicts the probability of each class.

        Args:
            features: raw features `[N, F]`, real, in the order of `feature_names`.

        Returns:
            float64 `[N, C]`, columns in the order of `class_names`; rows sum to 1.

        Raises:
            ArgumentError: there is another number of features, or the model was trained with a loss that
                makes no probabilities.
            DataError: they are not a table of finite numbers.
        """
        if not self.has_probabilities:
            raise ArgumentError(
                "model",
                "be a classifier trained with the loss cross_entropy to give probabilities",
                f"it is one for {self.model.task} data trained with {self.config.loss or 'squared_error'}",
                "Use `predict`, or `outputs` for its margins.",
            )
        logits = self.outputs(features).astype(np.float64)
        if logits.shape[1] == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    @cached_property
    def _block(self) -> int:
        return max(1, min(_MAX_BLOCK, _BLOCK_AMPLITUDES >> self.model.circuit.num_qubits))

    @property
    def _num_outputs(self) -> int:
        return len(self.class_names) if self.model.task == "multiclass" else 1

    @cached_property
    def _program(self) -> Callable[[Params, np.ndarray], jax.Array]:
        # Trained on hardware or from measurements: what is used afterwards is what these estimate.
        config = replace(self.config, executor="simulator", shots_per_circuit=None)
        executor, model = make_executor(config), self.model
        key = jax.random.key(config.seed)

        @jax.jit
        def program(params: Params, inputs: jax.Array) -> jax.Array:
            encoded = model.encode(inputs)
            found = executor.expectations(
                model.circuit, params.circuit[None], encoded, model.observables, key=key
            )
            return model.head.apply(params.head, found.mean[0])

        return program


def _build(record: ModelRecord) -> TrainedModel:
    description = record.description
    config = TrainingConfig.from_mapping(description["config"])
    preprocessing = Preprocessing.from_json(json.dumps(description["preprocessing"]))
    class_names = tuple(description["classes"])
    model = build_model(config, preprocessing.num_components, len(class_names))
    # As it was saved, whatever the ansatz of that name builds today.
    circuit = Circuit.from_json(description["circuit"])
    if circuit.content_hash != description["circuit_hash"]:
        raise DataError("its circuit is not the one of its hash")
    if circuit.num_features != model.circuit.num_features:
        raise DataError("its circuit takes another number of encoded features")
    model = replace(model, circuit=circuit)
    _check_texts(description)
    feature_names = tuple(description["features"])
    if len(feature_names) != preprocessing.num_features:
        raise DataError("its features and its preprocessing differ in number")
    if model.task == "regression":
        units = description["units"]
        if not all(isinstance(units[name], float) for name in ("mean", "scale")):
            raise DataError("its units are not numbers")
    return TrainedModel(
        record=record,
        config=config,
        preprocessing=preprocessing,
        model=model,
        params=_params(model, record.payload),
        feature_names=feature_names,
        class_names=class_names,
    )


def _params(model: Model, payload: bytes) -> Params:
    leaves, structure = jax.tree.flatten(jax.eval_shape(model.init, jax.random.key(0)))
    arrays = from_bytes(payload)
    if [(array.shape, array.dtype) for array in arrays] != [(leaf.shape, leaf.dtype) for leaf in leaves]:
        raise DataError("its parameters do not fit its circuit and head")
    return jax.tree.unflatten(structure, [jnp.asarray(array) for array in arrays])


def _check_texts(description: Mapping[str, Any]) -> None:
    """Checks what no prediction needs, but every list of models shows: one bad model would end them all."""
    dataset, metrics = description["dataset"], description["metrics"]
    texts = (description["name"], dataset["name"], dataset["version"])
    if not all(isinstance(text, str) for text in texts):
        raise DataError("its name or that of its dataset is no text")
    if not all(isinstance(value, int | float | None) for value in metrics.values()):
        raise DataError("its metrics are not numbers")


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
