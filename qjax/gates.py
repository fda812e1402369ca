"""The gate table: every gate's size, angles, matrix, inverse and generator spectrum.

Conventions are those of OpenQASM 3 and Cirq: a rotation is `exp(-i theta P / 2)`, a phase gate is
`diag(1, exp(i theta))`, and the first qubit of a gate is the most significant bit of its matrix index, so
the control of a controlled gate comes first.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax.checks import shown
from qjax.errors import ArgumentError

Spectrum = tuple[float, ...]
Kind = Literal["dense", "diagonal", "permutation"]

_ROTATION: Spectrum = (-0.5, 0.5)
_PHASE: Spectrum = (0.0, 1.0)
_CONTROLLED_ROTATION: Spectrum = (-0.5, 0.0, 0.5)

PAULI_MATRICES = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.diag([1, -1]).astype(np.complex128),
}

PAULI_ROTATION = "pauli_rotation"
UNITARY = "unitary"
MAX_UNITARY_QUBITS = 4


@dataclass(frozen=True, eq=False)
class Gate:
    r"""One row of the gate table.

    Args:
        name: the gate's name, lower case.
        num_qubits: how many qubits it acts on; None where the op decides (`pauli_rotation`, `unitary`).
        matrix: from the angles (real scalars, radians) to the matrix `[2**k, 2**k]`, complex; a constant
            array where the gate has no angle; None where the op carries what defines it.
        spectra: for each angle the eigenvalues of its Hermitian generator `G`, where the gate depends on
            the angle as `exp(-i theta G)` up to a sign. Their differences are the frequencies that a
            parameter-shift rule has to resolve.
        inverse: name of the inverse gate.
        inverse_angles: which angle of this gate, negated, is each angle of the inverse.
        kind: "diagonal" and "permutation" gates move no amplitude, or move them without arithmetic;
            engines treat them apart.
        pauli: for rotations `exp(-i theta P / 2)` about a fixed Pauli string, that string.

    Example:
        >>> GATES["crx"].num_qubits, GATES["crx"].spectra
        (2, ((-0.5, 0.0, 0.5),))
    """

    name: str
    num_qubits: int | None
    matrix: Callable[..., Array] | np.ndarray | None
    spectra: tuple[Spectrum, ...] = ()
    inverse: str = ""
    inverse_angles: tuple[int, ...] = ()
    kind: Kind = "dense"
    pauli: str | None = None

    @property
    def num_angles(self) -> int:
        """How many angles the gate takes."""
        return len(self.spectra)

    def __repr__(self) -> str:
        return f"Gate({self.name!r})"


def frequencies(spectrum: Spectrum) -> tuple[float, ...]:
    """The distinct positive differences of a generator's eigenvalues, ascending.

    An expectation value is a trigonometric polynomial of the gate's angle with these frequencies.

    Args:
        spectrum: eigenvalues of the generator.

    Returns:
        The frequencies, in units of 1/radian.

    Example:
        >>> frequencies((-0.5, 0.5)), frequencies((-0.5, 0.0, 0.5))
        ((1.0,), (0.5, 1.0))

    Reference:
        Schuld, Sweke, Meyer, Phys. Rev. A 103, 032430 (2021), eq. (8).
    """
    differences = {round(abs(a - b), 12) for a in spectrum for b in spectrum}
    return tuple(sorted(difference for difference in differences if difference > 0))


def pauli_string_matrix(pauli: str) -> np.ndarray:
    """The matrix of a Pauli string.

    Args:
        pauli: letters I, X, Y, Z, the first for the most significant qubit.

    Returns:
        Matrix `[2**k, 2**k]`, complex128.

    Example:
        >>> pauli_string_matrix("ZZ").diagonal().real.tolist()
        [1.0, -1.0, -1.0, 1.0]
    """
    matrix = np.ones((1, 1), dtype=np.complex128)
    for letter in pauli:
        matrix = np.kron(matrix, PAULI_MATRICES[letter])
    return matrix


def gate(name: str) -> Gate:
    """Looks a gate up by name.

    Args:
        name: a name of the gate table.

    Returns:
        The table's row.

    Raises:
        ArgumentError: if there is no such gate; the message names the nearest ones.

    Example:
        >>> gate("cx").kind
        'permutation'
    """
    try:
        return GATES[name]
    except (KeyError, TypeError):
        close = difflib.get_close_matches(str(name).lower(), GATES, n=3)
        cure = f"Did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else "See `qjax.gates.GATES`."
        raise ArgumentError("gate", "name a gate of the gate table", f"{shown(name)} is none", cure) from None


def _phase(theta: Array) -> Array:
    return jnp.cos(theta) + 1j * jnp.sin(theta)


def _matrix(rows: Sequence[Sequence[Array | complex]]) -> Array:
    return jnp.stack([jnp.stack([jnp.asarray(entry) + 0j for entry in row]) for row in rows])


def _rx(theta: Array) -> Array:
    c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
    return _matrix([[c, -1j * s], [-1j * s, c]])


def _ry(theta: Array) -> Array:
    c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
    return _matrix([[c, -s], [s, c]])


def _rz(theta: Array) -> Array:
    return jnp.diag(jnp.stack([_phase(-theta / 2), _phase(theta / 2)]))


def _p(theta: Array) -> Array:
    return jnp.diag(jnp.stack([_phase(0 * theta), _phase(theta)]))


def _u3(theta: Array, phi: Array, lam: Array) -> Array:
    c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
    return _matrix([[c, -_phase(lam) * s], [_phase(phi) * s, _phase(phi + lam) * c]])


def _controlled(matrix: Callable[..., Array]) -> Callable[..., Array]:
    def controlled(*angles: Array) -> Array:
        block = matrix(*angles)
        size = block.shape[0]
        zeros = jnp.zeros_like(block)
        return jnp.block([[jnp.eye(size, dtype=block.dtype), zeros], [zeros, block]])

    return controlled


def _rotation(pauli: str) -> Callable[[Array], Array]:
    generator = pauli_string_matrix(pauli)
    identity = np.eye(len(generator))

    def rotation(theta: Array) -> Array:
        # Python's 1j is weakly typed, so the precision is the angle's own.
        c, s = jnp.cos(theta / 2), jnp.sin(theta / 2)
        real = c * identity.astype(c.dtype) + s * np.imag(generator).astype(s.dtype)
        return real - 1j * (s * np.real(generator).astype(s.dtype))

    return rotation


def _controlled_constant(block: np.ndarray) -> np.ndarray:
    size = len(block)
    matrix = np.eye(2 * size, dtype=np.complex128)
    matrix[size:, size:] = block
    return matrix


def _build_table() -> dict[str, Gate]:
    x, y, z = (PAULI_MATRICES[letter] for letter in "XYZ")
    h = np.array([[1, 1], [1, -1]]) / math.sqrt(2) + 0j
    sx = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
    swap = np.eye(4, dtype=np.complex128)[[0, 2, 1, 3]]
    iswap = np.diag([1, 1j, 1j, 1]) @ swap
    cx = _controlled_constant(x)

    def constant(name: str, matrix: np.ndarray, inverse: str = "", kind: Kind = "dense") -> Gate:
        matrix.setflags(write=False)
        return Gate(name, int(math.log2(len(matrix))), matrix, inverse=inverse or name, kind=kind)

    def parametric(
        name: str,
        num_qubits: int,
        matrix: Callable[..., Array],
        spectrum: Spectrum,
        kind: Kind = "dense",
        pauli: str | None = None,
    ) -> Gate:
        return Gate(name, num_qubits, matrix, (spectrum,), name, (0,), kind, pauli)

    rows = [
        constant("h", h),
        constant("x", x, kind="permutation"),
        constant("y", y),
        constant("z", z, kind="diagonal"),
        constant("s", np.diag([1, 1j]), "sdg", "diagonal"),
        constant("sdg", np.diag([1, -1j]), "s", "diagonal"),
        constant("t", np.diag([1, np.exp(0.25j * math.pi)]), "tdg", "diagonal"),
        constant("tdg", np.diag([1, np.exp(-0.25j * math.pi)]), "t", "diagonal"),
        constant("sx", sx, "sxdg"),
        constant("sxdg", sx.conj().T, "sx"),
        parametric("rx", 1, _rx, _ROTATION, pauli="X"),
        parametric("ry", 1, _ry, _ROTATION, pauli="Y"),
        parametric("rz", 1, _rz, _ROTATION, "diagonal", pauli="Z"),
        parametric("p", 1, _p, _PHASE, "diagonal"),
        # U3(theta, phi, lambda)^-1 = U3(-theta, -lambda, -phi)
        Gate("u3", 1, _u3, (_ROTATION, _PHASE, _PHASE), "u3", (0, 2, 1)),
        constant("cx", cx, kind="permutation"),
        constant("cy", _controlled_constant(y)),
        constant("cz", _controlled_constant(z), kind="diagonal"),
        constant("ch", _controlled_constant(h)),
        parametric("cp", 2, _controlled(_p), _PHASE, "diagonal"),
        parametric("crx", 2, _controlled(_rx), _CONTROLLED_ROTATION),
        parametric("cry", 2, _controlled(_ry), _CONTROLLED_ROTATION),
        parametric("crz", 2, _controlled(_rz), _CONTROLLED_ROTATION, "diagonal"),
        constant("swap", swap, kind="permutation"),
        constant("iswap", iswap, "iswapdg"),
        constant("iswapdg", iswap.conj().T, "iswap"),
        parametric("rxx", 2, _rotation("XX"), _ROTATION, pauli="XX"),
        parametric("ryy", 2, _rotation("YY"), _ROTATION, pauli="YY"),
        parametric("rzz", 2, _rotation("ZZ"), _ROTATION, "diagonal", pauli="ZZ"),
        constant("ccx", _controlled_constant(cx), kind="permutation"),
        constant("cswap", _controlled_constant(swap), kind="permutation"),
        Gate(PAULI_ROTATION, None, None, (_ROTATION,), PAULI_ROTATION, (0,)),
        Gate(UNITARY, None, None, (), UNITARY),
    ]
    return {row.name: row for row in rows}


GATES: Mapping[str, Gate] = MappingProxyType(_build_table())
"""Every gate by name."""
