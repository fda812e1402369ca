"""Jobs in the form that the service takes, which the stock client reads as well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

MEASUREMENT_KEY = "m"
"""The key under which all qubits are measured, for clients that have keys."""

FINGERPRINT = "qjax_fingerprint"
ATTEMPT = "qjax_attempt"
DEFAULT_SHOTS = 100
"""What the service takes where none are said."""


@dataclass(frozen=True)
class Settings:
    """What all circuits of a job share.

    Attributes:
        target: where they run.
        gateset: "qis" or "native".
        shots: how often each is measured; None for exact results.
        noise: name of the simulator's noise model; None for none.
        debiasing: whether errors are mitigated by debiasing; None to say nothing.
        dry_run: whether the service only checks the job.
        session: id of a session; None for none.
        seed: of the noise model; None for none.
    """

    target: str
    gateset: str
    shots: int | None
    noise: str | None = None
    debiasing: bool | None = None
    dry_run: bool = False
    session: str | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Work:
    """One job before it is sent.

    Attributes:
        settings: what its circuits share.
        num_qubits: qubits of every circuit.
        circuits: the circuits in JSON form.
        fingerprint: SHA-256 of the work and of whose it is, in hexadecimal.
    """

    settings: Settings
    num_qubits: int
    circuits: tuple[str, ...]
    fingerprint: str

    def body(self, attempt: int) -> bytes:
        """The request that submits it.

        All circuits measure all qubits, so the metadata that the stock client reads holds the measurement
        once for all of them, and their number does not matter.

        Args:
            attempt: how often it was meant to be sent.

        Returns:
            JSON.
        """
        shots = self.settings.shots
        targets = ",".join(str(qubit) for qubit in range(self.num_qubits))
        metadata = {
            "measurement0": f"{MEASUREMENT_KEY}{chr(31)}{targets}",
            "qubit_numbers": _compact([self.num_qubits] * len(self.circuits)),
            "shots": str(DEFAULT_SHOTS if shots is None else shots),
            FINGERPRINT: self.fingerprint,
            ATTEMPT: str(attempt),
        }
        head = {**_head(self.settings), "name": f"qjax {self.fingerprint[:12]}", "metadata": metadata}
        return f'{_compact(head)[:-1]},"input":{_input(self)}}}'.encode("ascii")


def make_work(
    settings: Settings, num_qubits: int, circuits: Sequence[str], *, scope: str, service: str, draw: str
) -> Work:
    """A job with the fingerprint that tells it from all other work.

    Args:
        settings: what its circuits share.
        num_qubits: qubits of every circuit.
        circuits: the circuits in JSON form.
        scope: whose work it is.
        service: the service's name.
        draw: what tells it from equal work with other shots.

    Returns:
        The work.
    """
    work = Work(settings, num_qubits, tuple(circuits), "")
    digest = hashlib.sha256()
    # A session is how work is paid, not what it is: a run that goes on in another finds what it sent before.
    for part in (scope, service, draw, _compact(_head(replace(settings, session=None))), _input(work)):
        digest.update(f"{len(part)}:".encode())
        digest.update(part.encode())
    return Work(settings, num_qubits, work.circuits, digest.hexdigest())


def content(settings: Settings, num_qubits: int, circuit: str) -> str:
    """What a circuit's result depends on, apart from the draw of its shots.

    Args:
        settings: what the circuits of its job share.
        num_qubits: its number of qubits.
        circuit: the circuit in JSON form.

    Returns:
        SHA-256 in hexadecimal.
    """
    head = _compact(_head(replace(settings, session=None, seed=None)))
    return hashlib.sha256(f"{head} {num_qubits} {circuit}".encode()).hexdigest()


def _head(settings: Settings) -> dict[str, Any]:
    head: dict[str, Any] = {"type": "ionq.multi-circuit.v1", "backend": settings.target}
    if settings.shots is not None:
        head["shots"] = settings.shots
    if settings.noise is not None:
        seed = {} if settings.seed is None else {"seed": settings.seed}
        head["noise"] = {"model": settings.noise, **seed}
    if settings.debiasing is not None:
        head["settings"] = {"error_mitigation": {"debiasing": settings.debiasing}}
    if settings.dry_run:
        head["dry_run"] = True
    if settings.session is not None:
        head["session_id"] = settings.session
    return head


def _input(work: Work) -> str:
    head = {"gateset": work.settings.gateset, "qubits": work.num_qubits}
    return f'{_compact(head)[:-1]},"circuits":[{",".join(work.circuits)}]}}'


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
