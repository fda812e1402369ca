"""One gate on some qubits as data, checked against the gate table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qjax import gates
from qjax.angle import Angle
from qjax.checks import as_finite, as_integer, shown
from qjax.errors import ArgumentError

Matrix = tuple[tuple[complex, ...], ...]

UNITARY_TOLERANCE = 1e-6
"""How far an entry of `U U^dagger` may be from the identity's."""


@dataclass(frozen=True, init=False)
class Op:
    """One gate on some qubits.

    Args:
        gate: a name of the gate table.
        qubits: the qubits it acts on, control first.
        angles: its angles: an `Angle`, a number (a constant), or a tuple of these for `u3`.
        pauli: for `pauli_rotation`, one letter of X, Y, Z for each qubit.
        matrix: for `unitary`, the matrix as nested tuples (anything that NumPy reads as a square matrix is
            accepted and converted).

    Raises:
        ArgumentError: unknown gate, wrong number of qubits or angles, a matrix that is not unitary.

    Example:
        >>> Op("ry", (0,), Angle(param=0))
        Op('ry', (0,), (Angle(param=0, feature=None, scale=1.0, offset=0.0),))
        >>> Op("pauli_rotation", (0, 1, 2), 0.3, pauli="XYZ").pauli
        'XYZ'
    """

    gate: str
    qubits: tuple[int, ...]
    angles: tuple[Angle, ...] = ()
    pauli: str | None = None
    matrix: Matrix | None = None

    def __init__(
        self,
        gate: str,
        qubits: Sequence[int],
        angles: Angle | float | Sequence[Angle | float] = (),
        *,
        pauli: str | None = None,
        matrix: Any = None,
    ):
        row = gates.gate(gate)
        checked = _qubits(row, qubits)
        set_field = object.__setattr__
        set_field(self, "gate", row.name)
        set_field(self, "qubits", checked)
        set_field(self, "angles", _angles(row, angles))
        set_field(self, "pauli", _pauli(row, pauli, len(checked)))
        set_field(self, "matrix", _matrix(row, matrix, len(checked)))

    def __repr__(self) -> str:
        parts = [repr(self.gate), repr(self.qubits)]
        if self.angles:
            parts.append(repr(self.angles))
        if self.pauli is not None:
            parts.append(f"pauli={self.pauli!r}")
        if self.matrix is not None:
            parts.append(f"matrix={self.matrix!r}")
        return f"Op({', '.join(parts)})"

    def inverse(self) -> Op:
        """The inverse operation, from the gate table.

        Example:
            >>> Op("s", (0,)).inverse()
            Op('sdg', (0,))
        """
        row = gates.GATES[self.gate]
        angles = tuple(self.angles[index].negated() for index in row.inverse_angles)
        matrix = None if self.matrix is None else _dagger(self.matrix)
        return self._changed(gate=row.inverse, angles=angles, matrix=matrix)

    def shifted(self, params: int, features: int) -> Op:
        """The op with its parameter and feature indices moved.

        Args:
            params: added to parameter indices.
            features: added to feature indices.

        Returns:
            The moved op.

        Raises:
            ArgumentError: if an index would be negative.
        """
        if not self.angles or params == features == 0:
            return self
        return self._changed(angles=tuple(angle.shifted(params, features) for angle in self.angles))

    def with_angles(self, angles: Angle | float | Sequence[Angle | float]) -> Op:
        """The same gate on the same qubits with other angles.

        Args:
            angles: as in the constructor.

        Returns:
            The op.

        Raises:
            ArgumentError: if there are too many or too few.

        Example:
            >>> Op("ry", (0,), 0.3).with_angles(Angle(param=1)).angles[0].param
            1
        """
        return self._changed(angles=_angles(gates.GATES[self.gate], angles))

    def _changed(self, **fields: Any) -> Op:
        """A copy with other fields, for changes that keep a checked op valid: nothing is checked again."""
        op = object.__new__(Op)
        vars(op).update(vars(self), **fields)
        return op


def _qubits(row: gates.Gate, qubits: Any) -> tuple[int, ...]:
    if isinstance(qubits, int | np.integer):
        number = shown(int(qubits))
        raise ArgumentError("qubits", "be a tuple", f"it is the number {number}", f"Write `({number},)`.")
    if not isinstance(qubits, Iterable):
        raise ArgumentError("qubits", "be a tuple of integers", f"it is {shown(qubits)}", "Write `(0, 1)`.")
    values = tuple(_qubit(qubit) for qubit in qubits)
    if not values or len(set(values)) != len(values):
        but = f"gate `{row.name}` got {shown(values)}"
        raise ArgumentError("qubits", "hold one or more different qubits", but, "Name each qubit once.")
    if row.num_qubits is not None and len(values) != row.num_qubits:
        raise ArgumentError(
            "qubits",
            f"hold {row.num_qubits} qubit(s) for gate `{row.name}`",
            f"it holds {len(values)}",
            "Pass one qubit for each wire of the gate, controls first.",
        )
    return values


def _qubit(qubit: Any) -> int:
    index = as_integer(qubit)
    if index is None or index < 0:
        but = f"it holds {shown(qubit)}"
        raise ArgumentError("qubits", "hold integers of 0 or more", but, "Count qubits from zero.")
    return index


def _angles(row: gates.Gate, angles: Any) -> tuple[Angle, ...]:
    given = tuple(angles) if isinstance(angles, list | tuple) else (angles,)
    if len(given) != row.num_angles:
        raise ArgumentError(
            "angles",
            f"hold {row.num_angles} angle(s) for gate `{row.name}`",
            f"it holds {len(given)}",
            "Pass an `Angle` or a number for each." if row.num_angles else "Leave them out.",
        )
    return tuple(angle if isinstance(angle, Angle) else Angle(offset=_number(angle)) for angle in given)


def _number(angle: Any) -> float:
    number = as_finite(angle)
    if number is None:
        must, cure = "hold `Angle`s or finite real numbers", 'Write `Op("ry", (0,), Angle(param=0))`.'
        raise ArgumentError("angles", must, f"it holds {shown(angle)}", cure)
    return number


def _pauli(row: gates.Gate, pauli: Any, num_qubits: int) -> str | None:
    wanted = row.name == gates.PAULI_ROTATION
    if wanted != (pauli is not None):
        raise ArgumentError(
            "pauli",
            f"be given for gate `{gates.PAULI_ROTATION}` and for no other",
            f"the gate is `{row.name}` and `pauli` is {shown(pauli)}",
            'Write `Op("pauli_rotation", (0, 1), angle, pauli="XY")`.',
        )
    if wanted and not (isinstance(pauli, str) and len(pauli) == num_qubits and set(pauli) <= set("XYZ")):
        raise ArgumentError(
            "pauli",
            f"hold one letter of X, Y, Z for each of the {num_qubits} qubit(s)",
            f"it is {shown(pauli)}",
            "Leave out the qubits on which the rotation is the identity.",
        )
    return pauli


def _matrix(row: gates.Gate, matrix: Any, num_qubits: int) -> Matrix | None:
    wanted = row.name == gates.UNITARY
    if wanted != (matrix is not None):
        raise ArgumentError(
            "matrix",
            f"be given for gate `{gates.UNITARY}` and for no other",
            f"the gate is `{row.name}` and `matrix` is {'absent' if wanted else 'given'}",
            'Write `Op("unitary", (0,), matrix=[[0, 1], [1, 0]])`.',
        )
    return _unitary(matrix, num_qubits) if wanted else None


def _unitary(matrix: Any, num_qubits: int) -> Matrix:
    if num_qubits > gates.MAX_UNITARY_QUBITS:
        raise ArgumentError(
            "qubits",
            f"hold 1 to {gates.MAX_UNITARY_QUBITS} qubits for gate `{gates.UNITARY}`",
            f"it holds {num_qubits}",
            "Split a larger unitary into gates.",
        )
    size = 2**num_qubits
    try:
        array = np.asarray(matrix, dtype=np.complex128)
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is None or array.shape != (size, size):
        raise ArgumentError(
            "matrix",
            f"be a {size} x {size} matrix of numbers for {num_qubits} qubit(s)",
            f"it is {shown(matrix)}" if array is None else f"its shape is {list(array.shape)}",
            "Pass as many qubits as the matrix acts on.",
        )
    with np.errstate(invalid="ignore", over="ignore"):
        error = float(np.abs(array @ array.conj().T - np.eye(size)).max())
    if not error <= UNITARY_TOLERANCE:  # so that NaN does not pass
        raise ArgumentError(
            "matrix",
            f"be unitary within {UNITARY_TOLERANCE:g}",
            f"U U^dagger differs from the identity by {error:.2g}",
            "Normalise it, for example by a QR or polar decomposition.",
        )
    return tuple(tuple(complex(entry) for entry in entries) for entries in array + 0j)  # -0.0 becomes 0.0


def _dagger(matrix: Matrix) -> Matrix:
    return tuple(tuple(entry.conjugate() + 0j for entry in column) for column in zip(*matrix, strict=True))
