"""What the executor on IonQ keeps between calls."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from hw.cache import ResultCache
from hw.client import Client, Secret, find_host, find_key
from hw.journal import Journal, MemoryJournal
from hw.polling import Durations
from hw.service import Service
from hw.targets import num_qubits
from qjax.errors import ArgumentError


class Connection:
    """What an executor keeps between calls: connections, the journal, and how long jobs took.

    Args:
        target: where circuits run.
        remote_host: the service's address, or None.
        api_key: the key, or None.
        journal: what was asked of the service; None for one that ends with the process.
        poll_seconds: the shortest time between two looks at a job; None for the usual.

    Raises:
        AuthenticationError: if there is no API key.
    """

    def __init__(
        self,
        target: str,
        remote_host: str | None,
        api_key: str | Secret | None,
        journal: Journal | None,
        poll_seconds: float | None,
    ):
        host = find_host(remote_host)
        is_here = urlsplit(host).hostname in ("127.0.0.1", "localhost", "::1")
        self.service = Service(Client(host, find_key(api_key)))
        # What no other process can find by the journal, none shall find, use or cancel by its fingerprint.
        self.journal: Journal = MemoryJournal(uuid.uuid4().hex) if journal is None else journal
        self.durations = Durations()
        self.results = ResultCache()
        self.shortest = poll_seconds or (0.01 if is_here else 0.25)
        self._target = target
        self._num_qubits: int | None = None
        self._is_checked = False

    def ready(self, wanted: int) -> Service:
        """Checks once that the service takes the key and has the target, and always that circuits fit.

        Args:
            wanted: qubits of the circuits.

        Returns:
            The service.

        Raises:
            ArgumentError: if the circuits are too large for the target.
            ServiceError: if the service does not, or cannot be reached.
        """
        if not self._is_checked:
            self.service.check_key()
            self._num_qubits = num_qubits(self._target, self.service.backends())
            self._is_checked = True
        if self._num_qubits is not None and wanted > self._num_qubits:
            raise ArgumentError(
                "circuit",
                f"have {self._num_qubits} qubits or fewer on `{self._target}`",
                f"it has {wanted}",
                "Use fewer qubits or another target.",
            )
        return self.service
