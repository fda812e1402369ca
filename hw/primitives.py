"""The gates of IonQ's `qis` gateset that circuits are translated to."""

from __future__ import annotations

from typing import NamedTuple

from qjax.angle import Angle

ONE_QUBIT = ("h", "x", "y", "z", "s", "si", "t", "ti", "v", "vi")
ROTATIONS = ("rx", "ry", "rz", "xx", "yy", "zz")


class Primitive(NamedTuple):
    """A gate of the service on some qubits.

    Attributes:
        gate: IonQ's name: one of `ONE_QUBIT`, `ROTATIONS`, "cnot" or "swap".
        qubits: the qubits it acts on, control first.
        angle: of the rotations `exp(-i angle P / 2)`, in radians; None for the others.
    """

    gate: str
    qubits: tuple[int, ...]
    angle: Angle | None = None
