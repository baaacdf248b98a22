"""Refuse requests: `RequestRefusedError` with status and reason, and all errors as `{"error": REASON}`."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from convscope.base.errors import ConvscopeError, ImageFileError
from convscope.base.tables import printable

LATER = {"retry-after": "1"}
"""Headers of a refusal that may succeed in a second."""

STOPPING = "the service is stopping; try again after it has started"

_MAX_REASON_CHARACTERS = 500  # a reason may quote text of the client


class RequestRefusedError(ConvscopeError):
    """A request that is refused; `status` is the HTTP status, 400 to 599."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = dict(headers or {})


def error_response(status: int, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make the response `{"error": reason}`; a very long reason is cut."""
    text = printable(" ".join(reason.split()))
    text = text if len(text) <= _MAX_REASON_CHARACTERS else text[: _MAX_REASON_CHARACTERS - 1] + "…"
    return JSONResponse({"error": text}, status, dict(headers or {}))


async def send_refusal(refusal: RequestRefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a refusal from middleware, which the application's handlers do not cover."""
    await error_response(refusal.status, str(refusal), refusal.headers)(scope, receive, send)


def handle_errors(app: FastAPI) -> None:
    """Make `app` answer every error in the same form."""

    @app.exception_handler(RequestRefusedError)
    async def answer_refusal(_request: Request, error: RequestRefusedError) -> JSONResponse:
        return error_response(error.status, str(error), error.headers)

    # A picture that cannot be read is the client's error; any other of ours is the service's, see `answer_failure`.
    @app.exception_handler(ImageFileError)
    async def answer_unreadable(_request: Request, error: ImageFileError) -> JSONResponse:
        return error_response(400, str(error))

    @app.exception_handler(RequestValidationError)
    async def answer_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(400, describe_errors(error.errors()))

    @app.exception_handler(HTTPException)
    async def answer_http_error(request: Request, error: HTTPException) -> JSONResponse:
        reason = {
            404: f"there is nothing at {request.url.path}; GET /openapi.json lists all paths",
            405: f"{request.method} is not allowed here; see the Allow header",
        }
        return error_response(error.status_code, reason.get(error.status_code, str(error.detail)), error.headers)

    @app.exception_handler(ConvscopeError)
    async def answer_failure(_request: Request, error: ConvscopeError) -> JSONResponse:
        logging.getLogger("convscope.service").error("%s", error)
        return error_response(500, str(error))


def describe_errors(errors: Any) -> str:
    """Describe the first of pydantic's errors in a sentence that names the field."""
    first = errors[0]
    # The path to the value, such as ("query", "steps", 0), without FastAPI's word for the place.
    field = ".".join(str(part) for part in first["loc"] if part not in ("query", "path"))
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return (f"{field}: " if field else "") + str(first["msg"]) + others
