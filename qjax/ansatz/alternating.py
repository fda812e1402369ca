"""The quantum approximate optimisation ansatz for diagonal cost functions."""

from __future__ import annotations

from qjax.ansatz.checks import check_count
from qjax.circuit import Angle, Circuit, Op, Repeat
from qjax.errors import ArgumentError
from qjax.gates import PAULI_ROTATION
from qjax.observables import PauliString, PauliSum, format_pauli

_MIXER_PARAM = 1


def qaoa(cost: PauliSum, num_layers: int) -> Circuit:
    r"""Alternates evolutions under a diagonal cost and under a transverse field, from the uniform state.

    .. math:: |\gamma, \beta\rangle = \prod_{l=L}^{1} e^{-i \beta_l \sum_q X_q} e^{-i \gamma_l C}
        H^{\otimes n} |0\rangle

    All gates of one evolution share its parameter. Parameters are numbered gamma_1, beta_1, gamma_2, ...
    The identity's part of the cost is a global phase and leaves no gate.

    Args:
        cost: C, a sum of Pauli strings of Z alone; it acts on qubits 0 to n - 1.
        num_layers: L, 1 or more.

    Returns:
        The circuit, with 2 L parameters and no features.

    Raises:
        ArgumentError: if the cost has an X or a Y or is constant, or L is less than one.

    Example:
        >>> max_cut = PauliSum({"Z0 Z1": 0.5, "Z1 Z2": 0.5})
        >>> [op.gate for op in qaoa(max_cut, 1).unrolled()]
        ['h', 'h', 'h', 'rzz', 'rzz', 'rx', 'rx', 'rx']

    Reference:
        Farhi, Goldstone, Gutmann, arXiv:1411.4028 (2014), eqs. (2) to (6).
    """
    num_layers = check_count("num_layers", num_layers)
    evolution = [_evolution(string, value) for string, value in _checked_terms(cost)]
    qubits = range(cost.num_qubits)
    mixer = [Op("rx", (qubit,), Angle(param=_MIXER_PARAM, scale=2.0)) for qubit in qubits]
    layers = Repeat((*evolution, *mixer), num_layers, param_stride=2)
    return Circuit(cost.num_qubits, (*(Op("h", (qubit,)) for qubit in qubits), layers))


def _checked_terms(cost: PauliSum) -> list[tuple[PauliString, float]]:
    for string, _ in cost.terms:
        if any(letter != "Z" for _, letter in string):
            raise ArgumentError(
                "cost",
                "be diagonal, a sum of Pauli strings of Z alone",
                f"it has the term `{format_pauli(string)}`",
                "Write the cost function in terms of Z, for example x = (1 - Z) / 2 for a bit x.",
            )
    terms = [(string, value) for string, value in cost.terms if string]
    if not terms:
        raise ArgumentError(
            "cost", "depend on a qubit", f"it is the constant `{cost}`", 'Write `PauliSum("Z0 Z1")`.'
        )
    return terms


def _evolution(string: PauliString, coefficient: float) -> Op:
    """The gate `exp(-i gamma c Z...Z)`."""
    qubits = tuple(qubit for qubit, _ in string)
    angle = Angle(param=0, scale=2 * coefficient)
    match len(qubits):
        case 1:
            return Op("rz", qubits, angle)
        case 2:
            return Op("rzz", qubits, angle)
        case size:
            return Op(PAULI_ROTATION, qubits, angle, pauli="Z" * size)
