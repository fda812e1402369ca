"""Circuits of a request: read from JSON into a structure, which many circuits share, and numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any, NamedTuple

from hw.server import gates, states
from hw.server.errors import ApiError, bad_request, shown
from hw.server.gates import Template
from qjax import Circuit, Op

MAX_QUBIT = 63
"""The highest number of a qubit; what a machine has is checked against its own."""


@dataclass(frozen=True, eq=False)
class Structure:
    """What circuits that differ in their numbers only have in common.

    Args:
        templates: the gates in order.
        used: the qubits that gates touch, ascending; qubit 0 where there are none.
        counted: gates on one qubit and on several.
    """

    templates: tuple[Template, ...]
    used: tuple[int, ...]
    counted: tuple[int, int]

    @cached_property
    def circuit(self) -> Circuit:
        """The circuit on as many wires as qubits are used; its parameters are the numbers."""
        wires = states.wires(self.used)
        ops: list[Op] = []
        start = 0
        for template in self.templates:
            for op in template.ops:
                moved = op.shifted(start, 0)
                ops.append(
                    Op(op.gate, [wires[q] for q in op.qubits], moved.angles, pauli=op.pauli, matrix=op.matrix)
                )
            start += template.num_numbers
        return Circuit(len(self.used), ops, num_params=start)

    @property
    def num_states(self) -> int:
        """How many basis states are simulated."""
        return 2 ** len(self.used)


class ReadCircuit(NamedTuple):
    """One circuit of a request.

    Args:
        structure: its gates.
        numbers: their angles and phases, in order.
    """

    structure: Structure
    numbers: list[float]


def read_circuit(circuit: Any, gateset: str, *, noisy: bool = False) -> ReadCircuit:
    """Reads a list of gates.

    Args:
        circuit: the parsed JSON list.
        gateset: "qis" or "native".
        noisy: whether noise will follow every gate; then `ms` is one operation. (What else takes several
            operations here takes several gates on a machine.)

    Returns:
        The circuit.

    Raises:
        ApiError: if it is no list of gates that the gateset has; the message says which gate and why.

    Example:
        >>> read_circuit([{"gate": "ry", "target": 2, "rotation": 0.5}], "qis").numbers
        [0.5]
    """
    if type(circuit) is not list:
        raise bad_request(f"A `circuit` must be a list of gates, but one is {shown(circuit)}.")
    if gateset not in ("qis", "native"):
        raise bad_request(f"A `gateset` must be `qis` or `native`, but one is {shown(gateset)}.")
    read = _read_qis if gateset == "qis" else partial(_read_native, noisy=noisy)
    numbers: list[float] = []
    templates: list[Template] = []
    for position, gate in enumerate(circuit):
        try:
            templates.append(read(gate, numbers))
        except ApiError as error:
            raise bad_request(f"Gate {position} of a circuit cannot be run. {error.message}") from None
    return ReadCircuit(_structure(tuple(templates)), numbers)


@lru_cache(maxsize=4096)
def _structure(templates: tuple[Template, ...]) -> Structure:
    used = sorted({qubit for template in templates for qubit in template.qubits})
    one = sum(template.counted[0] for template in templates)
    several = sum(template.counted[1] for template in templates)
    return Structure(templates, tuple(used or (0,)), (one, several))


def _read_qis(gate: Any, numbers: list[float]) -> Template:
    name = _name(gate)
    targets = _qubits(gate, "target", "targets")
    controls = _qubits(gate, "control", "controls")
    if name == "pauliexp":
        if controls:
            raise bad_request("Gate `pauliexp` takes no controls. Leave them out.")
        return _read_pauli_exponential(gate, targets, numbers)
    rotation = gate.get("rotation")
    template = gates.qis(name, targets, controls, rotation is not None)
    if rotation is not None:
        numbers.append(_number("rotation", rotation, 4 * math.pi))
    return template


def _read_native(gate: Any, numbers: list[float], noisy: bool) -> Template:
    name = _name(gate)
    targets = _qubits(gate, "target", "targets")
    template = gates.native(name, targets)
    if gate.get("control") is not None or gate.get("controls"):
        raise bad_request(f"Gate `{name}` takes no controls. Leave them out.")
    if name == "ms":
        phases = gate.get("phases")
        if type(phases) is not list or len(phases) != 2:
            raise bad_request(f"Gate `ms` must have two `phases`, but they are {shown(phases)}.")
        angle = gate.get("angle")
        turns = [_number("phases", phase, 1.0) for phase in phases]
        turns.append(_number("angle", 0.25 if angle is None else angle, 2.0))
        if noisy:
            return gates.ms_unitary(turns[:2], turns[2], targets)
        numbers += turns
    elif name == "zz":
        # The service says `angle`, and a published client of its writes `phase`.
        angle = gate.get("angle")
        numbers.append(_number("angle", gate.get("phase") if angle is None else angle, 2.0))
    elif template.num_numbers:
        numbers.append(_number("phase", gate.get("phase"), 1.0))
    return template


def _read_pauli_exponential(gate: dict[str, Any], targets: tuple[int, ...], numbers: list[float]) -> Template:
    terms, coefficients, time = gate.get("terms"), gate.get("coefficients"), gate.get("time")
    if type(terms) is not list or not terms or not all(type(term) is str for term in terms):
        raise bad_request(f"Gate `pauliexp` must have `terms`, a list of strings, but it has {shown(terms)}.")
    if type(coefficients) is not list or len(coefficients) != len(terms):
        raise bad_request(
            f"Gate `pauliexp` must have `coefficients`, one for each of its {len(terms)} terms."
        )
    duration = _number("time", time)
    if duration < 0:
        raise bad_request(f"The `time` of gate `pauliexp` must be 0 or more, but it is {duration:g}.")
    angles = [2 * duration * _number("coefficients", c) for c in coefficients]
    angles = [_number("time times coefficients", angle, 4 * math.pi) for angle in angles]
    strings = tuple(terms)
    template = gates.pauli_exponential(strings, targets)
    if not gates.commute(strings):
        return gates.pauli_unitary(strings, angles, targets)
    numbers += angles
    return template


def _name(gate: Any) -> str:
    name = gate.get("gate") if type(gate) is dict else None
    if type(name) is not str:
        raise bad_request(f"A gate must be an object with a `gate` name, but it is {shown(gate)}.")
    return name


def _qubits(gate: dict[str, Any], single: str, several: str) -> tuple[int, ...]:
    qubits = gate.get(several)
    if qubits is None:
        qubit = gate.get(single)
        qubits = [] if qubit is None else [qubit]
    elif gate.get(single) is not None:
        raise bad_request(f"A gate must have `{single}` or `{several}`, but it has both.")
    if type(qubits) is not list:
        raise bad_request(f"The `{several}` of a gate must be a list, but they are {shown(qubits)}.")
    for qubit in qubits:
        if type(qubit) is not int or not 0 <= qubit <= MAX_QUBIT:
            return tuple(map(_whole, qubits))
    return tuple(qubits)


def _whole(qubit: Any) -> int:
    # The service's schema has `targets` as numbers, so 1.0 is a qubit too.
    if type(qubit) in (int, float) and 0 <= qubit <= MAX_QUBIT and qubit == int(qubit):
        return int(qubit)
    raise bad_request(f"A qubit must be a whole number from 0 to {MAX_QUBIT}, but one is {shown(qubit)}.")


def _number(name: str, value: Any, period: float | None = None) -> float:
    """A finite number; of what has a period, the remainder, which is exact."""
    if type(value) is not float:
        if type(value) is not int:
            raise bad_request(f"A gate's `{name}` must be a number, but it is {shown(value)}.")
        try:
            value = float(value)
        except OverflowError:
            value = math.inf
    if not math.isfinite(value):
        raise bad_request(f"A gate's `{name}` must be finite, but it is not.")
    return math.fmod(value, period) if period is not None else value


def count_gates(circuits: Sequence[ReadCircuit]) -> tuple[int, int]:
    """Gates on one qubit and on several in all circuits.

    Args:
        circuits: the circuits.

    Returns:
        Both counts.
    """
    counts = [circuit.structure.counted for circuit in circuits]
    return sum(one for one, _ in counts), sum(several for _, several in counts)
