"""Random circuits from the whole gate table, and their translation to Cirq as the oracle."""

from __future__ import annotations

import cirq
import numpy as np
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Repeat, gates


def random_op(
    rng: np.random.Generator, num_qubits: int, num_params: int, num_features: int, name: str | None = None
) -> Op:
    if name is None:
        names = [name for name, row in gates.GATES.items() if (row.num_qubits or 1) <= num_qubits]
        name = str(rng.choice(names))
    row = gates.GATES[name]
    limit = min(num_qubits, 4)
    size = row.num_qubits or int(rng.integers(1, limit + 1))
    qubits = tuple(int(q) for q in rng.permutation(num_qubits)[:size])
    angles = tuple(random_angle(rng, num_params, num_features) for _ in range(row.num_angles))
    pauli = "".join(rng.choice(list("XYZ"), size)) if name == gates.PAULI_ROTATION else None
    matrix = random_unitary(rng, 2**size) if name == gates.UNITARY else None
    return Op(name, qubits, angles, pauli=pauli, matrix=matrix)


def random_angle(rng: np.random.Generator, num_params: int, num_features: int) -> Angle:
    return Angle(
        param=int(rng.integers(num_params)) if num_params and rng.random() < 0.8 else None,
        feature=int(rng.integers(num_features)) if num_features and rng.random() < 0.3 else None,
        scale=float(rng.normal()),
        offset=float(rng.normal()),
    )


def random_unitary(rng: np.random.Generator, size: int) -> np.ndarray:
    matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    q, r = np.linalg.qr(matrix)
    return q * (np.diag(r) / abs(np.diag(r)))


MAX_TIMES = 3
MAX_DEPTH = 2
ROOM = (MAX_TIMES - 1) * MAX_DEPTH
"""How far the strides of nested repeats can move an index."""


def random_repeat(
    rng: np.random.Generator, num_qubits: int, num_params: int, num_features: int, depth: int
) -> Repeat:
    times = int(rng.integers(1, MAX_TIMES + 1))
    param_stride, feature_stride = (int(stride) for stride in rng.integers(-1, 2, 2))
    body = random_elements(rng, num_qubits, int(rng.integers(1, 4)), num_params, num_features, depth - 1)
    # A body that walks backwards starts as high as it has to.
    back = tuple(max(0, -stride) * (times - 1) for stride in (param_stride, feature_stride))
    return Repeat(tuple(element.shifted(*back) for element in body), times, param_stride, feature_stride)


def random_elements(
    rng: np.random.Generator, num_qubits: int, num_ops: int, num_params: int, num_features: int, depth: int
) -> tuple[Op | Repeat, ...]:
    sizes = (num_qubits, num_params, num_features)
    return tuple(
        random_repeat(rng, *sizes, depth) if depth and rng.random() < 0.15 else random_op(rng, *sizes)
        for _ in range(num_ops)
    )


def random_circuit(
    seed: int, num_qubits: int, num_ops: int, num_params: int = 3, num_features: int = 2, repeats: bool = True
) -> Circuit:
    """A random circuit; fewer operations from the same seed are the first ones of the same circuit."""
    rng = np.random.default_rng(seed)
    depth = MAX_DEPTH if repeats else 0
    ops = random_elements(rng, num_qubits, num_ops, num_params, num_features, depth)
    return Circuit(num_qubits, ops, num_params + ROOM, num_features + ROOM)


@st.composite
def circuits(
    draw, max_qubits: int = 5, max_ops: int = 12, repeats: bool = True, min_qubits: int = 1, min_ops: int = 0
) -> Circuit:
    return random_circuit(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.integers(min_qubits, max_qubits)),
        draw(st.integers(min_ops, max_ops)),
        repeats=repeats,
    )


def to_cirq(circuit: Circuit, params: np.ndarray, features: np.ndarray) -> cirq.Circuit:
    return cirq.Circuit(
        [cirq.I(q) for q in cirq.LineQubit.range(circuit.num_qubits)],
        [_to_cirq_op(op, params, features) for op in circuit.unrolled()],
    )


def angle_value(angle: Angle, params: np.ndarray, features: np.ndarray) -> float:
    if angle.is_constant:
        return angle.offset
    product = angle.scale
    if angle.param is not None:
        product *= float(params[angle.param])
    if angle.feature is not None:
        product *= float(features[angle.feature])
    return product + angle.offset


_PLAIN = {
    "h": cirq.H,
    "x": cirq.X,
    "y": cirq.Y,
    "z": cirq.Z,
    "s": cirq.S,
    "sdg": cirq.S**-1,
    "t": cirq.T,
    "tdg": cirq.T**-1,
    "sx": cirq.X**0.5,
    "sxdg": cirq.X**-0.5,
    "cx": cirq.CNOT,
    "cy": cirq.ControlledGate(cirq.Y),
    "cz": cirq.CZ,
    "ch": cirq.ControlledGate(cirq.H),
    "swap": cirq.SWAP,
    "iswap": cirq.ISWAP,
    "iswapdg": cirq.ISWAP**-1,
    "ccx": cirq.CCX,
    "cswap": cirq.CSWAP,
}
_ANGLED = {
    "rx": cirq.rx,
    "ry": cirq.ry,
    "rz": cirq.rz,
    "p": lambda t: cirq.Z ** (t / np.pi),
    "cp": lambda t: cirq.CZ ** (t / np.pi),
    "crx": lambda t: cirq.ControlledGate(cirq.rx(t)),
    "cry": lambda t: cirq.ControlledGate(cirq.ry(t)),
    "crz": lambda t: cirq.ControlledGate(cirq.rz(t)),
    "rxx": lambda t: cirq.XXPowGate(exponent=t / np.pi, global_shift=-0.5),
    "ryy": lambda t: cirq.YYPowGate(exponent=t / np.pi, global_shift=-0.5),
    "rzz": lambda t: cirq.ZZPowGate(exponent=t / np.pi, global_shift=-0.5),
}


def _to_cirq_op(op: Op, params: np.ndarray, features: np.ndarray) -> cirq.Operation:
    qubits = [cirq.LineQubit(q) for q in op.qubits]
    values = [angle_value(angle, params, features) for angle in op.angles]
    if op.gate in _PLAIN:
        return _PLAIN[op.gate](*qubits)
    if op.gate in _ANGLED:
        return _ANGLED[op.gate](values[0])(*qubits)
    if op.gate == "u3":
        theta, phi, lam = values
        c, s = np.cos(theta / 2), np.sin(theta / 2)
        matrix = np.array([[c, -np.exp(1j * lam) * s], [np.exp(1j * phi) * s, np.exp(1j * (phi + lam)) * c]])
        return cirq.MatrixGate(matrix)(*qubits)
    if op.gate == gates.PAULI_ROTATION:
        string = cirq.DensePauliString(op.pauli)(*qubits)
        return cirq.PauliStringPhasor(
            string, exponent_neg=values[0] / np.pi / 2, exponent_pos=-values[0] / np.pi / 2
        )
    return cirq.MatrixGate(np.array(op.matrix))(*qubits)


def cirq_state(circuit: Circuit, params: np.ndarray, features: np.ndarray) -> np.ndarray:
    simulator = cirq.Simulator(dtype=np.complex128)
    return simulator.simulate(
        to_cirq(circuit, params, features), qubit_order=cirq.LineQubit.range(circuit.num_qubits)
    ).final_state_vector
