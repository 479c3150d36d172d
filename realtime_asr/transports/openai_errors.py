"""Errors over HTTP as OpenAI tells them, and the id by which every answer can be asked about."""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from realtime_asr.runtime.ids import request_id
from realtime_asr.session.problem import Problem

HEADERS: Final = "headers"
"""By this name they are in the state of a request."""
_REQUEST_ID: Final = "x-request-id"
_LOG: Final = logging.getLogger(__name__)


def error_response(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = {
        "message": problem.message,
        "type": problem.kind,
        "param": problem.param,
        "code": problem.code,
    }
    challenge = {"www-authenticate": "Bearer"} if status == 401 else {}
    return _AsciiResponse({"error": body}, status, {**challenge, **(headers or {})})


class RequestIds:
    """Names every HTTP request, and tells the name in its response; so with handshakes that are refused.

    What else is to be told in every response is added to the headers in the request's state.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = scope.setdefault("state", {})[HEADERS] = {_REQUEST_ID: request_id()}

        async def send_named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                MutableHeaders(scope=message).update(headers)
            await send(message)

        await self._app(scope, receive, send_named)


async def _refused(request: Request, error: Exception) -> Response:
    """What Starlette refuses by itself: mostly addresses and methods that do not exist."""
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path}"
    match error.status_code:
        case 404:
            problem = Problem(None, f"Invalid URL ({asked})")
        case 405:
            problem = Problem("method_not_supported", f"Method not supported ({asked})")
        case status:
            problem = Problem(
                None, error.detail, kind="server_error" if status >= 500 else "invalid_request_error"
            )
    return error_response(error.status_code, problem, error.headers)


async def _broke(request: Request, _: Exception) -> Response:
    headers = request.scope["state"][HEADERS]
    name = headers[_REQUEST_ID]
    _LOG.error("request broke", extra={"facts": {"request": name}})
    message = (
        f"The server had an error while processing your request. Tell who runs it the request id {name}."
    )
    # Starlette answers these from outside every middleware, so the headers have to be set here.
    return error_response(500, Problem(None, message, kind="server_error"), headers)


EXCEPTION_HANDLERS: Final[Mapping[Any, ExceptionHandler]] = {HTTPException: _refused, Exception: _broke}
"""For Starlette, together with the middleware RequestIds."""


class _AsciiResponse(JSONResponse):
    def render(self, content: Any) -> bytes:
        # Messages quote clients, and JSON lets them send half a surrogate pair, which is nothing in UTF-8.
        return json.dumps(content, separators=(",", ":")).encode("ascii")
