"""Every gate of the table in terms of the gates that IonQ's `qis` gateset has, global phase aside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from hw.primitives import Primitive
from qjax.angle import Angle
from qjax.circuit import Circuit, Op
from qjax.gates import PAULI_ROTATION, UNITARY
from qjax.op import Matrix

_RENAMED = {
    **{name: name for name in ("h", "x", "y", "z", "s", "t", "rx", "ry", "rz", "swap")},
    "sdg": "si",
    "tdg": "ti",
    "sx": "v",
    "sxdg": "vi",
    "p": "rz",
    "cx": "cnot",
    "rxx": "xx",
    "ryy": "yy",
    "rzz": "zz",
}

# What turns Z into a letter: V Z V^dagger = letter. A gate about that letter is V^dagger, about Z, V.
_FROM_Z = {"X": (("h",), ("h",)), "Y": (("v",), ("vi",)), "Z": ((), ())}


def lower(circuit: Circuit) -> tuple[Primitive, ...]:
    """Rewrites a circuit in the service's gates, once for all numbers.

    Args:
        circuit: the circuit.

    Returns:
        Gates whose product is the circuit's unitary up to a global phase, whatever parameters and features.

    Example:
        >>> from qjax import Angle, Circuit, Op
        >>> [gate.gate for gate in lower(Circuit(2, (Op("p", (0,), Angle(param=0)), Op("cy", (0, 1)))))]
        ['rz', 'si', 'cnot', 's']
    """
    return tuple(primitive for op in circuit.unrolled() for primitive in lower_op(op))


def lower_op(op: Op) -> Iterator[Primitive]:
    """Rewrites one operation in the service's gates.

    Args:
        op: the operation.

    Yields:
        The gates, first to last.
    """
    if op.gate in _RENAMED:
        yield Primitive(_RENAMED[op.gate], op.qubits, op.angles[0] if op.angles else None)
    elif op.gate == PAULI_ROTATION:
        assert op.pauli is not None  # held by `Op`
        yield from _pauli_rotation(op.pauli, op.qubits, op.angles[0])
    elif op.gate == UNITARY:
        assert op.matrix is not None  # held by `Op`
        for gate, qubits, angle in _unitary(op.matrix, len(op.qubits)):
            yield Primitive(gate, tuple(op.qubits[qubit] for qubit in qubits), angle)
    else:
        yield from _DECOMPOSITIONS[op.gate](op)


def _scaled(angle: Angle, factor: float) -> Angle:
    return replace(angle, scale=factor * angle.scale, offset=factor * angle.offset)


def _plain(gates: Iterable[str], *qubits: int) -> Iterator[Primitive]:
    return (Primitive(gate, qubits) for gate in gates)


def _u3(op: Op) -> Iterator[Primitive]:
    theta, phi, lam = op.angles
    for gate, angle in (("rz", lam), ("ry", theta), ("rz", phi)):
        yield Primitive(gate, op.qubits, angle)


def _cy(op: Op) -> Iterator[Primitive]:
    yield from _between(op.qubits[1], ("si",), (Primitive("cnot", op.qubits),), ("s",))


def _cz(op: Op) -> Iterator[Primitive]:
    yield from _between(op.qubits[1], ("h",), (Primitive("cnot", op.qubits),), ("h",))


def _ch(op: Op) -> Iterator[Primitive]:
    # H = R_y(-pi/4) X R_y(pi/4)
    target = op.qubits[1:]
    yield Primitive("ry", target, Angle(offset=math.pi / 4))
    yield Primitive("cnot", op.qubits)
    yield Primitive("ry", target, Angle(offset=-math.pi / 4))


def _cp(op: Op) -> Iterator[Primitive]:
    # n_c n_t = (1 - Z_c - Z_t + Z_c Z_t) / 4
    yield Primitive("rz", op.qubits[:1], _scaled(op.angles[0], 0.5))
    yield from _controlled_rotation("Z", op)


def _controlled_rotation(letter: str, op: Op) -> Iterator[Primitive]:
    # exp(-i theta n_c Z_t / 2) with n_c = (1 - Z_c) / 2: a single two-qubit gate
    half = _scaled(op.angles[0], 0.5)
    target = op.qubits[1]
    inner = (Primitive("rz", (target,), half), Primitive("zz", op.qubits, half.negated()))
    yield from _between(target, _FROM_Z[letter][0], inner, _FROM_Z[letter][1])


def _iswap(op: Op, sign: float) -> Iterator[Primitive]:
    for gate in ("xx", "yy"):
        yield Primitive(gate, op.qubits, Angle(offset=-sign * math.pi / 2))


def _ccx(qubits: tuple[int, ...]) -> Iterator[Primitive]:
    a, b, c = qubits
    for gate, *on in (
        *(("h", c), ("cnot", b, c), ("ti", c), ("cnot", a, c), ("t", c), ("cnot", b, c), ("ti", c)),
        *(("cnot", a, c), ("t", b), ("t", c), ("h", c), ("cnot", a, b), ("t", a), ("ti", b), ("cnot", a, b)),
    ):
        yield Primitive(gate, tuple(on))


def _cswap(op: Op) -> Iterator[Primitive]:
    control, a, b = op.qubits
    yield Primitive("cnot", (b, a))
    yield from _ccx((control, a, b))
    yield Primitive("cnot", (b, a))


def _between(
    qubit: int, before: Iterable[str], inner: Iterable[Primitive], after: Iterable[str]
) -> Iterator[Primitive]:
    yield from _plain(before, qubit)
    yield from inner
    yield from _plain(after, qubit)


def _pauli_rotation(pauli: str, qubits: tuple[int, ...], angle: Angle) -> Iterator[Primitive]:
    if len(qubits) == 1:
        yield Primitive(f"r{pauli.lower()}", qubits, angle)
        return
    if len(qubits) == 2 and pauli in ("XX", "YY", "ZZ"):
        yield Primitive(pauli.lower(), qubits, angle)
        return
    letters = tuple(zip(qubits, pauli, strict=True))
    for qubit, letter in letters:
        yield from _plain(_FROM_Z[letter][0], qubit)
    # The parity of all but the last two gathers on the last but one: a ladder there and back.
    ladder = tuple(Primitive("cnot", pair) for pair in pairwise(qubits[:-1]))
    yield from ladder
    yield Primitive("zz", qubits[-2:], angle)
    yield from reversed(ladder)
    for qubit, letter in letters:
        yield from _plain(_FROM_Z[letter][1], qubit)


_DECOMPOSITIONS = {
    "u3": _u3,
    "cy": _cy,
    "cz": _cz,
    "ch": _ch,
    "cp": _cp,
    "crx": lambda op: _controlled_rotation("X", op),
    "cry": lambda op: _controlled_rotation("Y", op),
    "crz": lambda op: _controlled_rotation("Z", op),
    "iswap": lambda op: _iswap(op, 1.0),
    "iswapdg": lambda op: _iswap(op, -1.0),
    "ccx": lambda op: _ccx(op.qubits),
    "cswap": _cswap,
}


@lru_cache(maxsize=4096)
def _unitary(matrix: Matrix, num_qubits: int) -> tuple[Primitive, ...]:
    from hw.unitaries import decompose

    return decompose(matrix, num_qubits)
