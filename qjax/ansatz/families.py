"""Ansatz families for learning: layers of trainable gates after, or interleaved with, the features.

Layers are kept as `Repeat`, so neither a circuit's size nor the time to compile it grows with its depth.
"""

from __future__ import annotations

from collections.abc import Sequence

from qjax.ansatz.checks import check_count, check_rotations
from qjax.ansatz.encodings import ANGLE, identity
from qjax.ansatz.layers import TRAINABLE, encoded_circuit, entangled, layer, rotated
from qjax.ansatz.protocol import Encoding
from qjax.circuit import Angle, Circuit, Op, Repeat
from qjax.errors import ArgumentError


def hardware_efficient(
    num_qubits: int,
    num_layers: int,
    *,
    rotations: Sequence[str] = ("ry", "rz"),
    entangler: str = "cx",
    topology: str = "linear",
    encoding: Encoding | None = ANGLE,
    num_features: int | None = None,
) -> Circuit:
    """Layers of trainable rotations on every qubit and entangling gates on the pairs of a topology.

    Parameters are numbered layer by layer; inside a layer qubit by qubit and rotation by rotation, and then
    one for each entangling gate that has an angle.

    Args:
        num_qubits: n, 1 or more.
        num_layers: L, 1 or more.
        rotations: one, two or three of "rx", "ry" and "rz", in the order of application.
        entangler: one of `ENTANGLERS`.
        topology: a name that `edges` knows.
        encoding: what the layers follow; by default `angle()`, None for no features.
        num_features: number of features before the encoding, to be checked now; None leaves the check to
            `encode`.

    Returns:
        The circuit. It has `L * (n * len(rotations) + pairs)` parameters where the entangler has an angle and
        `L * n * len(rotations)` where it has none.

    Raises:
        ArgumentError: if a name is unknown, a number is less than one, or the encoding does not take as many
            features.

    Example:
        >>> hardware_efficient(8, 2, rotations=("rx", "ry", "rz")).num_params
        48

    Reference:
        Kandala et al., Nature 549, 242 (2017), the trial states of Fig. 1.
    """
    num_qubits = check_count("num_qubits", num_qubits)
    rotations = check_rotations(rotations)
    ops = [op for qubit in range(num_qubits) for op in rotated(qubit, rotations)]
    ops += entangled(num_qubits, entangler, topology)
    layers = layer(ops, check_count("num_layers", num_layers))
    return encoded_circuit(num_qubits, (layers,), encoding, num_features)


def data_reuploading(
    num_qubits: int,
    num_layers: int,
    *,
    num_features: int,
    rotations: Sequence[str] = ("ry", "rz"),
    entangler: str = "cz",
    topology: str = "ring",
    trainable_scales: bool = True,
) -> Circuit:
    r"""Layers that rotate every qubit by a weighted feature, then by trainable angles, and then entangle.

    .. math:: R_y(w\, x_j) \text{ and then } R(b_1) \dots R(b_k), \qquad R_y(b) R_y(w\, x) = R_y(w\, x + b)

    so with "ry" as the first of the rotations, its angle is the bias of the weighted feature.

    Qubit `q` takes feature `q mod F`. With more features than qubits, a layer has `ceil(F / n)` such blocks
    one after another, and block `c` gives qubit `q` the feature `(c n + q) mod F`, so that every feature
    enters every layer; the rotations between blocks keep features on one qubit from merely adding up.

    Parameters are numbered layer by layer; inside a layer block by block, qubit by qubit, first the weight
    and then the rotations; at the end of the layer one for each entangling gate that has an angle.
    `initial_params` starts the weights near one.

    Args:
        num_qubits: n, 1 or more.
        num_layers: L, 1 or more.
        num_features: F, 1 or more, angles in radians.
        rotations: one, two or three of "rx", "ry" and "rz", in the order of application.
        entangler: one of `ENTANGLERS`.
        topology: a name that `edges` knows.
        trainable_scales: whether the weights w are parameters; otherwise they are one.

    Returns:
        The circuit; it takes the features themselves (the encoding `identity`).

    Raises:
        ArgumentError: if a name is unknown or a number is less than one.

    Example:
        >>> circuit = data_reuploading(2, 3, num_features=4)
        >>> circuit.num_params, circuit.num_features
        (36, 4)

    Reference:
        Perez-Salinas et al., Quantum 4, 226 (2020), section 3.
    """
    num_qubits = check_count("num_qubits", num_qubits)
    num_features = check_count("num_features", num_features)
    rotations = check_rotations(rotations)
    weight = TRAINABLE.param if trainable_scales else None
    ops: list[Op] = []
    for start in range(0, num_features, num_qubits):
        for qubit in range(num_qubits):
            feature = (start + qubit) % num_features
            ops.append(Op("ry", (qubit,), Angle(param=weight, feature=feature)))
            ops += rotated(qubit, rotations)
    ops += entangled(num_qubits, entangler, topology)
    layers = layer(ops, check_count("num_layers", num_layers))
    return encoded_circuit(num_qubits, (layers,), identity(num_features), num_features)


def strongly_entangling(
    num_qubits: int,
    num_layers: int,
    *,
    ranges: Sequence[int] | None = None,
    encoding: Encoding | None = ANGLE,
    num_features: int | None = None,
) -> Circuit:
    r"""Layers of general rotations on every qubit and a ring of cx gates.

    .. math:: \mathrm{Rot}(\phi, \theta, \omega) = R_z(\omega) R_y(\theta) R_z(\phi)

    In layer `l` qubit `q` controls qubit `(q + r_l) mod n`. The ranges `r_l` repeat with some period, and
    layers are kept as repeats of one period, so the circuit does not grow with its depth. Parameters are
    numbered layer by layer, qubit by qubit, as phi, theta, omega: the order of PennyLane's weights
    `[L, n, 3]`.

    Args:
        num_qubits: n, 1 or more; one qubit is not entangled.
        num_layers: L, 1 or more.
        ranges: for each layer a range from 1 to n - 1; by default `r_l = l mod (n - 1) + 1`.
        encoding: what the layers follow; by default `angle()`, None for no features.
        num_features: number of features before the encoding, to be checked now; None leaves the check to
            `encode`.

    Returns:
        The circuit, with `3 * n * L` parameters.

    Raises:
        ArgumentError: if a number is less than one, a range does not fit, or the encoding does not take as
            many features.

    Example:
        >>> circuit = strongly_entangling(3, 100, encoding=None)
        >>> circuit.num_params, [(len(repeat.body), repeat.times) for repeat in circuit.ops]
        (900, [(24, 50)])

    Reference:
        Schuld, Bocharov, Svore, Wiebe, Phys. Rev. A 101, 032308 (2020).
    """
    num_qubits = check_count("num_qubits", num_qubits)
    num_layers = check_count("num_layers", num_layers)
    distances = _checked_ranges(ranges, num_qubits, num_layers)
    period = _period(distances)
    times, rest = divmod(num_layers, period)
    layers = [_layers(num_qubits, distances[:period], times, first_param=0)]
    if rest:
        done = 3 * num_qubits * (num_layers - rest)
        layers.append(_layers(num_qubits, distances[:rest], times=1, first_param=done))
    return encoded_circuit(num_qubits, layers, encoding, num_features)


def _checked_ranges(ranges: Sequence[int] | None, num_qubits: int, num_layers: int) -> tuple[int, ...]:
    if ranges is None:
        return tuple(index % max(num_qubits - 1, 1) + 1 for index in range(num_layers))
    if len(ranges) != num_layers:
        raise ArgumentError(
            "ranges",
            f"hold one range for each of the {num_layers} layer(s)",
            f"it holds {len(ranges)}",
            "Leave it out for ranges that grow from layer to layer.",
        )
    distances = tuple(check_count("ranges", distance) for distance in ranges)
    if max(distances) >= max(num_qubits, 2):
        raise ArgumentError(
            "ranges",
            f"hold ranges from 1 to {max(num_qubits - 1, 1)} for {num_qubits} qubit(s)",
            f"one is {max(distances)}",
            "A cx needs two different qubits of the circuit.",
        )
    return distances


def _period(values: Sequence[int]) -> int:
    """The least p with `values[i] == values[i - p]` for all i from p on."""
    return next(p for p in range(1, len(values) + 1) if values[p:] == values[: len(values) - p])


def _layers(num_qubits: int, distances: Sequence[int], times: int, first_param: int) -> Repeat:
    ops: list[Op] = []
    for distance in distances:
        for qubit in range(num_qubits):
            ops += rotated(qubit, ("rz", "ry", "rz"))
        if num_qubits > 1:
            ops += [Op("cx", (qubit, (qubit + distance) % num_qubits)) for qubit in range(num_qubits)]
    return layer(ops, times, first_param)
