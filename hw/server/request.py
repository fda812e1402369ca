"""The body of `POST /jobs`: what may be asked, and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from hw.server import circuits
from hw.server.backends import BACKENDS
from hw.server.circuits import ReadCircuit
from hw.server.errors import ApiError, bad_request, shown
from qjax.noise import NOISE_MODELS

SINGLE = "ionq.circuit.v1"
MULTI = "ionq.multi-circuit.v1"

MAX_BODY_BYTES = 10_000_000
MAX_CIRCUITS = 5_000
MAX_GATES = 150_000
MAX_SHOTS = 1_000_000
MAX_METADATA_KEYS = 10
MAX_METADATA_LENGTH = 40_000
DEFAULT_SHOTS = 100
MAX_SEED = 2**31 - 1


class JobRequest(NamedTuple):
    """A job as it was asked for, checked.

    Args:
        type: `SINGLE` or `MULTI`.
        backend: name of the backend.
        circuits: the circuits in order.
        names: their names, each of which may be absent.
        qubits: the declared number of qubits.
        shots: how often each circuit is measured.
        noise: name of the noise model.
        seed: seed of sampling, or None.
        name: the job's name.
        metadata: what the client keeps with it.
        settings: kept, and without effect here.
        session_id: the session it belongs to.
        dry_run: whether it is accepted and not run.
    """

    type: str
    backend: str
    circuits: tuple[ReadCircuit, ...]
    names: tuple[str | None, ...]
    qubits: int
    shots: int
    noise: str
    seed: int | None
    name: str | None
    metadata: Mapping[str, Any] | None
    settings: Mapping[str, Any]
    session_id: str | None
    dry_run: bool


def parse(body: bytes) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        body: the bytes of a request.

    Returns:
        The object.

    Raises:
        ApiError: if they are no JSON object.

    Example:
        >>> parse(b'{"ids": []}')
        {'ids': []}
    """
    if len(body) > MAX_BODY_BYTES:
        raise too_large()
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body must be JSON, but it is not: {error}.") from None
    if type(payload) is not dict:
        raise bad_request(f"The body must be a JSON object, but it is {shown(payload)}.")
    return payload


def too_large() -> ApiError:
    """The error of a body beyond the limit.

    Returns:
        The error, status 413.
    """
    return ApiError(413, f"The body may hold {MAX_BODY_BYTES:,} bytes, but it holds more. Split the job.")


def read_job(payload: Mapping[str, Any]) -> JobRequest:
    """Checks the body of a job and reads its circuits.

    Args:
        payload: the parsed body.

    Returns:
        The request.

    Raises:
        ApiError: if something is missing, unknown or beyond a limit; the message says what.

    Example:
        >>> bell = [{"gate": "h", "target": 0}, {"gate": "cnot", "control": 0, "target": 1}]
        >>> request = read_job({"type": "ionq.circuit.v1", "backend": "simulator",
        ...                     "input": {"gateset": "qis", "qubits": 2, "circuit": bell}})
        >>> request.shots, len(request.circuits)
        (100, 1)
    """
    kind = payload.get("type")
    if kind not in (SINGLE, MULTI):
        raise bad_request(f"A job's `type` must be `{SINGLE}` or `{MULTI}` here, but it is {shown(kind)}.")
    backend = payload.get("backend")
    if type(backend) is not str or backend not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise bad_request(f"A job's `backend` must be one of {known}, but it is {shown(backend)}.")
    session_id = _optional(payload, "session_id", str)
    noise, seed = _noise(payload.get("noise"))
    shots = _shots(payload.get("shots"))
    name = _optional(payload, "name", str)
    metadata = _metadata(payload.get("metadata"))
    settings = _settings(payload)
    dry_run = bool(_optional(payload, "dry_run", bool))
    noisy = (BACKENDS[backend].noise or noise) != "ideal"
    read, names, qubits = _circuits(kind, payload.get("input"), BACKENDS[backend].qubits, noisy)
    return JobRequest(
        type=kind,
        backend=backend,
        circuits=read,
        names=names,
        qubits=qubits,
        shots=shots,
        noise=noise,
        seed=seed,
        name=name,
        metadata=metadata,
        settings=settings,
        session_id=session_id,
        dry_run=dry_run,
    )


def _circuits(
    kind: str, given: Any, max_qubits: int, noisy: bool
) -> tuple[tuple[ReadCircuit, ...], tuple[str | None, ...], int]:
    if type(given) is not dict:
        raise bad_request(f"A job's `input` must be an object, but it is {shown(given)}.")
    if kind == SINGLE:
        if "circuits" in given:
            raise bad_request(
                f"A job of several `circuits` must have type `{MULTI}`, but this has `{SINGLE}`."
            )
        entries: Any = [{"circuit": given.get("circuit")}]
    else:
        if "circuit" in given:
            raise bad_request(f"A job of type `{MULTI}` must have `circuits`, but this has `circuit`.")
        entries = given.get("circuits")
        if type(entries) is not list or not entries:
            raise bad_request(
                f"A job's `circuits` must be a list of one or more, but it is {shown(entries)}."
            )
        if len(entries) > MAX_CIRCUITS:
            raise bad_request(
                f"A job may have {MAX_CIRCUITS:,} circuits, but this has {len(entries):,}. Split it."
            )
    gateset = given.get("gateset")
    if gateset not in ("qis", "native"):
        raise bad_request(f"A job's `gateset` must be `qis` or `native`, but it is {shown(gateset)}.")
    declared = _qubits(given)
    read: list[ReadCircuit] = []
    gates = 0
    needed = 1
    for entry in entries:
        if type(entry) is not dict:
            raise bad_request(f"A circuit of a job must be an object, but one is {shown(entry)}.")
        gates += len(entry["circuit"]) if type(entry.get("circuit")) is list else 0
        if gates > MAX_GATES:
            raise bad_request(f"A job may have {MAX_GATES:,} gates, but this has more. Split it.")
        own = entry.get("gateset")
        circuit = circuits.read_circuit(entry.get("circuit"), gateset if own is None else own, noisy=noisy)
        read.append(circuit)
        last = circuit.structure.used[-1]
        room = _qubits(entry) or declared
        if room is not None and last >= room:
            raise bad_request(
                f"A circuit acts on qubit {last}, but its job has {room} qubit(s). Raise `qubits`."
            )
        needed = max(needed, last + 1, room or 0)
    qubits = max(declared or 0, needed)
    if qubits > max_qubits:
        raise bad_request(f"A job on this backend may have {max_qubits} qubits, but this has {qubits}.")
    return tuple(read), tuple(_optional(entry, "name", str) for entry in entries), qubits


def _qubits(given: Mapping[str, Any]) -> int | None:
    qubits = _optional(given, "qubits", int)
    if qubits is not None and qubits < 1:
        raise bad_request(f"A job's `qubits` must be 1 or more, but they are {shown(qubits)}.")
    return qubits


def _optional(payload: Mapping[str, Any], key: str, kind: type) -> Any:
    value = payload.get(key)
    if value is None or type(value) is kind:
        return value
    names = {str: "a string", int: "a whole number", bool: "true or false", dict: "an object"}
    raise bad_request(f"`{key}` must be {names[kind]}, but it is {shown(value)}.")


def _shots(shots: Any) -> int:
    if shots is None:
        return DEFAULT_SHOTS
    if type(shots) is str and shots.isascii() and shots.isdigit() and len(shots) < 10:
        shots = int(shots)  # cirq-ionq writes them as a string
    if type(shots) is not int or not 1 <= shots <= MAX_SHOTS:
        raise bad_request(f"A job's `shots` must be 1 to {MAX_SHOTS:,}, but they are {shown(shots)}.")
    return shots


def _noise(noise: Any) -> tuple[str, int | None]:
    if noise is None:
        return "ideal", None
    model = noise.get("model") if type(noise) is dict else None
    if type(model) is not str or model not in NOISE_MODELS:
        known = ", ".join(NOISE_MODELS)
        raise bad_request(f"A job's `noise.model` must be one of {known}, but it is {shown(model)}.")
    seed = _optional(noise, "seed", int)
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise bad_request(f"A job's `noise.seed` must be 0 to {MAX_SEED}, but it is {shown(seed)}.")
    return model, seed


def _metadata(metadata: Any) -> dict[str, Any] | None:
    if metadata is None:
        return None
    # The service's schema has strings alone, and a published client sends other values too.
    if type(metadata) is not dict or not all(type(v) in (str, int, float, bool) for v in metadata.values()):
        raise bad_request("A job's `metadata` must be an object of strings, but it is not.")
    if len(metadata) > MAX_METADATA_KEYS:
        but = f"this has {len(metadata)}"
        raise bad_request(f"A job's `metadata` may have {MAX_METADATA_KEYS} keys, but {but}.")
    longest = max((len(str(value)) for value in metadata.values()), default=0)
    if longest > MAX_METADATA_LENGTH:
        raise bad_request(
            f"A value of a job's `metadata` may have {MAX_METADATA_LENGTH:,} characters, but one has "
            f"{longest:,}."
        )
    return metadata


def _settings(payload: Mapping[str, Any]) -> dict[str, Any]:
    settings = _optional(payload, "settings", dict) or {}
    for key in ("error_mitigation", "compilation"):
        _optional(settings, key, dict)
    return settings
