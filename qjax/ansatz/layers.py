"""The parts that variational circuits are made of: rotations, entanglers, and layers done several times.

Parts are written with `TRAINABLE` for every angle that needs a parameter of its own; `layer` numbers these
in the order of the gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qjax import gates
from qjax.ansatz.checks import check_count, check_name
from qjax.ansatz.encodings import none
from qjax.ansatz.protocol import Encoding, check_features
from qjax.ansatz.topology import edges
from qjax.circuit import Angle, Circuit, Op, Repeat

TRAINABLE = Angle(param=0)
"""An angle with a parameter that `layer` has yet to number."""

ENTANGLERS: tuple[str, ...] = (
    *("cx", "cy", "cz", "ch", "iswap"),
    *("cp", "crx", "cry", "crz", "rxx", "ryy", "rzz"),
)
"""The two-qubit gates that layers may entangle with; those of the second row have a parameter each."""


def rotated(qubit: int, rotations: Iterable[str]) -> tuple[Op, ...]:
    """Trainable rotations of one qubit, one after another.

    Args:
        qubit: the qubit.
        rotations: names of one-qubit rotations.

    Returns:
        One gate for each.

    Example:
        >>> [op.gate for op in rotated(0, ("ry", "rz"))]
        ['ry', 'rz']
    """
    return tuple(Op(rotation, (qubit,), TRAINABLE) for rotation in rotations)


def entangled(num_qubits: int, entangler: str, topology: str) -> tuple[Op, ...]:
    """One two-qubit gate on each pair of a topology, trainable where the gate has an angle.

    Args:
        num_qubits: number of qubits.
        entangler: one of `ENTANGLERS`.
        topology: a name that `edges` knows.

    Returns:
        The gates.

    Raises:
        ArgumentError: if a name is unknown.

    Example:
        >>> [op.qubits for op in entangled(3, "cx", "linear")]
        [(0, 1), (1, 2)]
    """
    row = gates.GATES[check_name("entangler", entangler, ENTANGLERS)]
    angles = (TRAINABLE,) * row.num_angles
    return tuple(Op(entangler, edge, angles) for edge in edges(topology, num_qubits))


def layer(ops: Sequence[Op], times: int, first_param: int = 0) -> Repeat:
    """A layer done several times, every time with parameters of its own.

    Args:
        ops: the gates of one layer; each angle with a parameter gets the next one.
        times: how often.
        first_param: index of the first parameter of the first time.

    Returns:
        The repeat. Its `param_stride` is the layer's number of parameters.

    Example:
        >>> repeat = layer(rotated(0, ("ry", "rz")), times=3)
        >>> [op.angles[0].param for op in repeat.unrolled()]
        [0, 1, 2, 3, 4, 5]
    """
    numbered, param = [], first_param
    for op in ops:
        angles = []
        for angle in op.angles:
            trainable = angle.param is not None
            angles.append(angle.shifted(param, 0) if trainable else angle)
            param += trainable
        numbered.append(op.with_angles(angles))
    return Repeat(tuple(numbered), times, param_stride=param - first_param)


def encoded_circuit(
    num_qubits: int,
    layers: Sequence[Op | Repeat],
    encoding: Encoding | None,
    num_features: int | None,
) -> Circuit:
    """The circuit of an encoding and the layers after it.

    Args:
        num_qubits: number of qubits.
        layers: what follows the encoding.
        encoding: the encoding, or None for no features.
        num_features: number of features before the encoding, to be checked here; None checks nothing.

    Returns:
        The circuit; its features are the encoded features.

    Raises:
        ArgumentError: if the encoding does not take as many features.
    """
    encoding = none() if encoding is None else encoding
    num_qubits = check_count("num_qubits", num_qubits)
    if num_features is not None:
        check_features(encoding, num_features, num_qubits)
    ops = (*encoding.ops(num_qubits), *layers)
    return Circuit(num_qubits, ops, num_features=encoding.num_encoded(num_qubits))
