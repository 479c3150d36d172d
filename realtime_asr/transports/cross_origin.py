"""What browsers need to hear before a page of another origin may talk to our REST routes: CORS.

Starlette's own middleware knows a list of origins, and not that our own page may where we are addressed by
number; and it answers those who may not in plain text. Nothing here allows cookies: who may do what is
decided by the key alone, which a page has to send itself.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime_asr.transports.openai_errors import HEADERS
from realtime_asr.transports.openai_rest import uninvited
from realtime_asr.transports.reception import Reception

_WISH: Final = "access-control-request-method"
_MEMORY_SECONDS: Final = 600
"""So long a page need not ask again."""


class CrossOrigin:
    """Stands behind `RequestIds`, which sends the headers."""

    def __init__(self, app: ASGIApp, reception: Reception) -> None:
        self._app = app
        self._reception = reception

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (origin := Request(scope).headers.get("origin")) is None:
            await self._app(scope, receive, send)
            return
        request, headers = Request(scope), scope["state"][HEADERS]
        headers["vary"] = "Origin"
        if self._reception.doorkeeper.welcomes(origin, request.headers.get("host")):
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = "x-request-id, retry-after"
        if request.method == "OPTIONS" and _WISH in request.headers:
            answer = uninvited(request, self._reception) or _allowed(request)
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _allowed(request: Request) -> Response:
    """All headers are: SDKs send many of their own."""
    headers = {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": request.headers.get("access-control-request-headers", ""),
        "access-control-max-age": str(_MEMORY_SECONDS),
    }
    return Response(status_code=204, headers=headers)
