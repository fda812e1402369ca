"""Noise as data: which channels act after gates, and how often a readout is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from qjax.checks import as_finite, shown
from qjax.errors import ArgumentError


@dataclass(frozen=True)
class NoiseModel:
    r"""Channels that act after every gate, and readout errors.

    An op of a circuit is one gate, whatever it would be compiled to. After a gate on `k` qubits follow, on
    these qubits and in this order: depolarising with the rate for one qubit or for more, then bit flip,
    phase flip and amplitude damping on each qubit by itself. Rotations into the basis of a measurement are
    not gates of the circuit and carry no noise; every qubit that is read may be read wrongly.

    Args:
        depolarizing_1q: probability `p` that a gate on one qubit is followed by a Pauli error, each of X, Y
            and Z with `p / 3`.
        depolarizing_2q: the same for gates on two qubits or more, each of the `4**k - 1` Pauli strings on the
            gate's `k` qubits with `p / (4**k - 1)`.
        bit_flip: probability of an X on each of the gate's qubits.
        phase_flip: probability of a Z on each of the gate's qubits.
        amplitude_damping: probability that a qubit in state 1 decays to 0.
        readout_p01: probability that a qubit in state 0 is read as 1.
        readout_p10: probability that a qubit in state 1 is read as 0.

    Raises:
        ArgumentError: if a rate is not a number between 0 and 1.

    Example:
        >>> NoiseModel(bit_flip=0.01).acts_on_gates, NoiseModel(readout_p10=0.02).acts_on_gates
        (True, False)

    Reference:
        Nielsen, Chuang, Quantum Computation and Quantum Information (2010), section 8.3.
    """

    depolarizing_1q: float = 0.0
    depolarizing_2q: float = 0.0
    bit_flip: float = 0.0
    phase_flip: float = 0.0
    amplitude_damping: float = 0.0
    readout_p01: float = 0.0
    readout_p10: float = 0.0

    def __post_init__(self):
        for field in fields(self):
            rate = as_finite(getattr(self, field.name))
            if rate is None or not 0 <= rate <= 1:
                raise ArgumentError(
                    field.name,
                    "be a probability between 0 and 1",
                    f"it is {shown(getattr(self, field.name))}",
                    "Leave it out for none.",
                )
            object.__setattr__(self, field.name, rate + 0.0)  # -0.0 becomes 0.0: equal models hash alike

    @property
    def acts_on_gates(self) -> bool:
        """Whether anything happens before the readout."""
        gate_rates = fields(self)[:5]
        return any(getattr(self, field.name) > 0 for field in gate_rates)

    @property
    def acts_on_readout(self) -> bool:
        """Whether a qubit may be read wrongly."""
        return self.readout_p01 > 0 or self.readout_p10 > 0

    def depolarizing(self, num_qubits: int) -> float:
        """The depolarising rate of a gate on so many qubits."""
        return self.depolarizing_1q if num_qubits == 1 else self.depolarizing_2q

    @staticmethod
    def named(name: str) -> NoiseModel:
        """One of IonQ's noise models.

        Args:
            name: "aria-1", "aria-2", "forte-1", or "ideal" for no noise.

        Returns:
            The model.

        Raises:
            ArgumentError: if there is none of that name.

        Example:
            >>> NoiseModel.named("aria-1").depolarizing_2q
            0.0133
        """
        try:
            return NOISE_MODELS[name]
        except (KeyError, TypeError):
            close = difflib.get_close_matches(str(name).lower(), NOISE_MODELS, n=1)
            cure = f"Did you mean `{close[0]}`?" if close else "Pick one, or pass a `NoiseModel`."
            known = ", ".join(NOISE_MODELS)
            raise ArgumentError("noise", f"be one of {known}", f"it is {shown(name)}", cure) from None


NOISE_MODELS: Mapping[str, NoiseModel] = MappingProxyType(
    {
        "ideal": NoiseModel(),
        "aria-1": NoiseModel(depolarizing_1q=0.0005, depolarizing_2q=0.0133),
        "aria-2": NoiseModel(depolarizing_1q=0.000657, depolarizing_2q=0.01856),
        "forte-1": NoiseModel(depolarizing_1q=0.000267, depolarizing_2q=0.00495),
    }
)
"""IonQ's noise models by name, as its cloud simulator has them."""
