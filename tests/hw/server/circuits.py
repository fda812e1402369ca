"""Random circuits as JSON: every gate of both gatesets, with all that the service lets a gate have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NUM_QUBITS = 4

angles = st.floats(-10, 10)
turns = st.floats(-2, 2)


def _sets_of(count: int):
    return st.permutations(range(NUM_QUBITS)).map(lambda order: list(order[:count]))


@st.composite
def qis_gates(draw) -> dict[str, Any]:
    name = draw(
        st.sampled_from(
            (*"xyzhstv", "not", "si", "ti", "vi", "rx", "ry", "rz", "cnot", "swap", "xx", "yy", "zz")
        )
    )
    num_targets = 2 if name in ("swap", "xx", "yy", "zz") else 1
    least = 1 if name == "cnot" else 0
    num_controls = draw(st.integers(least, NUM_QUBITS - num_targets))
    qubits = draw(_sets_of(num_targets + num_controls))
    gate: dict[str, Any] = {"gate": name}
    targets, controls = qubits[:num_targets], qubits[num_targets:]
    gate |= {"target": targets[0]} if num_targets == 1 and draw(st.booleans()) else {"targets": targets}
    if num_controls:
        gate |= (
            {"control": controls[0]} if num_controls == 1 and draw(st.booleans()) else {"controls": controls}
        )
    if name in ("rx", "ry", "rz", "xx", "yy", "zz") or (name == "z" and draw(st.booleans())):
        gate["rotation"] = draw(angles)
    return gate


@st.composite
def pauli_exponentials(draw) -> dict[str, Any]:
    targets = draw(_sets_of(draw(st.integers(1, NUM_QUBITS))))
    term = st.text("IXYZ", min_size=len(targets), max_size=len(targets))
    terms = draw(st.lists(term, min_size=1, max_size=3))
    coefficients = draw(st.lists(st.floats(-2, 2), min_size=len(terms), max_size=len(terms)))
    time = draw(st.floats(0, 3))
    return {
        "gate": "pauliexp",
        "targets": targets,
        "terms": terms,
        "coefficients": coefficients,
        "time": time,
    }


@st.composite
def native_gates(draw) -> dict[str, Any]:
    name = draw(st.sampled_from(("gpi", "gpi2", "ms", "zz", "nop")))
    qubits = draw(_sets_of(2))
    if name in ("gpi", "gpi2"):
        return {"gate": name, "target": qubits[0], "phase": draw(turns)}
    if name == "zz":
        return {"gate": name, "targets": qubits, "angle": draw(turns)}
    if name == "nop":
        return {"gate": name}
    gate = {"gate": name, "targets": qubits, "phases": [draw(turns), draw(turns)]}
    return gate | ({"angle": draw(turns)} if draw(st.booleans()) else {})


@st.composite
def random_circuits(draw) -> tuple[str, list[dict[str, Any]]]:
    """A gateset and gates; the first gates bring all qubits out of the basis states."""
    gateset = draw(st.sampled_from(("qis", "native")))
    if gateset == "native":
        mixing = [{"gate": "gpi2", "target": q, "phase": 0.1 * q + 0.07} for q in range(NUM_QUBITS)]
        return gateset, mixing + draw(st.lists(native_gates(), max_size=8))
    mixing = [{"gate": "ry", "target": q, "rotation": 0.5 + 0.3 * q} for q in range(NUM_QUBITS)]
    return gateset, mixing + draw(st.lists(qis_gates() | pauli_exponentials(), max_size=8))
