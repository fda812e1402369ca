"""What can go wrong between this program and the service, each one sentence with its cause and its cure."""

from __future__ import annotations

from qjax.errors import QjaxError


class ServiceError(QjaxError, RuntimeError):
    """The service refused, failed or cannot be reached."""


class AuthenticationError(ServiceError):
    """There is no API key, or the service does not take it."""


class RefusedError(ServiceError):
    """The service answered that it does not take a request; nothing was run for it.

    Args:
        message: a sentence with cause and cure.
        status: the HTTP status of the answer.
    """

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class UnknownSubmissionError(ServiceError):
    """Whether the service has accepted a job is not known, and sending it again could pay for it twice."""


class JobFailedError(ServiceError):
    """The service accepted a job and could not run it, or somebody cancelled it."""


class JobLostError(ServiceError):
    """The service does not know a job any more that it had accepted.

    Args:
        message: a sentence with cause and cure.
        job_id: the job.
    """

    def __init__(self, message: str, job_id: str):
        super().__init__(message)
        self.job_id = job_id


class JobTimeoutError(ServiceError):
    """A job took longer than the deadline. It goes on at the service, and its results can be fetched."""


class ResultError(ServiceError):
    """The service gave results that do not belong to what was asked."""
