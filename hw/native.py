"""Compiling to IonQ's native gates, for all circuits of a batch at once.

Rotations about Z cost nothing: they turn the frame in which the phases of later pulses are counted. What is
left are pulses about axes of the equator (GPI2, GPI) and one entangling gate, MS or ZZ, for each of the
circuit's. Phases and angles are in turns, as IonQ counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from hw.primitives import Primitive

Entangler = Literal["ms", "zz"]

_FRAMES = {"z": 0.5, "s": 0.25, "si": -0.25, "t": 0.125, "ti": -0.125}
_PULSES = {"x": ("gpi", 0.0), "y": ("gpi", 0.25), "v": ("gpi2", 0.0), "vi": ("gpi2", 0.5)}
_AZIMUTH = {"rx": 0.0, "ry": 0.25}


class NativeCircuit(NamedTuple):
    """A circuit in native gates.

    Attributes:
        text: its JSON form.
        gates_1q: its gates on one qubit.
        gates_2q: its gates on two.
    """

    text: str
    gates_1q: int
    gates_2q: int


class _Pulse(NamedTuple):
    """A native gate of many circuits: its JSON form with marks, its numbers, and which circuits have it."""

    text: str
    numbers: tuple[np.ndarray, ...]
    present: np.ndarray | None = None


def entangler_of(machine: str) -> Entangler:
    """The entangling gate of a machine.

    Args:
        machine: name of a target or noise model.

    Returns:
        "zz" for the Forte machines, "ms" for others.

    Example:
        >>> entangler_of("qpu.forte-1"), entangler_of("aria-1")
        ('zz', 'ms')
    """
    return "zz" if "forte" in machine else "ms"


def compile_native(
    num_qubits: int, gates: Sequence[Primitive], angles: np.ndarray, entangler: Entangler
) -> list[NativeCircuit]:
    """Compiles circuits of one structure to native gates.

    What a measurement in the computational basis cannot see is left out: global phases, and rotations about
    Z at the end.

    Args:
        num_qubits: the number of qubits.
        gates: the gates, first to last.
        angles: `[N, K]`, radians, one column for each rotation in order.
        entangler: the machine's entangling gate.

    Returns:
        N circuits.

    Example:
        >>> compile_native(1, [Primitive("h", (0,))], np.zeros((1, 0)), "ms")[0].text
        '{"circuit":[{"gate":"gpi2","target":0,"phase":0.75}]}'
    """
    compiler = _Compiler(num_qubits, len(angles), entangler)
    columns = iter(angles.T / (2 * np.pi))
    for gate in gates:
        compiler.add(gate, None if gate.angle is None else next(columns))
    if not compiler.pulses:
        # The service takes no circuit without gates; two opposite pulses change nothing.
        compiler.pulse("gpi2", 0, 0.0)
        compiler.pulse("gpi2", 0, 0.5)
    return _written(compiler.pulses, len(angles))


class _Compiler:
    """Native gates so far, and the frame `[qubits, N]` of every qubit: the turns about Z that are due."""

    def __init__(self, num_qubits: int, num_circuits: int, entangler: Entangler):
        self.pulses: list[_Pulse] = []
        self._frames = np.zeros((num_qubits, num_circuits))
        self._entangle: Callable[[int, int, str, np.ndarray | float], None] = (
            self._by_ms if entangler == "ms" else self._by_zz
        )

    def add(self, gate: Primitive, turns: np.ndarray | None) -> None:
        """Adds a gate; `turns` are the angles of a rotation."""
        qubit, *others = gate.qubits
        if gate.gate in _FRAMES:
            self._frames[qubit] += _FRAMES[gate.gate]
        elif gate.gate in _PULSES:
            self.pulse(_PULSES[gate.gate][0], qubit, _PULSES[gate.gate][1])
        elif gate.gate == "h":
            # H = R_y(pi/2) Z
            self._frames[qubit] += 0.5
            self.pulse("gpi2", qubit, 0.25)
        elif gate.gate == "cnot":
            self._cnot(qubit, others[0])
        elif gate.gate == "swap":
            for axis in "xyz":
                self._entangle(qubit, others[0], axis, -0.25)
        elif gate.gate == "rz":
            self._frames[qubit] += 0.0 if turns is None else turns
        elif gate.gate in _AZIMUTH:
            # With b a quarter turn before the axis, R_axis(theta) = R_b(-pi/2) R_z(theta) R_b(pi/2).
            before = _AZIMUTH[gate.gate] - 0.25
            self.pulse("gpi2", qubit, before)
            self._frames[qubit] += 0.0 if turns is None else turns
            self.pulse("gpi2", qubit, before + 0.5)
        else:
            self._entangle(qubit, others[0], gate.gate[0], 0.0 if turns is None else turns)

    def pulse(self, name: str, qubit: int, azimuth: float, present: np.ndarray | None = None) -> None:
        """Adds a pulse about an axis of the equator; its phase is counted in the qubit's frame."""
        text = f'{{"gate":"{name}","target":{qubit},"phase":%r}}'
        self.pulses.append(_Pulse(text, (self._phase(qubit, azimuth),), present))

    def _phase(self, qubit: int, azimuth: float) -> np.ndarray:
        return np.mod(azimuth - self._frames[qubit], 1.0)

    def _cnot(self, control: int, target: int) -> None:
        # CNOT = R_z(pi/2) on the control, R_x(pi/2) on the target, and exp(i pi/4 Z X) before; Z and X are
        # turned to the entangler's axes around it.
        self.pulse("gpi2", control, 0.25)
        self._entangle(control, target, "x", -0.25)
        self.pulse("gpi2", control, 0.75)
        self._frames[control] += 0.25
        self.pulse("gpi2", target, 0.0)

    def _by_ms(self, one: int, other: int, axis: str, turns: np.ndarray | float) -> None:
        """Adds exp(-i pi turns P P) for P of the axis."""
        if axis == "z":
            # R_y(pi/2) turns Z to X.
            self._around((one, other), 0.25, lambda: self._by_ms(one, other, "x", turns))
            return
        azimuth = _AZIMUTH[f"r{axis}"]
        angle = np.broadcast_to(turns, self._frames.shape[1:])
        angle = angle - np.round(angle)
        # The gate's angle ends at a quarter turn; further on is P P and a turn back.
        far = np.abs(angle) > 0.25 + 1e-12
        angle = np.where(far, angle - 0.5 * np.sign(angle), angle)
        first = np.mod(self._phase(one, azimuth) + 0.5 * (angle < 0), 1.0)
        text = f'{{"gate":"ms","targets":[{one},{other}],"phases":[%r,%r],"angle":%r}}'
        self.pulses.append(_Pulse(text, (first, self._phase(other, azimuth), np.abs(angle))))
        if far.any():
            self.pulse("gpi", one, azimuth, far)
            self.pulse("gpi", other, azimuth, far)

    def _by_zz(self, one: int, other: int, axis: str, turns: np.ndarray | float) -> None:
        """Adds exp(-i pi turns P P) for P of the axis."""
        if axis != "z":
            # R_y(-pi/2) turns X to Z, and R_x(pi/2) turns Y to Z.
            before = {"x": 0.75, "y": 0.0}[axis]
            self._around((one, other), before, lambda: self._by_zz(one, other, "z", turns))
            return
        angle = np.broadcast_to(turns, self._frames.shape[1:])
        halves = np.round(2 * angle)
        text = f'{{"gate":"zz","targets":[{one},{other}],"angle":%r}}'
        self.pulses.append(_Pulse(text, (angle - 0.5 * halves,)))
        # Half a turn is Z Z.
        self._frames[[one, other]] += 0.5 * halves

    def _around(self, qubits: tuple[int, int], azimuth: float, inner: Callable[[], None]) -> None:
        for qubit in qubits:
            self.pulse("gpi2", qubit, azimuth)
        inner()
        for qubit in qubits:
            self.pulse("gpi2", qubit, azimuth + 0.5)


def _written(pulses: Sequence[_Pulse], num_circuits: int) -> list[NativeCircuit]:
    """The circuits in JSON form: those with the same gates are written by the same text."""
    always = np.ones(num_circuits, bool)
    present = np.stack([always if pulse.present is None else pulse.present for pulse in pulses], axis=1)
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    written: list[NativeCircuit] = [NativeCircuit("", 0, 0)] * num_circuits
    for number, pattern in enumerate(patterns):
        kept = [pulse for pulse, is_kept in zip(pulses, pattern, strict=True) if is_kept]
        text = f'{{"circuit":[{",".join(pulse.text for pulse in kept)}]}}'
        two = sum('"targets"' in pulse.text for pulse in kept)
        rows = np.flatnonzero(which.ravel() == number)
        table = np.stack([column[rows] for pulse in kept for column in pulse.numbers], axis=1)
        for row, numbers in zip(rows, table.tolist(), strict=True):
            written[row] = NativeCircuit(text % tuple(numbers), len(kept) - two, two)
    return written
