"""Writes a circuit and its observables as the flat table that the kernel decodes.

The whole gate table comes down to seven operations: rotations about Pauli strings, constant one-qubit
matrices, flips (x), controlled flips (cx), exchanges (swap), dense unitaries on two to four qubits, and
loops. Global phases are dropped where no result depends on them; else they are rotations about the empty
string.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from qjax import gates
from qjax.circuit import Angle, Circuit, Op, Repeat
from qjax.observables import PauliString, PauliSum

TABLE_VERSION = 3
MAX_QUBITS = 30
MAX_GATES = 2**17
"""With loops unrolled, as the kernel lays circuits out."""

_ROTATION, _FIXED, _FLIP, _CONTROLLED_FLIP, _EXCHANGE, _DENSE, _LOOP = range(1, 8)


@dataclass(frozen=True, eq=False)
class Table:
    """A circuit and its observables as the kernel reads them.

    Args:
        words: the operations and the observables' terms, int32.
        constants: the numbers that they point at, float64.
        hash: a digest of both, as a signed 64-bit integer.
    """

    words: np.ndarray
    constants: np.ndarray
    hash: int


@lru_cache(maxsize=1024)
def lower_to_table(circuit: Circuit, observables: tuple[PauliSum, ...], *, keep_phase: bool = False) -> Table:
    """Writes a circuit and its observables as a table.

    Args:
        circuit: the circuit, of at most `MAX_QUBITS` qubits.
        observables: the observables.
        keep_phase: whether the state's global phase matters.

    Returns:
        The table. Repeats stay loops, so it does not grow with their number of iterations.

    Example:
        >>> layer = Repeat((Op("ry", (0,), Angle(param=0)),), times=500, param_stride=1)
        >>> lower_to_table(Circuit(1, (layer,)), (PauliSum("Z0"),)).words.size
        22
    """
    writer = _Writer(keep_phase)
    writer.elements(circuit.ops)
    terms: list[int] = []
    for index, observable in enumerate(observables):
        for string, coefficient in observable.terms:
            terms += [index, *_masks(string), writer.constants([coefficient])]
    num_terms = sum(len(observable.terms) for observable in observables)
    head = [TABLE_VERSION, circuit.num_qubits, circuit.num_params, circuit.num_features, len(observables)]
    words = np.array([*head, len(writer.words), *writer.words, num_terms, *terms], np.int32)
    constants = np.array(writer.numbers or [0.0], np.float64)  # XLA takes no empty array
    digest = hashlib.blake2b(words.tobytes() + constants.tobytes(), digest_size=8).digest()
    return Table(words, constants, int.from_bytes(digest, "little", signed=True))


def num_gates(elements: Sequence[Op | Repeat]) -> int:
    """How many gates circuit elements hold, with their loops unrolled."""
    return sum(1 if isinstance(e, Op) else e.times * (1 + num_gates(e.body)) for e in elements)


class _Writer:
    """Appends operations to a list of words, and numbers to a list of constants, each number once."""

    def __init__(self, keep_phase: bool):
        self.keep_phase = keep_phase
        self.words: list[int] = []
        self.numbers: list[float] = []
        self._places: dict[tuple[float, ...], int] = {}

    def constants(self, numbers: Iterable[float]) -> int:
        key = tuple(float(number) for number in numbers)
        if key not in self._places:
            self._places[key] = len(self.numbers)
            self.numbers += key
        return self._places[key]

    def elements(self, elements: Sequence[Op | Repeat]) -> None:
        for element in elements:
            if isinstance(element, Op):
                self._op(element)
                continue
            self.words += [_LOOP, 0, element.times, element.param_stride, element.feature_stride]
            start = len(self.words)
            self.elements(element.body)
            self.words[start - 4] = len(self.words) - start

    def _op(self, op: Op) -> None:
        row = gates.GATES[op.gate]
        pauli = op.pauli or row.pauli
        if pauli is not None:
            self._rotation(zip(op.qubits, pauli, strict=True), op.angles[0])
        elif op.gate in _DECOMPOSITIONS:
            _DECOMPOSITIONS[op.gate](self, op)
        else:
            matrix = np.array(op.matrix) if op.matrix is not None else row.matrix
            self._matrix(op.qubits, matrix)

    def _rotation(self, string: Iterable[tuple[int, str]], angle: Angle, factor: float = 1.0) -> None:
        flips, signs = _masks(tuple(string))
        if not (flips or signs or self.keep_phase):
            return
        # A constant's scale is 1 and means nothing, as no parameter and no feature enters.
        scale = 0.0 if angle.is_constant else factor * angle.scale
        param = -1 if angle.param is None else angle.param
        feature = -1 if angle.feature is None else angle.feature
        place = self.constants([scale, factor * angle.offset])
        self.words += [_ROTATION, flips, signs, param, feature, place]

    def _matrix(self, qubits: Sequence[int], matrix) -> None:
        entries = np.asarray(matrix, np.complex128).ravel()
        place = self.constants(np.stack([entries.real, entries.imag], axis=-1).ravel())
        head = [_FIXED, qubits[0]] if len(qubits) == 1 else [_DENSE, len(qubits), *qubits]
        self.words += [*head, place]

    def gate(self, name: str, *qubits: int) -> None:
        self._op(Op(name, qubits))

    def flip(self, op: Op) -> None:
        self.words += [_FLIP, *op.qubits]

    def controlled_flip(self, op: Op) -> None:
        self.words += [_CONTROLLED_FLIP, *op.qubits]

    def exchange(self, op: Op) -> None:
        self.words += [_EXCHANGE, *op.qubits]

    def phase(self, op: Op) -> None:
        self._rotation([(op.qubits[0], "Z")], op.angles[0])
        self._rotation([], op.angles[0], -1.0)

    def u3(self, op: Op) -> None:
        theta, phi, lam = op.angles
        for letter, angle in (("Z", lam), ("Y", theta), ("Z", phi)):
            self._rotation([(op.qubits[0], letter)], angle)
        self._rotation([], phi, -1.0)
        self._rotation([], lam, -1.0)

    def controlled_phase(self, op: Op) -> None:
        # ab = (1 - Z_a - Z_b + Z_a Z_b) / 4
        a, b = op.qubits
        angle = op.angles[0] if op.angles else Angle(offset=math.pi)
        self._rotation([(a, "Z")], angle, 0.5)
        self._rotation([(b, "Z")], angle, 0.5)
        self._rotation([(a, "Z"), (b, "Z")], angle, -0.5)
        self._rotation([], angle, -0.5)

    def controlled_rotation(self, op: Op) -> None:
        control, target = op.qubits
        letter = op.gate[-1].upper()
        self._rotation([(target, letter)], op.angles[0], 0.5)
        self._rotation([(control, "Z"), (target, letter)], op.angles[0], -0.5)

    def cy(self, op: Op) -> None:
        control, target = op.qubits
        self.gate("sdg", target)
        self.gate("cx", control, target)
        self.gate("s", target)

    def ch(self, op: Op) -> None:
        # H = RY(pi/4) Z RY(-pi/4)
        target = op.qubits[1]
        self._rotation([(target, "Y")], Angle(offset=-math.pi / 4))
        self.gate("cz", *op.qubits)
        self._rotation([(target, "Y")], Angle(offset=math.pi / 4))

    def iswap(self, op: Op) -> None:
        # diag(1, i, i, 1) = cz (s x s)
        phase = "s" if op.gate == "iswap" else "sdg"
        self.gate("swap", *op.qubits)
        for qubit in op.qubits:
            self.gate(phase, qubit)
        self.gate("cz", *op.qubits)

    def ccx(self, op: Op) -> None:
        # abc = (1 - Z_a)(1 - Z_b)(1 - Z_c) / 8 between two h
        target = op.qubits[2]
        self.gate("h", target)
        for subset in range(8):
            string = [(qubit, "Z") for k, qubit in enumerate(op.qubits) if subset >> k & 1]
            self._rotation(string, Angle(offset=-math.pi / 4 * (-1) ** len(string)))
        self.gate("h", target)

    def cswap(self, op: Op) -> None:
        control, a, b = op.qubits
        self.gate("cx", b, a)
        self.gate("ccx", control, a, b)
        self.gate("cx", b, a)


_DECOMPOSITIONS = {
    "x": _Writer.flip,
    "cx": _Writer.controlled_flip,
    "swap": _Writer.exchange,
    "p": _Writer.phase,
    "u3": _Writer.u3,
    "cz": _Writer.controlled_phase,
    "cp": _Writer.controlled_phase,
    "crx": _Writer.controlled_rotation,
    "cry": _Writer.controlled_rotation,
    "crz": _Writer.controlled_rotation,
    "cy": _Writer.cy,
    "ch": _Writer.ch,
    "iswap": _Writer.iswap,
    "iswapdg": _Writer.iswap,
    "ccx": _Writer.ccx,
    "cswap": _Writer.cswap,
}


def _masks(string: PauliString) -> tuple[int, int]:
    """The qubits with X or Y, and those with Z or Y; bit q is qubit q."""
    flips = sum(1 << qubit for qubit, letter in string if letter != "Z")
    signs = sum(1 << qubit for qubit, letter in string if letter != "X")
    return flips, signs
