"""The JSON form of circuits, and the content hash made from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from qjax.angle import Angle
from qjax.checks import shown
from qjax.errors import ArgumentError
from qjax.op import Op
from qjax.repeat import Repeat

if TYPE_CHECKING:
    from qjax.circuit import Circuit

FORMAT = 1
"""Number of the JSON form; it grows when a reader has to know."""

_COUNTS = ("num_qubits", "num_params", "num_features")
_STRIDES = ("times", "param_stride", "feature_stride")


def circuit_to_json(circuit: Circuit) -> dict[str, Any]:
    """A circuit as JSON-ready values; repeats stay repeats.

    Args:
        circuit: the circuit.

    Returns:
        An object of strings, integers, floats, lists and objects.

    Example:
        >>> from qjax import Circuit
        >>> circuit_to_json(Circuit(1, (Op("h", (0,)),)))["ops"]
        [{'gate': 'h', 'qubits': [0]}]
    """
    counts = {name: getattr(circuit, name) for name in _COUNTS}
    return {"format": FORMAT, **counts, "ops": [_element_to_json(element) for element in circuit.ops]}


def fields_from_json(value: Any) -> dict[str, Any]:
    """Reads the fields of a circuit from its JSON form.

    Args:
        value: the parsed JSON object.

    Returns:
        The arguments of `Circuit`.

    Raises:
        ArgumentError: if the value is not what `circuit_to_json` writes.

    Example:
        >>> fields_from_json({"format": 1, "num_qubits": 1, "num_params": 0, "num_features": 0, "ops": []})
        {'num_qubits': 1, 'num_params': 0, 'num_features': 0, 'ops': ()}
    """
    try:
        _check_keys(value, "the circuit", {"format", *_COUNTS, "ops"})
        if value["format"] != FORMAT:
            raise _UnreadableError(f"its format is {shown(value['format'])}")
        counts = {name: value[name] for name in _COUNTS}
        for name, count in counts.items():
            if count is None:
                raise _UnreadableError(f"its `{name}` is null")
        ops = tuple(_element_from_json(element) for element in _items(value["ops"], "`ops`"))
        return {**counts, "ops": ops}
    except (_UnreadableError, RecursionError) as error:
        raise ArgumentError(
            "value",
            f"be a circuit written by `Circuit.to_json` in format {FORMAT}",
            "its repeats are nested too deep" if isinstance(error, RecursionError) else str(error),
            "Write the circuit again with this version.",
        ) from None


def content_hash(circuit: Circuit) -> str:
    """SHA-256 of the canonical JSON form of a circuit whose repeats are written out.

    Args:
        circuit: the circuit.

    Returns:
        64 hexadecimal digits.

    Example:
        >>> from qjax import Circuit
        >>> len(content_hash(Circuit(1)))
        64
    """
    # Put together here: every run waits for it, and by dictionaries it would take four times as long.
    counts = ",".join(f'"{name}":{getattr(circuit, name)}' for name in sorted(_COUNTS))
    ops = ",".join(_canonical_ops(circuit.ops, 0, 0))
    text = f'{{"format":{FORMAT},{counts},"ops":[{ops}]}}'
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class _UnreadableError(Exception):
    """What is wrong with a value, continuing "but"."""


def _element_to_json(element: Op | Repeat) -> dict[str, Any]:
    if isinstance(element, Repeat):
        body = [_element_to_json(inner) for inner in element.body]
        return {"repeat": body, **{name: getattr(element, name) for name in _STRIDES}}
    value: dict[str, Any] = {"gate": element.gate, "qubits": list(element.qubits)}
    if element.angles:
        value["angles"] = [[a.param, a.feature, a.scale, a.offset] for a in element.angles]
    if element.pauli is not None:
        value["pauli"] = element.pauli
    if element.matrix is not None:
        value["matrix"] = _matrix_to_json(element.matrix)
    return value


def _matrix_to_json(matrix: Iterable[Iterable[complex]]) -> list[list[list[float]]]:
    return [[[entry.real, entry.imag] for entry in row] for row in matrix]


def _canonical_ops(ops: Iterable[Op | Repeat], params: int, features: int) -> Iterator[str]:
    """The canonical text of each op of `unroll(ops)`, indices moved; every run needs it, so no op is made."""
    for element in ops:
        if isinstance(element, Repeat):
            for times in range(element.times):
                moved = params + times * element.param_stride, features + times * element.feature_stride
                yield from _canonical_ops(element.body, *moved)
            continue
        angles = ",".join(
            f"[{_index(a.param, params)},{_index(a.feature, features)},{a.scale!r},{a.offset!r}]"
            for a in element.angles
        )
        parts = [f'"angles":[{angles}]'] if angles else []
        parts.append(f'"gate":"{element.gate}"')
        if element.matrix is not None:
            parts.append(f'"matrix":{_canonical(_matrix_to_json(element.matrix))}')
        if element.pauli is not None:
            parts.append(f'"pauli":"{element.pauli}"')
        parts.append(f'"qubits":[{",".join(map(str, element.qubits))}]')
        yield f"{{{','.join(parts)}}}"


def _index(index: int | None, moved: int) -> int | str:
    return "null" if index is None else index + moved


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _element_from_json(value: Any) -> Op | Repeat:
    if isinstance(value, dict) and "repeat" in value:
        _check_keys(value, "a repeat", {"repeat", *_STRIDES})
        body = tuple(_element_from_json(inner) for inner in _items(value["repeat"], "`repeat`"))
        return Repeat(body, *(value[name] for name in _STRIDES))
    _check_keys(value, "an op", {"gate", "qubits"}, {"angles", "pauli", "matrix"})
    angles = [_items(angle, "an angle", 4) for angle in _items(value.get("angles", []), "`angles`")]
    matrix = _matrix_from_json(value["matrix"]) if "matrix" in value else None
    qubits = _items(value["qubits"], "`qubits`")
    pauli = value.get("pauli")
    return Op(value["gate"], qubits, [Angle(*angle) for angle in angles], pauli=pauli, matrix=matrix)


def _matrix_from_json(value: Any) -> list[list[complex]]:
    rows = [_items(row, "a row of `matrix`") for row in _items(value, "`matrix`")]
    try:
        return [[complex(*_items(entry, "an entry of `matrix`", 2)) for entry in row] for row in rows]
    except (TypeError, ValueError, OverflowError):
        raise _UnreadableError("an entry of `matrix` is not a pair of numbers") from None


def _check_keys(
    value: Any, what: str, required: set[str], optional: set[str] | frozenset[str] = frozenset()
) -> None:
    if not isinstance(value, dict):
        raise _UnreadableError(f"{what} is no object")
    if missing := sorted(required - value.keys(), key=str):
        raise _UnreadableError(f"{what} lacks `{missing[0]}`")
    if unknown := sorted(value.keys() - required - optional, key=str):
        raise _UnreadableError(f"{what} has the unknown key {shown(unknown[0])}")


def _items(value: Any, what: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise _UnreadableError(f"{what} is no list" + ("" if length is None else f" of {length}"))
    return value
