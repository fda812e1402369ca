"""Observables as weighted sums of Pauli strings, and the bases they are measured in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qjax.checks import as_finite, finite, integer, shown
from qjax.circuit import Op
from qjax.errors import ArgumentError

PauliString = tuple[tuple[int, str], ...]
"""Sorted pairs of a qubit and one of the letters X, Y, Z; the empty tuple is the identity."""

_FACTOR = re.compile(r"([XYZ])([0-9]{1,9})")


@dataclass(frozen=True)
class PauliSum:
    r"""A Hermitian observable, `sum_t c_t P_t` with real `c_t` and Pauli strings `P_t`.

    Args:
        terms: a Pauli string such as `"Z0"` or `"X0 Y2"` (`"I"` or `""` is the identity), or a mapping from
            such strings to real coefficients, or pairs of a string and a coefficient.

    Raises:
        ArgumentError: if a string cannot be read, names a qubit twice, or a coefficient is not real.

    Example:
        >>> ising = PauliSum({"Z0 Z1": 0.5, "X0": -1.0})
        >>> print(ising + PauliSum("X0"))
        0.5 Z0 Z1
        >>> ising.num_qubits
        2
    """

    terms: tuple[tuple[PauliString, float], ...]

    def __init__(self, terms: str | Mapping[str, float] | Sequence[tuple[str | PauliString, float]]):
        collected: dict[PauliString, float] = {}
        for string, coefficient in _pairs(terms):
            key = parse_pauli(string) if isinstance(string, str) else _checked(string)
            collected[key] = _coefficient(collected.get(key, 0.0) + _coefficient(coefficient))
        kept = sorted((key, value) for key, value in collected.items() if value != 0.0)
        object.__setattr__(self, "terms", tuple(kept))

    @property
    def num_qubits(self) -> int:
        """The number of qubits it needs: its highest qubit plus one."""
        return max((string[-1][0] + 1 for string, _ in self.terms if string), default=0)

    def __add__(self, other: PauliSum) -> PauliSum:
        return PauliSum(self.terms + other.terms)

    def __sub__(self, other: PauliSum) -> PauliSum:
        return self + (-1.0) * other

    def __mul__(self, factor: float) -> PauliSum:
        number = finite("factor", factor, "An observable is multiplied by a finite real number.")
        return PauliSum(tuple((string, number * value) for string, value in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> PauliSum:
        return (-1.0) * self

    def __str__(self) -> str:
        return " + ".join(f"{value:g} {format_pauli(string)}" for string, value in self.terms) or "0"

    def __repr__(self) -> str:
        return f"PauliSum({self.to_json()!r})"

    def to_json(self) -> dict[str, float]:
        """The sum as a mapping from strings to coefficients, which the constructor reads back."""
        return {format_pauli(string): value for string, value in self.terms}


@dataclass(frozen=True)
class MeasurementGroup:
    """Pauli strings that one measured circuit serves: on every qubit they ask for the same letter.

    Args:
        basis: the letter measured on each qubit that any string of the group touches.
        strings: the strings of the group.

    Example:
        >>> groups = measurement_groups([PauliSum({"Z0 Z1": 1.0, "X0": 1.0, "Z1": 2.0})])
        >>> [[format_pauli(string) for string in group.strings] for group in groups]
        [['X0', 'Z1'], ['Z0 Z1']]
    """

    basis: PauliString
    strings: tuple[PauliString, ...]

    def basis_change(self) -> tuple[Op, ...]:
        """Operations after which measuring in the computational basis measures the group."""
        changes: dict[str, tuple[str, ...]] = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}
        return tuple(Op(gate, (qubit,)) for qubit, letter in self.basis for gate in changes[letter])


def measurement_groups(observables: Sequence[PauliSum]) -> tuple[MeasurementGroup, ...]:
    """Groups all Pauli strings of some observables by qubit-wise commutation, greedily.

    Args:
        observables: the observables; strings that occur in several are measured once.

    Returns:
        The groups; the identity belongs to none, since it needs no measurement.

    Example:
        >>> [group.basis for group in measurement_groups([PauliSum({"X0 Z1": 1.0, "Z1": 1.0, "Z0": 1.0})])]
        [((0, 'X'), (1, 'Z')), ((0, 'Z'),)]

    Reference:
        Verteletskyi, Yen, Izmaylov, J. Chem. Phys. 152, 124114 (2020), section II.
    """
    strings = {string: None for observable in observables for string, _ in observable.terms if string}
    groups: list[tuple[dict[int, str], list[PauliString]]] = []
    for string in strings:
        for basis, members in groups:
            if all(basis.get(qubit, letter) == letter for qubit, letter in string):
                basis.update(string)
                members.append(string)
                break
        else:
            groups.append((dict(string), [string]))
    return tuple(MeasurementGroup(tuple(sorted(basis.items())), tuple(members)) for basis, members in groups)


def as_observables(observables: PauliSum | Sequence[PauliSum], num_qubits: int) -> tuple[PauliSum, ...]:
    """One observable or many as a tuple, checked against the number of qubits.

    Args:
        observables: a `PauliSum` or a sequence of them.
        num_qubits: the circuit's number of qubits.

    Returns:
        The tuple.

    Raises:
        ArgumentError: if it is empty, holds something else, or reaches beyond the circuit's qubits.

    Example:
        >>> as_observables(PauliSum("Z0"), 1)
        (PauliSum({'Z0': 1.0}),)
    """
    given: Any = observables
    values = tuple(given) if isinstance(given, Iterable) else (given,)
    if not values or not all(isinstance(value, PauliSum) for value in values):
        raise ArgumentError(
            "observables",
            "be a `PauliSum` or a sequence of one or more",
            f"it is {shown(observables)}",
            'Write `PauliSum("Z0")`.',
        )
    for value in values:
        if value.num_qubits > num_qubits:
            raise ArgumentError(
                "observables",
                f"act on qubits 0 to {num_qubits - 1}",
                f"`{value}` acts on qubit {value.num_qubits - 1}",
                "Renumber it or add qubits to the circuit.",
            )
    return values


def format_pauli(string: PauliString) -> str:
    """A Pauli string as text.

    Args:
        string: sorted pairs of a qubit and a letter.

    Returns:
        The text, which `parse_pauli` reads; the identity is `"I"`.

    Example:
        >>> format_pauli(((0, "X"), (2, "Z")))
        'X0 Z2'
    """
    return " ".join(f"{letter}{qubit}" for qubit, letter in string) or "I"


def parse_pauli(text: str) -> PauliString:
    """Reads a Pauli string.

    Args:
        text: letters directly followed by qubits, with spaces or `*` between, such as `"X0 Z2"`; `"I"` or
            `""` is the identity.

    Returns:
        Sorted pairs of a qubit and a letter.

    Raises:
        ArgumentError: if it cannot be read or names a qubit twice.

    Example:
        >>> parse_pauli("Z2*X0")
        ((0, 'X'), (2, 'Z'))
    """
    factors: dict[int, str] = {}
    for word in text.replace("*", " ").split():
        if word == "I":
            continue
        match = _FACTOR.fullmatch(word)
        if match is None:
            raise _string_error(text, f"holds {shown(word)}")
        qubit = int(match[2])
        if qubit in factors:
            raise _string_error(text, f"names qubit {qubit} twice")
        factors[qubit] = match[1]
    return tuple(sorted(factors.items()))


def _pairs(terms: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(terms, str):
        return [(terms, 1.0)]
    items = terms.items() if isinstance(terms, Mapping) else terms
    try:
        return [(string, coefficient) for string, coefficient in items]
    except (TypeError, ValueError):
        raise ArgumentError(
            "terms",
            "be a Pauli string, a mapping to coefficients or pairs of string and coefficient",
            f"it is {shown(terms)}",
            'Write `PauliSum({"Z0 Z1": 0.5})`.',
        ) from None


def _checked(string: Any) -> PauliString:
    try:
        pairs = tuple((integer("terms", qubit, 0), letter) for qubit, letter in string)
        if len(dict(pairs)) == len(pairs) and all(letter in ("X", "Y", "Z") for _, letter in pairs):
            return tuple(sorted(pairs))
    except (TypeError, ValueError):  # no pairs, or no qubit
        pass
    raise _string_error(string, "is none")


def _string_error(string: Any, problem: str) -> ArgumentError:
    return ArgumentError(
        "terms",
        'name Pauli strings such as "Z0" or "X0 Y2"',
        f"{shown(string)} {problem}",
        "Give each qubit one letter of X, Y, Z, directly followed by its number.",
    )


def _coefficient(value: Any) -> float:
    number = as_finite(value)
    if number is None:
        raise ArgumentError(
            "terms",
            "have finite real coefficients",
            f"one is {shown(value)}",
            "An observable is Hermitian, so its coefficients are real.",
        )
    return number
