"""The text that stands for gates, angles and repeats in a drawing."""

from __future__ import annotations

import math
from fractions import Fraction

from qjax import gates
from qjax.angle import Angle
from qjax.op import Op
from qjax.repeat import Repeat

_TIMES = "\N{MULTIPLICATION SIGN}"
_CONTROL = "●"

# The symbol on each qubit, where it is not the gate's name; `{}` stands for the angles in parentheses.
_SYMBOLS: dict[str, tuple[str, ...]] = {
    "sdg": ("S†",),
    "tdg": ("T†",),
    "sx": ("√X",),
    "sxdg": ("√X†",),
    "cx": (_CONTROL, "⊕"),
    "cy": (_CONTROL, "Y"),
    "cz": (_CONTROL, _CONTROL),
    "ch": (_CONTROL, "H"),
    "cp": (_CONTROL, "P{}"),
    "crx": (_CONTROL, "RX{}"),
    "cry": (_CONTROL, "RY{}"),
    "crz": (_CONTROL, "RZ{}"),
    "swap": (_TIMES, _TIMES),
    "iswap": ("iSWAP", "iSWAP"),
    "iswapdg": ("iSWAP†", "iSWAP†"),
    "ccx": (_CONTROL, _CONTROL, "⊕"),
    "cswap": (_CONTROL, _TIMES, _TIMES),
}


def format_angle(angle: Angle) -> str:
    """An angle as a drawing shows it, numbers with up to four digits.

    Args:
        angle: the angle.

    Returns:
        Its formula.

    Example:
        >>> format_angle(Angle(param=1, feature=0, scale=0.5, offset=0.3))
        '0.5·θ1·x0+0.3'
        >>> format_angle(Angle(offset=math.pi / 2))
        'π/2'
    """
    if angle.is_constant:
        return _number(angle.offset)
    factors = [] if abs(angle.scale) == 1.0 else [_number(abs(angle.scale))]
    if angle.param is not None:
        factors.append(f"θ{angle.param}")
    if angle.feature is not None:
        factors.append(f"x{angle.feature}")
    text = ("-" if angle.scale < 0 else "") + "·".join(factors)
    if angle.offset:
        text += ("-" if angle.offset < 0 else "+") + _number(abs(angle.offset))
    return text


def _number(value: float) -> str:
    """A number with up to four digits, or as a fraction of π where it is a simple one."""
    ratio = Fraction(value / math.pi).limit_denominator(16)
    numerator, denominator = abs(ratio.numerator), ratio.denominator
    if not 1 <= numerator <= 64 or not math.isclose(value, math.pi * ratio, rel_tol=1e-12):
        return f"{value:.4g}"
    sign = "-" if value < 0 else ""
    multiple = "" if numerator == 1 else str(numerator)
    return f"{sign}{multiple}π" + (f"/{denominator}" if denominator > 1 else "")


def gate_symbols(op: Op) -> tuple[str, ...]:
    """What stands on each qubit of an op.

    Args:
        op: the op.

    Returns:
        One text for each of its qubits.

    Example:
        >>> gate_symbols(Op("crz", (1, 0), 0.3)), gate_symbols(Op("rxx", (0, 1), Angle(param=2)))
        (('●', 'RZ(0.3)'), ('RXX(θ2)', 'RXX'))
    """
    angles = f"({', '.join(map(format_angle, op.angles))})" if op.angles else ""
    if op.gate == gates.PAULI_ROTATION:
        first, *others = (f"R[{letter}]" for letter in op.pauli or "")
        return (first + angles, *others)
    if op.gate == gates.UNITARY:
        # The matrix tells its qubits apart, so the drawing numbers them.
        return ("U",) if len(op.qubits) == 1 else tuple(f"U[{index}]" for index in range(len(op.qubits)))
    name = op.gate.upper()
    symbols = _SYMBOLS.get(op.gate, (name + "{}", *[name] * (len(op.qubits) - 1)))
    return tuple(symbol.replace("{}", angles) for symbol in symbols)


def repeat_label(repeat: Repeat) -> str:
    """How often a repeat is done, and by how much its parameters and features move on.

    Args:
        repeat: the repeat.

    Returns:
        The label of its frame.

    Example:
        >>> repeat_label(Repeat((Op("h", (0,)),), times=3, param_stride=6))
        '×3 (θ+6)'
    """
    strides = (("θ", repeat.param_stride), ("x", repeat.feature_stride))
    moves = [f"{symbol}{stride:+d}" for symbol, stride in strides if stride]
    return f"{_TIMES}{repeat.times}" + (f" ({', '.join(moves)})" if moves else "")
