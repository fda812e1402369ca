"""One HTTP exchange with the service: never repeated, never without a time limit, never showing the key."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as urllib3_errors

from hw.errors import AuthenticationError, ServiceError
from qjax.errors import ArgumentError

API_VERSION = "v0.4"
DEFAULT_HOST = "https://api.ionq.co"
CONNECT_SECONDS = 10.0
READ_SECONDS = 120.0
# Names and order as in cirq-ionq.
KEY_VARIABLES = ("CIRQ_IONQ_API_KEY", "IONQ_API_KEY")
HOST_VARIABLES = ("CIRQ_IONQ_REMOTE_HOST", "IONQ_REMOTE_HOST")


class NotSentError(ServiceError):
    """No connection: the service cannot have seen the request."""


class NoAnswerError(ServiceError):
    """The connection broke after the request may have been sent."""


class Answer(NamedTuple):
    """The service's answer.

    Attributes:
        status: HTTP status.
        value: the JSON value of its body; None where it has none.
        retry_after: the header `Retry-After`, if there.
    """

    status: int
    value: Any
    retry_after: str | None = None

    @property
    def message(self) -> str:
        """What the service says went wrong, in one line."""
        value = self.value if isinstance(self.value, dict) else {}
        text = value.get("message") or value.get("error") or "no reason given"
        return " ".join(str(text).split())[:500]


class Secret:
    """A key that shows itself to nobody but the request.

    Example:
        >>> Secret("abc")
        Secret(...)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str):
        self._value = value

    def reveal(self) -> str:
        """The key."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self):
        raise TypeError("An API key is not written anywhere. Pass it through the environment.")


def find_key(given: str | Secret | None) -> Secret:
    """The API key: as given, else from the environment.

    Args:
        given: a key, or None.

    Returns:
        The key.

    Raises:
        AuthenticationError: if there is none, or it cannot be a key.
    """
    if isinstance(given, Secret):
        given = given.reveal()
    found = given or next((os.environ[name] for name in KEY_VARIABLES if os.environ.get(name)), None)
    if not found:
        raise AuthenticationError(
            f"There is no API key for IonQ. Set the environment variable {KEY_VARIABLES[1]} to one from "
            "cloud.ionq.com, or run on `ionq-local`, which needs none."
        )
    if not (found.isascii() and found.isprintable() and not found.isspace()):
        raise AuthenticationError(
            f"The API key for IonQ holds characters that no key has. Copy it again into {KEY_VARIABLES[1]}."
        )
    return Secret(found.strip())


def find_host(given: str | None) -> str:
    """The service's address: as given, else from the environment, else IonQ's own.

    Args:
        given: an address such as "https://api.ionq.co"; a path is dropped, as cirq-ionq drops it.

    Returns:
        Scheme and host.

    Raises:
        ArgumentError: if it is no address.

    Example:
        >>> find_host("http://127.0.0.1:8000/v0.4")
        'http://127.0.0.1:8000'
    """
    found = given or next((os.environ[name] for name in HOST_VARIABLES if os.environ.get(name)), DEFAULT_HOST)
    try:
        parts = urlsplit(found)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable or parts.username is not None or parts.password is not None:
        raise ArgumentError(
            "remote_host",
            "be the address of a service",
            "it is none, or holds a name or password",
            f'Write it as "{DEFAULT_HOST}".',
        )
    return f"{parts.scheme}://{parts.netloc}"


class Client:
    """Exchanges with one service, over connections that are kept open.

    Args:
        host: scheme and host, from `find_host`.
        key: the API key.
        timeout: seconds to connect, and seconds to wait for an answer.
    """

    def __init__(
        self, host: str, key: Secret, timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS)
    ):
        self.host = host
        self._key = key
        self._timeout = timeout
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_maxsize=16, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.headers.update({"Content-Type": "application/json", "User-Agent": _user_agent()})
        # As an authentication object, so that no other of the machine's settings takes its place.
        self._session.auth = self._authorize

    def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Sends one request once.

        Args:
            method: "GET", "POST", "PUT" or "DELETE".
            path: the path below the version, such as "/jobs".
            query: parameters of the address.
            body: JSON.

        Returns:
            The answer, whatever its status.

        Raises:
            NotSentError: no connection was made.
            NoAnswerError: the connection broke, or the answer did not come in time.
        """
        url = f"{self.host}/{API_VERSION}{path}"
        try:
            response = self._session.request(
                method, url, params=query, data=body, timeout=self._timeout, allow_redirects=False
            )
        except requests.RequestException as error:
            raise self._explained(error) from None
        try:
            value = orjson.loads(response.content)
        except ValueError:
            value = None
        return Answer(response.status_code, value, response.headers.get("Retry-After"))

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"apiKey {self._key.reveal()}"
        return request

    def _explained(self, error: requests.RequestException) -> ServiceError:
        # The error itself may quote the request, and with it the key: only its kind is told.
        if _was_not_sent(error):
            return NotSentError(
                f"The service at {self.host} cannot be reached ({type(error).__name__}). Check the network "
                "and the address."
            )
        return NoAnswerError(
            f"The connection to {self.host} broke before an answer came ({type(error).__name__}). Check the "
            "network, then go on."
        )

    def __repr__(self) -> str:
        return f"Client({self.host!r})"


def _was_not_sent(error: requests.RequestException) -> bool:
    if isinstance(
        error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError
    ):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, urllib3_errors.NewConnectionError | urllib3_errors.ConnectTimeoutError)


def _user_agent() -> str:
    return f"qjax (python/{platform.python_version()})"
