"""What a call would come to, before anything is sent: circuits, jobs, shots, gates, and the price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hw.template import basis_change, translate
from qjax.circuit import Circuit
from qjax.observables import PauliSum, as_observables, measurement_groups


class Plan(NamedTuple):
    """What a call, or many, would come to.

    Attributes:
        circuits: circuits to be run.
        jobs: submissions.
        shots: measurements of all circuits together; zero where results are exact.
        gates_1q: gates on one qubit of all circuits, after translation.
        gates_2q: gates on two.
    """

    circuits: int = 0
    jobs: int = 0
    shots: int = 0
    gates_1q: int = 0
    gates_2q: int = 0

    def plus(self, other: Plan, times: int = 1) -> Plan:
        """This and another, so many times.

        Args:
            other: the other.
            times: how often.

        Returns:
            The sum.

        Example:
            >>> Plan(circuits=1, jobs=1).plus(Plan(circuits=20, jobs=1), times=10).circuits
            201
        """
        return Plan(*(mine + times * theirs for mine, theirs in zip(self, other, strict=True)))


class Gates(NamedTuple):
    """Gates of a circuit after translation.

    Attributes:
        one: gates on one qubit.
        two: gates on two.
    """

    one: int
    two: int


def count_gates(circuit: Circuit, observables: PauliSum | Sequence[PauliSum]) -> Gates:
    """Gates of the largest circuit that is sent for observables.

    Args:
        circuit: the circuit.
        observables: what is measured.

    Returns:
        The gates, those included that change the basis of measurement.

    Example:
        >>> from qjax import Op
        >>> count_gates(Circuit(2, (Op("h", (0,)), Op("cx", (0, 1)))), PauliSum("Y1"))
        Gates(one=3, two=1)
    """
    sizes = [len(gate.qubits) for gate in translate(circuit).gates]
    groups = measurement_groups(as_observables(observables, circuit.num_qubits))
    basis = max((len(basis_change(group)) for group in groups), default=0)
    return Gates(sizes.count(1) + basis, len(sizes) - sizes.count(1))


class Price(NamedTuple):
    """What the service asks for a circuit.

    Attributes:
        cost: of one circuit, in `unit`.
        unit: what the service counts in.
        seconds: how long one circuit runs.
        queue_seconds: how long a job waits before it may run.
        note: what the service says about its rates; "" for nothing.
    """

    cost: float
    unit: str
    seconds: float
    queue_seconds: float
    note: str = ""


def read_price(body: Mapping[str, Any]) -> Price | None:
    """Reads an estimate of the service, in the newer words or the older.

    Args:
        body: its answer.

    Returns:
        The price; None if it names no cost.

    Example:
        >>> read_price({"estimated_cost": 0.5, "cost_unit": "usd", "estimated_execution_time": 250})
        Price(cost=0.5, unit='usd', seconds=0.25, queue_seconds=0.0, note='')
    """
    cost = body.get("estimated_total_cost", body.get("estimated_cost"))
    if not isinstance(cost, int | float) or not 0 <= cost < float("inf"):
        return None
    unit = body.get("estimated_unit") or body.get("cost_unit") or "unit"
    times = (body.get(name) or 0 for name in ("estimated_execution_time", "current_predicted_queue_time"))
    seconds, queue = (float(time) / 1000 for time in times)
    return Price(float(cost), str(unit), seconds, queue, str(body.get("note") or ""))
