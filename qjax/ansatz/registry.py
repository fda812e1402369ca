"""Ansatz families and encodings by name, as a configuration names them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jax import Array
from jax.typing import ArrayLike

from qjax.ansatz.amplitudes import amplitude
from qjax.ansatz.checks import check_count, check_name
from qjax.ansatz.encodings import angle, identity, iqp, none
from qjax.ansatz.families import data_reuploading, hardware_efficient, strongly_entangling
from qjax.ansatz.protocol import Encoding, real_features
from qjax.circuit import Circuit
from qjax.errors import ArgumentError

ENCODINGS: dict[str, Callable[[], Encoding]] = {
    "angle": angle,
    "iqp": iqp,
    "amplitude": amplitude,
    "none": none,
}
"""The encodings that have a name."""

ANSATZ_FAMILIES: dict[str, Callable[..., Circuit]] = {
    "hardware_efficient": hardware_efficient,
    "data_reuploading": data_reuploading,
    "strongly_entangling": strongly_entangling,
}
"""The ansatz families that have a name and take features."""


@dataclass(frozen=True)
class BuiltAnsatz:
    """A circuit and what turns samples into its features.

    Args:
        circuit: the circuit; its features are encoded features.
        encoding: the encoding.
        num_features: F, the number of features before the encoding.
    """

    circuit: Circuit
    encoding: Encoding
    num_features: int

    def encode(self, features: ArrayLike) -> Array:
        """Turns samples into the circuit's features: pure, traceable and differentiable.

        Args:
            features: `[..., F]`, real.

        Returns:
            Encoded features `[..., E]`, with E the circuit's `num_features`.

        Raises:
            ArgumentError: if there is another number of features.
        """
        array = real_features(features)
        if array.shape[-1] != self.num_features:
            raise ArgumentError(
                "features",
                f"have shape [..., {self.num_features}] for this ansatz",
                f"its shape is {list(array.shape)}",
                f"Build the ansatz with `num_features={array.shape[-1]}`.",
            )
        return self.encoding.encode(array, self.circuit.num_qubits)


def build(
    name: str,
    num_qubits: int,
    num_layers: int,
    *,
    num_features: int,
    encoding: str | Encoding | None = None,
    **options: Any,
) -> BuiltAnsatz:
    """Builds an ansatz from names.

    Args:
        name: "hardware_efficient", "data_reuploading" or "strongly_entangling".
        num_qubits: number of qubits, 1 or more.
        num_layers: number of layers, 1 or more.
        num_features: F, the number of features before the encoding; 0 for the encoding "none".
        encoding: "angle", "iqp", "amplitude" or "none", or an encoding made by one of these functions; None
            is "angle". The layers of "data_reuploading" take the features themselves: it accepts only None
            and "none".
        **options: further keyword arguments of the family.

    Returns:
        The circuit and its encoding.

    Raises:
        ArgumentError: if a name or an option is unknown or has no meaning, or the encoding does not take as
            many features.

    Example:
        >>> import jax.numpy as jnp
        >>> model = build("hardware_efficient", 2, 1, encoding="amplitude", num_features=4)
        >>> model.encode(jnp.ones((10, 4))).shape, model.circuit.num_features
        ((10, 3), 3)
    """
    family = ANSATZ_FAMILIES[check_name("name", name, ANSATZ_FAMILIES)]
    keywords = inspect.signature(family).parameters.values()
    known = {word.name for word in keywords if word.kind is word.KEYWORD_ONLY}
    for option in options:
        check_name("options", option, sorted(known - {"encoding", "num_features"}))
    num_features = check_count("num_features", num_features, minimum=0)
    if "encoding" not in known:
        if encoding not in (None, "none"):
            raise ArgumentError(
                "encoding",
                f"be left out for `{name}`",
                f"it is {encoding!r}",
                "The layers of this ansatz encode the features themselves.",
            )
        circuit = family(num_qubits, num_layers, num_features=num_features, **options)
        return BuiltAnsatz(circuit, identity(num_features), num_features)
    chosen = _encoding(encoding)
    circuit = family(num_qubits, num_layers, encoding=chosen, num_features=num_features, **options)
    return BuiltAnsatz(circuit, chosen, num_features)


def _encoding(encoding: str | Encoding | None) -> Encoding:
    if encoding is None:
        return angle()
    if isinstance(encoding, Encoding):
        return encoding
    return ENCODINGS[check_name("encoding", encoding, ENCODINGS)]()
