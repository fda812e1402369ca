"""Circuits with numbers as Cirq's circuits, gate for gate what the service is sent."""

from __future__ import annotations

from collections.abc import Sequence

import cirq
import numpy as np
from jax.typing import ArrayLike

from hw.cirq_gates import cirq_operation
from hw.payload import MEASUREMENT_KEY
from hw.primitives import Primitive
from hw.template import basis_change, translate
from qjax.circuit import Circuit
from qjax.observables import MeasurementGroup


def to_cirq(
    circuit: Circuit,
    params: ArrayLike | Sequence[float] = (),
    features: ArrayLike | Sequence[float] = (),
    group: MeasurementGroup | None = None,
    *,
    measure: bool = False,
) -> cirq.Circuit:
    """A circuit with its numbers as Cirq's circuit, in gates that cirq-ionq's serializer accepts.

    Cirq's `LineQubit(q)` is qubit q, and in both qubit 0 is the most significant bit. The unitary is the
    circuit's up to a global phase.

    Args:
        circuit: the circuit.
        params: `[P]`, real, radians.
        features: `[F]`, real.
        group: a measurement group, whose change of basis is appended.
        measure: whether all qubits are measured at the end, with the key "m".

    Returns:
        The circuit.

    Example:
        >>> from qjax import Angle, Circuit, Op
        >>> print(to_cirq(Circuit(2, (Op("ry", (0,), Angle(param=0)), Op("cz", (0, 1)))), [np.pi / 2]))
        0: ───Y^0.5───@───────
                      │
        1: ───H───────X───H───
    """
    template = translate(circuit)
    angles = template.angles(
        np.reshape(np.asarray(params), (1, -1)), np.reshape(np.asarray(features), (1, -1))
    )[0, 0]
    return build(template.num_qubits, template.gates, angles, group, measure=measure)


def build(
    num_qubits: int,
    gates: Sequence[Primitive],
    angles: np.ndarray,
    group: MeasurementGroup | None = None,
    *,
    measure: bool = False,
) -> cirq.Circuit:
    """Cirq's circuit from translated gates and the values of their angles.

    Args:
        num_qubits: the number of qubits.
        gates: gates of the service.
        angles: `[K]`, radians, one for each rotation in order.
        group: a measurement group, whose change of basis is appended.
        measure: whether all qubits are measured at the end.

    Returns:
        The circuit.
    """
    values = iter(angles.tolist())
    operations = [cirq_operation(gate, 0.0 if gate.angle is None else next(values)) for gate in gates]
    if group is not None:
        operations += [cirq_operation(gate, 0.0) for gate in basis_change(group)]
    if measure:
        operations.append(cirq.measure(*cirq.LineQubit.range(num_qubits), key=MEASUREMENT_KEY))
    return cirq.Circuit(operations)
