"""What all endpoints share: keys, bodies and errors."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hw.server.errors import ApiError
from hw.server.request import MAX_BODY_BYTES, parse, too_large

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


def with_key(handler: Handler, api_keys: Sequence[str]) -> Handler:
    """Lets only requests through that bring a key.

    Args:
        handler: answers those.
        api_keys: the keys.

    Returns:
        A handler that answers the others with 401.
    """
    known = [key.encode() for key in api_keys]

    async def checked(request: Request) -> Response:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = key.strip().encode()
        matches = [hmac.compare_digest(given, one) for one in known]
        if scheme.lower() != "apikey" or not any(matches):
            raise ApiError(401, "Invalid key provided. Send the header `Authorization: apiKey KEY`.")
        return await handler(request)

    return checked


def json_response(value: Any, status: int = 200) -> Response:
    """An answer in JSON.

    Args:
        value: JSON-ready values.
        status: HTTP status.

    Returns:
        The answer.
    """
    return Response(orjson.dumps(value), status, media_type="application/json")


async def read_body(request: Request) -> bytes:
    """The body, read no further than the limit.

    Args:
        request: the request.

    Returns:
        The bytes.

    Raises:
        ApiError: if there are more (413).
    """
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise too_large()
    return bytes(parts)


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; no body is an empty one.

    Args:
        request: the request.

    Returns:
        The object.

    Raises:
        ApiError: if it is none.
    """
    body = await read_body(request)
    return parse(body) if body else {}


async def answer_error(_: Request, error: Any) -> Response:
    """Answers an `ApiError`.

    Args:
        error: the error.

    Returns:
        Its body with its status.
    """
    response = json_response(error.body(), error.status)
    response.headers.update(error.headers)
    return response


async def answer_http_error(request: Request, error: Any) -> Response:
    """Answers an error of the routing, in the form of all others.

    Args:
        request: the request.
        error: the error.

    Returns:
        Its body with its status.
    """
    message = "There is nothing at this address." if error.status_code == 404 else f"{error.detail}."
    return await answer_error(request, ApiError(error.status_code, message, error.headers))


async def answer_defect(request: Request, error: Any) -> Response:
    """Answers what should not happen; the traceback goes to the log.

    Args:
        request: the request.
        error: the exception.

    Returns:
        Status 500.
    """
    log.error("%s %s cannot be answered.", request.method, request.url.path, exc_info=error)
    return await answer_error(request, ApiError(500, "The server has a defect. Its log says more."))


ERROR_HANDLERS: dict[Any, Any] = {
    ApiError: answer_error,
    HTTPException: answer_http_error,
    Exception: answer_defect,
}
"""What answers which error."""
