"""The machines that the server stands for: their sizes, noise and rates."""

from __future__ import annotations

import itertools
import uuid
from types import MappingProxyType
from typing import Any, NamedTuple

from hw.server.gates import QIS_GATES
from qjax.noise import NoiseModel

CURRENCY = "credit"
RATES_NOTE = "These rates are this local server's own. The service's are different."
UPDATED = "2026-01-01T00:00:00Z"


class Rates(NamedTuple):
    """What a job costs, in credits.

    Args:
        per_circuit: for each circuit.
        per_1q_gate: for each gate on one qubit and shot.
        per_2q_gate: for each gate on several qubits and shot.
    """

    per_circuit: float
    per_1q_gate: float
    per_2q_gate: float


class Backend(NamedTuple):
    """A machine.

    Args:
        name: what a job calls it.
        qubits: how many it has.
        rates: what it costs.
        noise: the noise model of a machine; None for the simulator, whose jobs name their own.
        native_gates: native gates that it has.
    """

    name: str
    qubits: int
    rates: Rates
    noise: str | None
    native_gates: tuple[str, ...]

    @property
    def is_simulator(self) -> bool:
        """Whether it is the simulator."""
        return self.noise is None


_SIMULATOR = Rates(0.001, 0.0, 0.0)
_QPU = Rates(0.01, 1e-6, 1e-5)
_ALL = (
    Backend("simulator", 29, _SIMULATOR, None, ("gpi", "gpi2", "ms", "zz")),
    Backend("qpu.aria-1", 25, _QPU, "aria-1", ("gpi", "gpi2", "ms")),
    Backend("qpu.aria-2", 25, _QPU, "aria-2", ("gpi", "gpi2", "ms")),
    Backend("qpu.forte-1", 36, _QPU, "forte-1", ("gpi", "gpi2", "zz")),
    Backend("qpu.forte-enterprise-1", 36, _QPU, "forte-1", ("gpi", "gpi2", "zz")),
)
_MACHINES = {backend.name: backend for backend in _ALL}

BACKENDS = MappingProxyType({**_MACHINES, "qpu": _MACHINES["qpu.forte-1"]})
"""Every backend by name; `qpu` is what cirq-ionq calls the default machine."""


def cost(backend: Backend, circuits: int, gates_1q: int, gates_2q: int, shots: int) -> float:
    """What circuits cost by the server's own rates.

    Args:
        backend: where they run.
        circuits: how many there are.
        gates_1q: their gates on one qubit, in all.
        gates_2q: their gates on several.
        shots: how often each is measured.

    Returns:
        Credits.

    Example:
        >>> round(cost(BACKENDS["qpu.forte-1"], 2, 10, 4, 100), 6)
        0.025
    """
    rates = backend.rates
    per_shot = rates.per_1q_gate * gates_1q + rates.per_2q_gate * gates_2q
    return rates.per_circuit * circuits + shots * per_shot


def characterization(backend: Backend) -> dict[str, Any]:
    """The only characterization of a machine: all pairs of qubits, and fidelities of its noise model.

    Args:
        backend: the machine.

    Returns:
        JSON-ready values; times in seconds.

    Example:
        >>> characterization(BACKENDS["qpu.aria-1"])["fidelity"]["2q"]
        {'median': 0.9867}
    """
    noise = NoiseModel.named(backend.noise or "ideal")
    return {
        "id": _characterization_id(backend),
        "backend": backend.name,
        "status": "available",
        "date": UPDATED,
        "qubits": backend.qubits,
        "connectivity": [list(pair) for pair in itertools.combinations(range(backend.qubits), 2)],
        "fidelity": {
            "spam": {"median": 1.0},
            "1q": {"median": round(1 - noise.depolarizing_1q, 12)},
            "2q": {"median": round(1 - noise.depolarizing_2q, 12)},
        },
        "timing": {"readout": 0, "reset": 0},
    }


def _characterization_id(backend: Backend) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"characterization.{backend.name}"))


def backend_body(backend: Backend, queue_seconds: float) -> dict[str, Any]:
    """A backend as the service describes it.

    Args:
        backend: the backend.
        queue_seconds: how long its queue is.

    Returns:
        JSON-ready values.
    """
    body: dict[str, Any] = {
        "backend": backend.name,
        "status": "available",
        "degraded": False,
        "qubits": backend.qubits,
        "average_queue_time": round(queue_seconds * 1000),
        "last_updated": UPDATED,
        "location": "this machine",
        "supported_gates": list(QIS_GATES),
        "supported_native_gates": list(backend.native_gates),
        "supported_error_mitigations": [] if backend.is_simulator else ["debiasing"],
    }
    if not backend.is_simulator:
        body["characterization_id"] = _characterization_id(backend)
    return body
