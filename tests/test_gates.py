"""Laws of the gate table, and its agreement with Cirq, Qiskit and PennyLane."""

import itertools
from typing import Any

import cirq
import jax
import jax.numpy as jnp
import numpy as np
import pennylane as qml
import pytest
import qiskit.circuit.library as qiskit_gates
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, Pauli
from scipy.linalg import expm

from qjax import Angle, Circuit, Op, Simulator, gates
from qjax.errors import ArgumentError
from tests.circuits import random_unitary, to_cirq
from tests.messages import check_message

FIXED = [row for row in gates.GATES.values() if row.matrix is not None]
PARAMETRIC = [row for row in FIXED if row.num_angles]
ANGLES = st.lists(st.floats(-7.0, 7.0), min_size=3, max_size=3)

every_gate = pytest.mark.parametrize("row", FIXED, ids=lambda row: row.name)
every_angle = pytest.mark.parametrize(
    ("row", "index"),
    [(row, index) for row in PARAMETRIC for index in range(row.num_angles)],
    ids=lambda value: value.name if isinstance(value, gates.Gate) else str(value),
)


def matrix(row: gates.Gate, angles) -> np.ndarray:
    if not callable(row.matrix):
        return np.asarray(row.matrix)
    with jax.enable_x64(True):
        return np.asarray(row.matrix(*map(jnp.float64, angles[: row.num_angles])))


@every_gate
@given(angles=ANGLES)
@settings(max_examples=10, deadline=None)
def test_matrix_is_unitary(row, angles):
    u = matrix(row, angles)
    assert u.shape == (2**row.num_qubits, 2**row.num_qubits)
    assert u.dtype == np.complex128
    np.testing.assert_allclose(u @ u.conj().T, np.eye(len(u)), atol=1e-14)


@every_gate
@given(angles=ANGLES)
@settings(max_examples=10, deadline=None)
def test_inverse_undoes(row, angles):
    inverse = gates.gate(row.inverse)
    assert gates.gate(inverse.inverse) is row
    back = [-angles[index] for index in row.inverse_angles]
    product = matrix(inverse, back) @ matrix(row, angles)
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-14)


@every_gate
@given(angles=ANGLES)
@settings(max_examples=10, deadline=None)
def test_kind_says_what_the_matrix_moves(row, angles):
    generic = [angle + 0.1 for angle in angles]
    u = matrix(row, generic)
    diagonal = np.array_equal(u, np.diag(np.diag(u)))
    if row.kind == "diagonal":
        assert diagonal
    elif row.kind == "permutation":
        assert not diagonal
        assert np.array_equal(u @ u.T, np.eye(len(u)))
        assert set(u.ravel()) == {0.0, 1.0}


@every_angle
@given(angles=ANGLES)
@settings(max_examples=5, deadline=None)
def test_generator_has_the_stated_spectrum(row, index, angles):
    with jax.enable_x64(True):
        values = [jnp.float64(angle) for angle in angles[: row.num_angles]]
        derivative = np.asarray(jax.jacfwd(row.matrix, argnums=index)(*values))
    generator = 1j * matrix(row, angles).conj().T @ derivative
    np.testing.assert_allclose(generator, generator.conj().T, atol=1e-14)
    eigenvalues = np.unique(np.linalg.eigvalsh(generator).round(9) + 0.0)
    stated = np.sort(row.spectra[index])
    assert np.allclose(eigenvalues, stated) or np.allclose(eigenvalues, -stated[::-1])


@every_angle
def test_expectation_has_exactly_the_stated_frequencies(row, index):
    # Over 4 pi, frequency w is entry 2 w of the Fourier transform.
    rng = np.random.default_rng(0)
    size = 2**row.num_qubits
    state = random_unitary(rng, size)[:, 0]
    observable = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    observable += observable.conj().T
    values = []
    for theta in np.arange(16) * np.pi / 4:
        angles = [0.3, 0.7, 1.1]
        angles[index] = theta
        moved = matrix(row, angles) @ state
        values.append((moved.conj() @ observable @ moved).real)
    spectrum = abs(np.fft.rfft(values)) / 16
    found = {k / 2 for k in range(1, 9) if spectrum[k] > 1e-9}
    assert found == set(gates.frequencies(row.spectra[index]))


@pytest.mark.parametrize("row", [row for row in FIXED if row.pauli], ids=lambda row: row.name)
@given(theta=st.floats(-7.0, 7.0))
@settings(max_examples=10, deadline=None)
def test_rotations_are_exponentials(row, theta):
    expected = expm(-0.5j * theta * gates.pauli_string_matrix(row.pauli))
    np.testing.assert_allclose(matrix(row, [theta]), expected, atol=1e-13)


@every_gate
@given(angles=ANGLES)
@settings(max_examples=5, deadline=None)
def test_single_precision_stays_single(row, angles):
    if row.num_angles:
        u = row.matrix(*map(jnp.float32, angles[: row.num_angles]))
        assert u.dtype == jnp.complex64
        np.testing.assert_allclose(u, matrix(row, np.float32(angles)), atol=2e-6)


def op_of(row: gates.Gate, angles) -> Op:
    return Op(row.name, range(row.num_qubits or 0), tuple(angles[: row.num_angles]))


@every_gate
@given(angles=ANGLES)
@settings(max_examples=5, deadline=None)
def test_agrees_with_cirq(row, angles):
    circuit = Circuit(row.num_qubits, (op_of(row, angles),))
    expected = cirq.unitary(to_cirq(circuit, np.zeros(0), np.zeros(0)))
    np.testing.assert_allclose(matrix(row, angles), expected, atol=1e-7)  # Cirq rounds phases in places


QISKIT = {
    "h": qiskit_gates.HGate,
    "x": qiskit_gates.XGate,
    "y": qiskit_gates.YGate,
    "z": qiskit_gates.ZGate,
    "s": qiskit_gates.SGate,
    "sdg": qiskit_gates.SdgGate,
    "t": qiskit_gates.TGate,
    "tdg": qiskit_gates.TdgGate,
    "sx": qiskit_gates.SXGate,
    "sxdg": qiskit_gates.SXdgGate,
    "rx": qiskit_gates.RXGate,
    "ry": qiskit_gates.RYGate,
    "rz": qiskit_gates.RZGate,
    "p": qiskit_gates.PhaseGate,
    "u3": qiskit_gates.UGate,
    "cx": qiskit_gates.CXGate,
    "cy": qiskit_gates.CYGate,
    "cz": qiskit_gates.CZGate,
    "ch": qiskit_gates.CHGate,
    "cp": qiskit_gates.CPhaseGate,
    "crx": qiskit_gates.CRXGate,
    "cry": qiskit_gates.CRYGate,
    "crz": qiskit_gates.CRZGate,
    "swap": qiskit_gates.SwapGate,
    "iswap": qiskit_gates.iSwapGate,
    "iswapdg": lambda: qiskit_gates.iSwapGate().inverse(),
    "rxx": qiskit_gates.RXXGate,
    "ryy": qiskit_gates.RYYGate,
    "rzz": qiskit_gates.RZZGate,
    "ccx": qiskit_gates.CCXGate,
    "cswap": qiskit_gates.CSwapGate,
}


def qiskit_matrix(gate, num_qubits: int) -> np.ndarray:
    circuit = QuantumCircuit(num_qubits)
    # Qiskit's qubit 0 is the least significant bit, so the first qubit is its last.
    circuit.append(gate, range(num_qubits)[::-1])
    return np.asarray(Operator(circuit).data)


@every_gate
@given(angles=ANGLES)
@settings(max_examples=5, deadline=None)
def test_agrees_with_qiskit(row, angles):
    expected = qiskit_matrix(QISKIT[row.name](*angles[: row.num_angles]), row.num_qubits)
    np.testing.assert_allclose(matrix(row, angles), expected, atol=1e-13)


PENNYLANE = {
    "h": qml.Hadamard,
    "x": qml.PauliX,
    "y": qml.PauliY,
    "z": qml.PauliZ,
    "s": qml.S,
    "sdg": qml.adjoint(qml.S),
    "t": qml.T,
    "tdg": qml.adjoint(qml.T),
    "sx": qml.SX,
    "sxdg": qml.adjoint(qml.SX),
    "rx": qml.RX,
    "ry": qml.RY,
    "rz": qml.RZ,
    "p": qml.PhaseShift,
    "u3": qml.U3,
    "cx": qml.CNOT,
    "cy": qml.CY,
    "cz": qml.CZ,
    "ch": qml.CH,
    "cp": qml.ControlledPhaseShift,
    "crx": qml.CRX,
    "cry": qml.CRY,
    "crz": qml.CRZ,
    "swap": qml.SWAP,
    "iswap": qml.ISWAP,
    "iswapdg": qml.adjoint(qml.ISWAP),
    "rxx": qml.IsingXX,
    "ryy": qml.IsingYY,
    "rzz": qml.IsingZZ,
    "ccx": qml.Toffoli,
    "cswap": qml.CSWAP,
}


@every_gate
@given(angles=ANGLES)
@settings(max_examples=5, deadline=None)
def test_agrees_with_pennylane(row, angles):
    wires = list(range(row.num_qubits))
    operation = PENNYLANE[row.name](*angles[: row.num_angles], wires=wires)
    expected = np.asarray(qml.matrix(operation, wire_order=wires))
    np.testing.assert_allclose(matrix(row, angles), expected, atol=1e-13)


def simulated_matrix(op: Op, num_qubits: int) -> np.ndarray:
    """The matrix that the simulator applies for an op: one column for each basis state."""
    # U3(pi b, 0, pi) takes |0> to |b> without a phase.
    prepare = [Op("u3", (q,), (Angle(feature=q, scale=np.pi), 0.0, np.pi)) for q in range(num_qubits)]
    circuit = Circuit(num_qubits, (*prepare, op))
    with jax.enable_x64(True):
        basis = jnp.array(list(itertools.product([0.0, 1.0], repeat=num_qubits)))
        return np.asarray(Simulator(dtype="complex128").statevector(circuit, jnp.zeros((1, 0)), basis))[0].T


@given(st.text("XYZ", min_size=1, max_size=3), st.floats(-7.0, 7.0))
@settings(max_examples=8, deadline=None)
def test_pauli_rotation_agrees_with_qiskit_and_pennylane(pauli, theta):
    size = len(pauli)
    found = simulated_matrix(Op("pauli_rotation", range(size), theta, pauli=pauli), size)
    # Both labels name the most significant qubit first.
    expected = expm(-0.5j * theta * Pauli(pauli).to_matrix())
    np.testing.assert_allclose(found, expected, atol=1e-12)
    rotation = qml.PauliRot(theta, pauli, wires=list(range(size)))
    np.testing.assert_allclose(found, np.asarray(qml.matrix(rotation)), atol=1e-12)


@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_unitary_applies_its_matrix(size, seed):
    u = random_unitary(np.random.default_rng(seed), 2**size)
    np.testing.assert_allclose(simulated_matrix(Op("unitary", range(size), matrix=u), size), u, atol=1e-13)


def test_every_gate_has_its_oracles():
    assert QISKIT.keys() == PENNYLANE.keys() == {row.name for row in FIXED}


def test_table_is_read_only():
    table: Any = gates.GATES
    with pytest.raises(TypeError):
        table["h"] = table["x"]
    for row in FIXED:
        assert callable(row.matrix) or not np.asarray(row.matrix).flags.writeable


@pytest.mark.parametrize(
    ("name", "cure"), [("cxx", "`cx`"), ("RX", "`rx`"), (3, ""), (None, ""), ([], ""), ("a\nb", ""), ("", "")]
)
def test_unknown_gates_are_refused(name, cure):
    with pytest.raises(ArgumentError) as caught:
        gates.gate(name)
    check_message(caught.value, "gate")
    assert cure in str(caught.value)
