"""The service's gates in terms of those of `qjax`: what a gate of a request does, without its angles."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hw.server.errors import bad_request, shown
from qjax import Angle, Op
from qjax.gates import MAX_UNITARY_QUBITS, PAULI_MATRICES, pauli_string_matrix

MAX_CONTROLS = 7
"""The most controls of one gate."""

Qubits = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Template:
    """A gate on its qubits without its numbers; gates that share one differ in angles only.

    Args:
        ops: what it does; parameter `k` of the angles is the gate's `k`-th number.
        qubits: the qubits it touches.
        num_numbers: how many numbers it takes.
        counted: gates on one qubit and on several that it counts as.
    """

    ops: tuple[Op, ...]
    qubits: Qubits
    num_numbers: int
    counted: tuple[int, int]


_FIXED = {
    "x": "x", "not": "x", "y": "y", "z": "z", "h": "h", "s": "s", "si": "sdg", "t": "t", "ti": "tdg",
    "v": "sx", "vi": "sxdg", "swap": "swap",
}  # fmt: skip
_ROTATIONS = {"rx": "rx", "ry": "ry", "rz": "rz", "xx": "rxx", "yy": "ryy", "zz": "rzz"}
_CONTROLLED = {"x": "cx", "y": "cy", "z": "cz", "h": "ch", "rx": "crx", "ry": "cry", "rz": "crz"}
_TWO_TARGETS = frozenset(("swap", "xx", "yy", "zz"))
_PHASES = {
    "x": math.pi, "y": math.pi, "z": math.pi, "h": math.pi, "s": math.pi / 2, "si": -math.pi / 2,
    "t": math.pi / 4, "ti": -math.pi / 4, "v": math.pi / 2, "vi": -math.pi / 2,
}  # fmt: skip
_AXES = {"x": "x", "v": "x", "vi": "x", "rx": "x", "y": "y", "ry": "y", "h": "h"}

QIS_GATES = (*_FIXED, *_ROTATIONS, "cnot", "pauliexp")
"""The gates of gateset "qis"."""

NATIVE_GATES = ("gpi", "gpi2", "ms", "zz", "nop")
"""The gates of gateset "native"."""


@lru_cache(maxsize=65536)
def qis(gate: str, targets: Qubits, controls: Qubits, rotated: bool) -> Template:
    """A gate of gateset "qis", other than `pauliexp`.

    Args:
        gate: its name.
        targets: its targets.
        controls: its controls.
        rotated: whether it comes with a rotation; `z` with one is the phase gate.

    Returns:
        The template.

    Raises:
        ApiError: if there is no such gate, or not on such qubits.

    Example:
        >>> qis("cnot", (1,), (0,), False).ops
        (Op('cx', (0, 1)),)
    """
    if gate not in _FIXED and gate not in _ROTATIONS and gate != "cnot":
        raise bad_request(f"There is no gate {shown(gate)} in gateset `qis`. It has {', '.join(QIS_GATES)}.")
    if gate == "cnot" and not controls:
        raise bad_request("Gate `cnot` must have a `control`, but it has none. Name the qubit.")
    _check_targets(gate, targets, 2 if gate in _TWO_TARGETS else 1)
    name = "x" if gate in ("not", "cnot") else gate
    if rotated != (name in _ROTATIONS) and not (name == "z" and rotated):
        must = "have" if name in _ROTATIONS else "not have"
        raise bad_request(f"Gate `{gate}` must {must} a `rotation`. Give rx, ry, rz, xx, yy and zz one.")
    _check_distinct(gate, (*targets, *controls))
    if len(controls) > MAX_CONTROLS:
        raise bad_request(f"Gate `{gate}` has {len(controls)} controls; there may be {MAX_CONTROLS}.")
    ops = _phase((*controls, *targets), _NUMBER) if name == "z" and rotated else _ops(name, targets, controls)
    several = len(targets) + len(controls) > 1
    return Template(tuple(ops), (*targets, *controls), int(rotated), (int(not several), int(several)))


@lru_cache(maxsize=65536)
def native(gate: str, targets: Qubits) -> Template:
    """A gate of gateset "native"; its numbers are in turns.

    Args:
        gate: its name.
        targets: its targets.

    Returns:
        The template. The numbers of `ms` are the two phases and the angle.

    Raises:
        ApiError: if there is no such gate, or not on such qubits.

    Example:
        >>> native("zz", (0, 1)).ops[0].angles[0].scale / math.pi
        2.0
    """
    if gate not in NATIVE_GATES:
        raise bad_request(
            f"There is no gate {shown(gate)} in gateset `native`. It has {', '.join(NATIVE_GATES)}."
        )
    if gate == "nop":
        return Template((), (), 0, (0, 0))
    _check_targets(gate, targets, 1 if gate in ("gpi", "gpi2") else 2)
    _check_distinct(gate, targets)
    turn = 2 * math.pi
    if gate in ("gpi", "gpi2"):
        theta = math.pi if gate == "gpi" else math.pi / 2
        shift = 0.0 if gate == "gpi" else math.pi / 2
        phi = Angle(param=0, scale=turn, offset=-shift)
        conjugate = Angle(param=0, scale=-turn, offset=math.pi - shift if gate == "gpi" else shift)
        return Template((Op("u3", targets, (theta, phi, conjugate)),), targets, 1, (1, 0))
    if gate == "zz":
        return Template((Op("rzz", targets, Angle(param=0, scale=turn)),), targets, 1, (0, 1))
    before = [Op("rz", (qubit,), Angle(param=k, scale=-turn)) for k, qubit in enumerate(targets)]
    after = [Op("rz", (qubit,), Angle(param=k, scale=turn)) for k, qubit in enumerate(targets)]
    entangling = Op("rxx", targets, Angle(param=2, scale=turn))
    return Template((*before, entangling, *after), targets, 3, (0, 1))


def ms_unitary(phases: Sequence[float], angle: float, targets: Qubits) -> Template:
    """The gate `ms` as one operation, which noise follows once.

    Args:
        phases: its phases, in turns.
        angle: its angle, in turns.
        targets: its targets.

    Returns:
        The template, which takes no numbers.

    Raises:
        ApiError: if the targets are not two qubits.

    Example:
        >>> ms_unitary((0.0, 0.0), 0.25, (0, 1)).num_numbers
        0
    """
    _check_targets("ms", targets, 2)
    _check_distinct("ms", targets)
    first, second = (
        math.cos(2 * math.pi * phase) * PAULI_MATRICES["X"]
        + math.sin(2 * math.pi * phase) * PAULI_MATRICES["Y"]
        for phase in phases
    )
    half = math.pi * angle
    matrix = math.cos(half) * np.eye(4) - 1j * math.sin(half) * np.kron(first, second)
    return Template((Op("unitary", targets, matrix=matrix),), targets, 0, (0, 1))


@lru_cache(maxsize=65536)
def pauli_exponential(terms: tuple[str, ...], targets: Qubits) -> Template:
    """`exp(-i t sum_k c_k P_k)` for terms that commute: one rotation by `2 t c_k` for each.

    Args:
        terms: Pauli strings; the last letter is that of the first target.
        targets: the qubits.

    Returns:
        The template; its numbers are the angles `2 t c_k`.

    Raises:
        ApiError: if a term is none.

    Example:
        >>> pauli_exponential(("XZ",), (4, 7)).ops[0]
        Op('pauli_rotation', (4, 7), (Angle(param=0, feature=None, scale=1.0, offset=0.0),), pauli='ZX')
    """
    _check_distinct("pauliexp", targets)
    _check_terms(terms, targets)
    ops: list[Op] = []
    for number, term in enumerate(terms):
        letters = [(q, letter) for q, letter in zip(targets, reversed(term), strict=True) if letter != "I"]
        if letters:
            qubits = tuple(qubit for qubit, _ in letters)
            pauli = "".join(letter for _, letter in letters)
            ops.append(Op("pauli_rotation", qubits, Angle(param=number), pauli=pauli))
    several = sum(len(op.qubits) > 1 for op in ops)
    return Template(tuple(ops), targets, len(terms), (len(ops) - several, several))


def commute(terms: Sequence[str]) -> bool:
    """Whether all Pauli strings commute with one another.

    Args:
        terms: strings of one length.

    Returns:
        Whether they do.

    Example:
        >>> commute(("XX", "ZZ")), commute(("XI", "ZI"))
        (True, False)
    """
    return all(
        sum(a != b and "I" not in (a, b) for a, b in zip(one, other, strict=True)) % 2 == 0
        for one, other in itertools.combinations(terms, 2)
    )


def pauli_unitary(terms: tuple[str, ...], angles: Sequence[float], targets: Qubits) -> Template:
    """`exp(-i/2 sum_k angle_k P_k)` as one matrix, for terms that do not commute.

    Args:
        terms: Pauli strings; the last letter is that of the first target.
        angles: one for each.
        targets: the qubits, few enough for a matrix.

    Returns:
        The template, which takes no numbers.

    Raises:
        ApiError: if there are too many qubits, or a term is none.
    """
    _check_distinct("pauliexp", targets)
    _check_terms(terms, targets)
    if len(targets) > MAX_UNITARY_QUBITS:
        raise bad_request(
            f"Terms of gate `pauliexp` that do not commute may act on {MAX_UNITARY_QUBITS} qubits here, but "
            f"these act on {len(targets)}. Split the gate into terms that commute."
        )
    # The first target is the matrix's most significant bit, as in `Op`.
    generator = sum(a / 2 * pauli_string_matrix(term[::-1]) for a, term in zip(angles, terms, strict=True))
    values, vectors = np.linalg.eigh(generator)
    matrix = (vectors * np.exp(-1j * values)) @ vectors.conj().T
    return Template((Op("unitary", targets, matrix=matrix),), targets, 0, (0, len(terms)))


_NUMBER = Angle(param=0)


def _ops(name: str, targets: Qubits, controls: Qubits) -> list[Op]:
    angles = (_NUMBER,) if name in _ROTATIONS else ()
    if not controls:
        return [Op(_FIXED.get(name) or _ROTATIONS[name], targets, angles)]
    if len(controls) == 1 and name in _CONTROLLED:
        return [Op(_CONTROLLED[name], (*controls, *targets), angles)]
    if name == "x" and len(controls) == 2:
        return [Op("ccx", (*controls, *targets))]
    if name == "swap":
        first, second = targets
        if len(controls) == 1:
            return [Op("cswap", (*controls, first, second))]
        exchange = Op("cx", (second, first))
        return [exchange, *_ops("x", (second,), (*controls, first)), exchange]
    if name in _TWO_TARGETS:
        parity = Op("cx", targets)
        bases = [_basis(name[0], qubit) for qubit in targets]
        inside = [parity, *_ops("rz", targets[1:], controls), parity]
        return _between([op for basis in bases for op in basis], inside)
    inside = _phase((*controls, *targets), _NUMBER if angles else Angle(offset=_PHASES[name]))
    if angles:
        # A rotation is a phase gate but for the phase exp(-i angle/2), which controls make matter.
        inside += _phase(controls, Angle(param=0, scale=-0.5))
    return _between(_basis(_AXES.get(name, "z"), targets[0]), inside)


def _basis(axis: str, qubit: int) -> list[Op]:
    """V^dagger, where V Z V^dagger is the axis."""
    if axis == "x":
        return [Op("h", (qubit,))]
    if axis == "y":
        return [Op("sdg", (qubit,)), Op("h", (qubit,))]
    return [Op("ry", (qubit,), -math.pi / 4)] if axis == "h" else []


def _between(basis: list[Op], inside: list[Op]) -> list[Op]:
    return [*basis, *inside, *(op.inverse() for op in reversed(basis))]


def _phase(qubits: Qubits, angle: Angle) -> list[Op]:
    """exp(i angle) on the states where all qubits are 1, up to a phase of the whole."""
    if len(qubits) <= 2:
        return [Op("p" if len(qubits) == 1 else "cp", qubits, angle)]
    # b_1 ... b_m = 2^-m sum_S (-1)^|S| Z_S, the sum over all subsets of the qubits.
    size = 2.0 ** (1 - len(qubits))
    subsets = (s for k in range(1, len(qubits) + 1) for s in itertools.combinations(qubits, k))
    return [
        Op(
            "pauli_rotation",
            subset,
            _scaled(angle, size if len(subset) % 2 else -size),
            pauli="Z" * len(subset),
        )
        for subset in subsets
    ]


def _scaled(angle: Angle, factor: float) -> Angle:
    return Angle(angle.param, None, angle.scale * factor, angle.offset * factor)


def _check_targets(gate: str, targets: Qubits, wanted: int) -> None:
    if len(targets) != wanted:
        raise bad_request(f"Gate `{gate}` must have {wanted} target(s), but it has {len(targets)}.")


def _check_distinct(gate: str, qubits: Qubits) -> None:
    if len(set(qubits)) != len(qubits):
        raise bad_request(f"Gate `{gate}` must act on different qubits, but it acts on {shown(qubits)}.")


def _check_terms(terms: tuple[str, ...], targets: Qubits) -> None:
    for term in terms:
        if len(term) != len(targets) or not set(term) <= set("IXYZ"):
            raise bad_request(
                "A term of gate `pauliexp` must have one letter of I, X, Y, Z for each of its "
                f"{len(targets)} target(s), but one is {shown(term)}."
            )
