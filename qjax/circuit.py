"""Circuits as data: `Circuit` and what it is made of, frozen, hashable, without arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from qjax.angle import Angle
from qjax.checks import integer, shown
from qjax.circuit_json import circuit_to_json, content_hash, fields_from_json
from qjax.errors import ArgumentError
from qjax.op import Op
from qjax.repeat import Repeat, operations, unroll

__all__ = ["Angle", "Circuit", "Op", "Repeat"]


@dataclass(frozen=True, init=False)
class Circuit:
    """A circuit: a number of qubits and the operations on them, as a value.

    Qubit 0 is the most significant bit of a basis state's index. `print(circuit)` draws it.

    Args:
        num_qubits: number of qubits, 1 or more.
        ops: operations and repeats, in order.
        num_params: length of the parameter vector; by default what the operations use.
        num_features: length of the feature vector; by default what the operations use.

    Raises:
        ArgumentError: if an op acts on a qubit that is not there, or uses a parameter or feature beyond the
            declared number.

    Example:
        >>> circuit = Circuit(num_qubits=2, ops=(Op("ry", (0,), Angle(param=0)), Op("cx", (0, 1))))
        >>> circuit.num_params, circuit == Circuit.from_json(circuit.to_json())
        (1, True)
        >>> print(circuit)
        q0: ─RY(θ0)─●─
                    │
        q1: ────────⊕─
    """

    num_qubits: int
    ops: tuple[Op | Repeat, ...]
    num_params: int
    num_features: int

    def __init__(
        self,
        num_qubits: int,
        ops: Sequence[Op | Repeat] = (),
        num_params: int | None = None,
        num_features: int | None = None,
    ):
        elements = operations("ops", ops)
        set_field = object.__setattr__
        set_field(self, "num_qubits", integer("num_qubits", num_qubits, 1, "A circuit has a qubit."))
        set_field(self, "ops", elements)
        _check_qubits(elements, self.num_qubits)
        set_field(self, "num_params", _length("num_params", num_params, _index_range(elements, "param")))
        set_field(
            self, "num_features", _length("num_features", num_features, _index_range(elements, "feature"))
        )

    def unrolled(self) -> Iterator[Op]:
        """The operations one after another, repeats written out."""
        return unroll(self.ops)

    def inverse(self) -> Circuit:
        """The circuit that undoes this one, for the same parameters and features.

        Example:
            >>> Circuit(1, (Op("h", (0,)), Op("s", (0,)))).inverse().ops
            (Op('sdg', (0,)), Op('h', (0,)))
        """
        return replace(self, ops=tuple(element.inverse() for element in reversed(self.ops)))

    def to_json(self) -> dict[str, Any]:
        """The circuit as JSON-ready values; repeats stay repeats."""
        return circuit_to_json(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> Circuit:
        """Reads what `to_json` wrote.

        Args:
            value: the parsed JSON object.

        Returns:
            A circuit equal to the one written.

        Raises:
            ArgumentError: if the value is not such an object.
        """
        return Circuit(**fields_from_json(value))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of what the circuit does, in hexadecimal: the same for repeats rolled and unrolled."""
        return content_hash(self)

    @cached_property
    def _hash(self) -> int:
        return hash((self.num_qubits, self.ops, self.num_params, self.num_features))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self):
        # Without the cached hash: Python's hashes of strings differ between processes.
        return Circuit, (self.num_qubits, self.ops, self.num_params, self.num_features)

    def __str__(self) -> str:
        from qjax.drawing import draw

        return draw(self)


def _check_qubits(ops: Sequence[Op | Repeat], num_qubits: int) -> None:
    for element in ops:
        if isinstance(element, Repeat):
            _check_qubits(element.body, num_qubits)
        elif max(element.qubits) >= num_qubits:
            raise ArgumentError(
                "ops",
                f"act on qubits 0 to {shown(num_qubits - 1)}",
                f"gate `{element.gate}` acts on {shown(element.qubits)}",
                "Raise `num_qubits` or renumber the op.",
            )


def _index_range(ops: Sequence[Op | Repeat], kind: Literal["param", "feature"]) -> tuple[int, int] | None:
    """The lowest and highest index of a parameter (or feature) that operations reach; None without any."""
    reached: list[int] = []
    for element in ops:
        if isinstance(element, Op):
            indices = (getattr(angle, kind) for angle in element.angles)
            reached += [index for index in indices if index is not None]
        elif (body := _index_range(element.body, kind)) is not None:
            # Indices move evenly, so the first and the last iteration hold the extremes.
            shift = (element.times - 1) * getattr(element, f"{kind}_stride")
            if body[0] + shift < 0:
                raise ArgumentError(
                    f"{kind}_stride",
                    f"keep every {kind} index at 0 or more",
                    f"the last iteration reaches index {shown(body[0] + shift)}",
                    "Start the body at a higher index.",
                )
            reached += [*body, body[0] + shift, body[1] + shift]
    return (min(reached), max(reached)) if reached else None


def _length(name: str, declared: int | None, used: tuple[int, int] | None) -> int:
    count = 0 if used is None else used[1] + 1
    if declared is None:
        return count
    length = integer(name, declared, 0, "Leave it out to take what the operations use.")
    if length < count:
        but = f"it is {shown(length)}, and an op uses index {shown(count - 1)}"
        raise ArgumentError(name, f"be {shown(count)} or more", but, f"Raise `{name}` or leave it out.")
    return length
