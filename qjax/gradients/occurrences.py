"""Gives every occurrence of a trainable angle a slot of its own, so that it can be shifted alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax import gates
from qjax.circuit import Angle, Circuit, Op, Repeat


@dataclass(frozen=True, eq=False)
class Occurrences:
    """A circuit in which each angle that a parameter enters is free.

    Angles that no feature enters become parameters of their own. Angles that a feature enters differ from
    sample to sample, so they become features of their own, with their value computed beforehand; where any
    trainable angle is of that kind, all angles with features are.

    Args:
        circuit: the freed circuit, repeats kept.
        trainable: the angles `[K]` that a parameter enters, in order of execution.
        slots: for each of them its index among the freed circuit's parameters or features `[K]`, int32.
        in_features: for each of them whether that slot is a feature `[K]`, bool.
        spectra: for each of them the spectrum of its generator.
        freed_features: every angle with a feature, in order of execution, where they became features of their
            own; else empty, and the features stay what they were.
    """

    circuit: Circuit
    trainable: tuple[Angle, ...]
    slots: np.ndarray
    in_features: np.ndarray
    spectra: tuple[gates.Spectrum, ...]
    freed_features: tuple[Angle, ...]

    @property
    def params(self) -> np.ndarray:
        """For each trainable angle the parameter that enters it, `[K]`, int32."""
        return np.array([angle.param for angle in self.trainable], np.int32)

    def slopes(self, features: Array) -> Array:
        """The derivative of each trainable angle by its parameter, `[B, K]`, for features `[B, F]`."""
        factors = jnp.concatenate(
            [features, jnp.ones_like(features[:, :1], shape=(len(features), 1))], axis=1
        )
        index = [features.shape[1] if a.feature is None else a.feature for a in self.trainable]
        return factors[:, np.array(index, np.int32)] * jnp.asarray(
            [angle.scale for angle in self.trainable], features.dtype
        )

    def free_params(self, params: Array) -> Array:
        """Values of the freed circuit's parameters, `[K']`, for parameters `[P]`."""
        angles = [a for a, inside in zip(self.trainable, self.in_features, strict=True) if not inside]
        index = np.array([angle.param for angle in angles], np.int32)
        scale = jnp.asarray([angle.scale for angle in angles], params.dtype)
        offset = jnp.asarray([angle.offset for angle in angles], params.dtype)
        return scale * params[index] + offset

    def free_features(self, params: Array, features: Array) -> Array:
        """Values of the freed circuit's features, `[B, F']`, for parameters `[P]` and features `[B, F]`."""
        if not self.freed_features:
            return features
        factors = jnp.concatenate([params, jnp.ones_like(params, shape=(1,))])
        param = [params.size if a.param is None else a.param for a in self.freed_features]
        feature = [a.feature for a in self.freed_features]
        scale = jnp.asarray([angle.scale for angle in self.freed_features], params.dtype)
        offset = jnp.asarray([angle.offset for angle in self.freed_features], params.dtype)
        return scale * factors[np.array(param)] * features[:, np.array(feature)] + offset


@lru_cache(maxsize=256)
def free_occurrences(circuit: Circuit) -> Occurrences:
    """Frees the angles of a circuit.

    Args:
        circuit: the circuit.

    Returns:
        The freed circuit and how its slots relate to the circuit's parameters.

    Example:
        >>> shared = Angle(param=0, scale=2.0)
        >>> freed = free_occurrences(Circuit(1, (Op("rx", (0,), shared), Op("ry", (0,), shared))))
        >>> freed.circuit.num_params, freed.params.tolist()
        (2, [0, 0])
    """
    angles = [angle for op in circuit.unrolled() for angle in op.angles]
    free_features = any(angle.param is not None and angle.feature is not None for angle in angles)
    ops, num_params, num_features = _free(circuit.ops, free_features)
    trainable, slots, in_features, spectra = [], [], [], []
    counters = (itertools.count(), itertools.count())
    for angle, spectrum in _angles_with_spectra(circuit):
        is_feature = free_features and angle.feature is not None
        slot = next(counters[is_feature]) if is_feature or angle.param is not None else -1
        if angle.param is not None:
            trainable.append(angle)
            slots.append(slot)
            in_features.append(is_feature)
            spectra.append(spectrum)
    return Occurrences(
        circuit=Circuit(
            circuit.num_qubits, ops, num_params, num_features if free_features else circuit.num_features
        ),
        trainable=tuple(trainable),
        slots=np.array(slots, np.int32),
        in_features=np.array(in_features, bool),
        spectra=tuple(spectra),
        freed_features=tuple(a for a in angles if a.feature is not None) if free_features else (),
    )


def _angles_with_spectra(circuit: Circuit) -> Iterator[tuple[Angle, gates.Spectrum]]:
    for op in circuit.unrolled():
        yield from zip(op.angles, gates.GATES[op.gate].spectra, strict=True)


def _free(ops: Sequence[Op | Repeat], free_features: bool) -> tuple[tuple[Op | Repeat, ...], int, int]:
    """The operations with free slots counted from zero, and how many parameters and features they take."""
    params = features = 0
    freed: list[Op | Repeat] = []
    for element in ops:
        if isinstance(element, Repeat):
            body, num_params, num_features = _free(element.body, free_features)
            moved = tuple(inner.shifted(params, features) for inner in body)
            stride = num_features if free_features else element.feature_stride
            freed.append(Repeat(moved, element.times, num_params, stride))
            params += num_params * element.times
            features += num_features * element.times
            continue
        angles = []
        for angle in element.angles:
            if free_features and angle.feature is not None:
                angles.append(Angle(feature=features))
                features += 1
            elif angle.param is not None:
                angles.append(Angle(param=params))
                params += 1
            else:
                angles.append(angle)
        freed.append(element.with_angles(angles))
    return tuple(freed), params, features
