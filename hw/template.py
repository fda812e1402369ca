"""A circuit translated once: gates of the service, and the angles as a table that numbers are put into."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from hw.lowering import lower
from hw.primitives import Primitive
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.observables import MeasurementGroup

Texts = list[str]
_BASIS_CHANGE = {"X": ("h",), "Y": ("si", "h"), "Z": ()}


@dataclass(frozen=True)
class Template:
    """A circuit in the service's gates, with a table of its angles.

    Attributes:
        num_qubits: the circuit's number of qubits.
        gates: the gates, first to last.

    Example:
        >>> from qjax import Angle, Circuit, Op
        >>> template = translate(Circuit(1, (Op("ry", (0,), Angle(param=0, feature=0, scale=2.0)),)))
        >>> angles = template.angles(np.array([[0.5]]), np.array([[1.0], [3.0]]))
        >>> angles.shape, template.texts(angles[0])[1]
        ((1, 2, 1), '{"gate":"ry","targets":[0],"rotation":3.0}')
    """

    num_qubits: int
    gates: tuple[Primitive, ...]

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        angles = [gate.angle for gate in self.gates if gate.angle is not None]
        # Index -1 is the last column, a one, for the factor that is absent.
        params = np.array([-1 if a.param is None else a.param for a in angles], np.intp)
        features = np.array([-1 if a.feature is None else a.feature for a in angles], np.intp)
        scales = np.array([0.0 if a.is_constant else a.scale for a in angles], np.float64)
        return params, features, scales, np.array([a.offset for a in angles], np.float64)

    @cached_property
    def _text(self) -> str:
        return ",".join(_gate_text(gate) for gate in self.gates)

    def angles(self, params: np.ndarray, features: np.ndarray) -> np.ndarray:
        """The angles of S parameter sets times B samples.

        Args:
            params: `[S, P]`, real, radians.
            features: `[B, F]` or `[S, B, F]`, real.

        Returns:
            Angles `[S, B, K]`, float64, in the order of the rotations.

        Raises:
            ArgumentError: if an angle is not finite.
        """
        param_index, feature_index, scales, offsets = self._table
        own = _with_one(params)[:, None, :][..., param_index]
        angles = scales * own * _with_one(features)[..., feature_index] + offsets
        if not np.isfinite(angles).all():
            raise ArgumentError(
                "params",
                "give finite angles",
                "with these features an angle is infinite or not a number",
                "Look for a step size that is too large, or for data that was not scaled.",
            )
        return angles

    def texts(self, angles: np.ndarray) -> Texts:
        """The JSON form of the gates, for many circuits.

        Args:
            angles: `[N, K]`, radians.

        Returns:
            N texts: gate objects with commas between, without brackets.
        """
        return [self._text % tuple(row) for row in angles.tolist()]


@lru_cache(maxsize=256)
def translate(circuit: Circuit) -> Template:
    """Translates a circuit's structure, once for all numbers.

    Args:
        circuit: the circuit.

    Returns:
        The template.
    """
    return Template(circuit.num_qubits, lower(circuit))


@lru_cache(maxsize=4096)
def basis_change(group: MeasurementGroup) -> tuple[Primitive, ...]:
    """The service's gates after which a measurement in the computational basis measures a group.

    Args:
        group: the measurement group.

    Returns:
        Gates, first to last.
    """
    return tuple(Primitive(gate, (qubit,)) for qubit, letter in group.basis for gate in _BASIS_CHANGE[letter])


def circuit_texts(prefixes: Sequence[str], suffix: Sequence[Primitive]) -> Texts:
    """Whole circuits in JSON form: the gates of each, and the same change of basis after all.

    Args:
        prefixes: gates in JSON form, as `Template.texts` gives them.
        suffix: gates that end every circuit.

    Returns:
        JSON objects, one for each prefix.
    """
    end = ",".join(_gate_text(gate) for gate in suffix)
    # The service takes no circuit without gates; Z changes nothing in the state that circuits begin with.
    empty = _gate_text(Primitive("z", (0,)))
    return [
        f'{{"circuit":[{",".join(part for part in (prefix, end) if part) or empty}]}}' for prefix in prefixes
    ]


def _gate_text(gate: Primitive) -> str:
    value: dict[str, object] = {"gate": gate.gate}
    if gate.gate == "cnot":
        value["control"], value["target"] = gate.qubits
    else:
        value["targets"] = list(gate.qubits)
    text = json.dumps(value, separators=(",", ":"))
    return text if gate.angle is None else f'{text[:-1]},"rotation":%r}}'


def _with_one(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values, np.float64)
    return np.concatenate([array, np.ones((*array.shape[:-1], 1))], axis=-1)
