"""What a client did wrong, as the answer it gets: a status and the body that the service documents."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class ApiError(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status, 400 or more.
        message: one sentence with cause and cure.
        headers: headers of the answer.

    Example:
        >>> ApiError(404, "There is no job of that id.").body()
        {'error': 'Not Found Error', 'message': 'There is no job of that id.', 'statusCode': 404}
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> dict[str, str | int]:
        """The JSON body: `error`, `message` and `statusCode`."""
        return {"error": _title(self.status), "message": self.message, "statusCode": self.status}


def bad_request(message: str) -> ApiError:
    """The error of a request that cannot be understood or is beyond a limit.

    Args:
        message: one sentence with cause and cure.

    Returns:
        The error, status 400.
    """
    return ApiError(400, message)


def shown(value: object, length: int = 60) -> str:
    """A value from a request, short enough for a sentence.

    Args:
        value: anything that JSON can hold.
        length: the most characters.

    Returns:
        Its representation, cut.

    Example:
        >>> shown("x" * 100, 10)
        "'xxxxxx..."
    """
    text = repr(value[:length] if isinstance(value, str | list) else value)
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _title(status: int) -> str:
    titles = {401: "Unauthorized Error", 404: "Not Found Error"}
    return titles.get(status) or HTTPStatus(status).phrase
