"""What the service can be asked: requests that change nothing are repeated, a submission never is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hw.backoff import CLOCK, Clock, retry_delay
from hw.client import KEY_VARIABLES, Answer, Client, NoAnswerError, NotSentError
from hw.errors import AuthenticationError, RefusedError, ResultError, ServiceError

Record = dict[str, Any]
OK = range(200, 300)


class Service:
    """The service's requests.

    Args:
        client: sends them.
        outage: how long a service that does not answer, or answers with an error of its own, is asked again,
            in seconds.
        clock: time.
    """

    def __init__(self, client: Client, *, outage: float = 300.0, clock: Clock = CLOCK):
        self.client = client
        self.clock = clock
        self._outage = outage

    def submit(self, body: bytes) -> Answer:
        """Sends a job, once.

        Args:
            body: the job in JSON.

        Returns:
            The answer, whatever its status.

        Raises:
            NotSentError: the service cannot have seen it.
            NoAnswerError: it may have.
        """
        return self.client.exchange("POST", "/jobs", body=body)

    def check_key(self) -> None:
        """Asks whether the service takes the key.

        Raises:
            AuthenticationError: it does not.
            ServiceError: it cannot be reached.
        """
        self._idempotent("GET", "/whoami", missing=None, outage=5.0)

    def backends(self) -> list[Record]:
        """The service's targets, each with its name in "backend"; none where it does not tell."""
        found = self._idempotent("GET", "/backends", missing=[], outage=5.0)
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def job(self, job_id: str) -> Record | None:
        """A job's record; None if the service does not know it (yet)."""
        found = self._idempotent("GET", f"/jobs/{job_id}", missing=None)
        return found if isinstance(found, dict) else None

    def jobs(self, **query: Any) -> Iterator[Record]:
        """All jobs of the list that fit, page after page.

        Args:
            query: what they have to fit, such as `parent_job_id`.

        Yields:
            Records, as the service orders them.
        """
        token: str | None = None
        seen: set[str] = set()
        while True:
            page = query | ({} if token is None else {"next": token})
            found = self._idempotent("GET", "/jobs", query=page, missing={"jobs": []})
            if not isinstance(found, dict) or not isinstance(found.get("jobs"), list):
                raise ResultError("The service's list of jobs cannot be read. Try again later.")
            yield from (record for record in found["jobs"] if isinstance(record, dict))
            token = found.get("next")
            # The last page names no next one, or null; a page that was shown is not asked for again.
            if not token or token in seen:
                return
            seen.add(token)

    def probabilities(self, job_id: str, *, many: bool, sharpen: bool | None = None) -> Record | None:
        """Results of a completed job.

        Args:
            job_id: the job.
            many: whether it is a job of several circuits, whose results have the ids of its children.
            sharpen: how the variants of a debiased circuit are combined: by the plurality of votes instead of
                the average; None to leave it to the service.

        Returns:
            Probabilities by state, or these by child; None if the service has none.
        """
        path = f"/jobs/{job_id}/results/probabilities{'/aggregated' if many else ''}"
        query = None if sharpen is None else {"sharpen": str(sharpen).lower()}
        found = self._idempotent("GET", path, query=query, missing=None)
        return found if isinstance(found, dict) else None

    def cancel(self, job_id: str) -> None:
        """Cancels a job; one that is done, or unknown, stays as it is."""
        self._idempotent("PUT", f"/jobs/{job_id}/status/cancel", missing=None, refused=None)

    def cost(self, job_id: str) -> Record | None:
        """What a job costs, or was estimated to cost; None if the service does not tell."""
        found = self._idempotent("GET", f"/jobs/{job_id}/cost", missing=None)
        return found if isinstance(found, dict) else None

    def estimate(self, query: Mapping[str, Any]) -> Record | None:
        """What a circuit would cost and take; None if the service does not tell.

        Args:
            query: `backend`, `qubits`, `shots`, `1q_gates`, `2q_gates`, `error_mitigation`.
        """
        found = self._idempotent("GET", "/jobs/estimate", query=query, missing=None)
        return found if isinstance(found, dict) else None

    def open_session(self, target: str, bounds: Mapping[str, Any]) -> str:
        """Opens a session; it is not asked for twice.

        Args:
            target: the machine.
            bounds: its settings, as the service names them.

        Returns:
            Its id.

        Raises:
            ServiceError: the service refuses, or does not answer.
        """
        body = json.dumps({"backend": target, **({"settings": bounds} if bounds else {})}).encode()
        answer = self.client.exchange("POST", "/sessions", body=body)
        identifier = answer.value.get("id") if isinstance(answer.value, dict) else None
        if answer.status not in OK or not isinstance(identifier, str):
            raise refusal(answer)
        return identifier

    def end_session(self, identifier: str) -> None:
        """Ends a session; one that has ended, or is unknown, stays as it is.

        Args:
            identifier: its id.
        """
        self._idempotent("POST", f"/sessions/{identifier}/end", missing=None, refused=None)

    def _idempotent(
        self,
        method: str,
        path: str,
        *,
        missing: Any,
        refused: Any = ...,
        query: Mapping[str, Any] | None = None,
        outage: float | None = None,
    ) -> Any:
        """Sends a request that may be repeated until there is an answer or the outage has been too long."""
        give_up = self.clock.now() + (self._outage if outage is None else outage)
        attempt = 0
        while True:
            attempt += 1
            answer, problem = self._attempt(lambda: self.client.exchange(method, path, query=query))
            if answer is not None and answer.status in OK:
                return answer.value
            if answer is not None and answer.status == 404:
                return missing
            if answer is not None and not is_passing(answer.status):
                if refused is not ... and answer.status != 401:
                    return refused
                raise refusal(answer)
            delay = retry_delay(attempt, answer.retry_after if answer else None, self.clock.jitter())
            if self.clock.now() + delay > give_up:
                raise problem or ServiceError(_outage(self.client.host, answer))
            self.clock.sleep(delay)

    @staticmethod
    def _attempt(send: Callable[[], Answer]) -> tuple[Answer | None, ServiceError | None]:
        try:
            return send(), None
        except (NotSentError, NoAnswerError) as error:
            return None, error


def is_passing(status: int) -> bool:
    """Whether an answer's status says that the same request may succeed later.

    Args:
        status: the HTTP status.

    Returns:
        Whether it does: too many requests, or an error of the service's own. 409 is how a gateway in front of
        the service reports that it did not reach it.
    """
    return status in (408, 409, 425, 429) or status >= 500


def refusal(answer: Answer) -> ServiceError:
    """The error for an answer that says no.

    Args:
        answer: the answer.

    Returns:
        An error with the service's reason.
    """
    if answer.status == 401:
        return AuthenticationError(
            f"The service does not take this API key. Check the environment variable {KEY_VARIABLES[1]}, and "
            f"{KEY_VARIABLES[0]}, which goes before it where it is set."
        )
    told = f"HTTP {answer.status}: {answer.message}"
    return RefusedError(
        f"The service refused the request ({told}). Change what is asked of it.", answer.status
    )


def _outage(host: str, answer: Answer | None) -> str:
    told = "" if answer is None else f" (HTTP {answer.status}: {answer.message})"
    return f"The service at {host} answers with errors{told}. Try again later; what runs there goes on."
