"""Is the server alive, and may one send it clients?"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_asr.transports.reception import Reception


def health_routes(reception: Reception) -> list[Route]:
    async def health(_: Request) -> Response:
        """Never waits for anything."""
        status = "ready" if reception.ready else "not ready"
        return JSONResponse({"status": status, "sessions": len(reception.sessions)})

    async def readyz(_: Request) -> Response:
        if reception.ready:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready"}, 503, {"Retry-After": "2"})

    return [Route("/health", health), Route("/readyz", readyz)]
