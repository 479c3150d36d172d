"""Is the server alive, may one send it clients, and how busy is it?"""

from dataclasses import fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_asr.engines.account import Account
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.catalogue import Catalogue
from realtime_asr.transports.reception import Reception


def health_routes(reception: Reception) -> list[Route]:
    async def health(_: Request) -> Response:
        """Never waits for anything."""
        return JSONResponse(
            {
                "status": _status(reception),
                "sessions": len(reception.sessions),
                "capacity": reception.sessions.most,
                "models": _models(reception.catalogue),
            }
        )

    async def readyz(_: Request) -> Response:
        status = _status(reception)
        if status == "ready":
            return JSONResponse({"status": status})
        return JSONResponse({"status": status}, 503, {"Retry-After": "2"})

    return [Route("/health", health), Route("/readyz", readyz)]


def _status(reception: Reception) -> str:
    if not reception.ready:
        return "not ready"
    return "stalled" if reception.stalled else "ready"


def _models(catalogue: Catalogue) -> dict[str, Any]:
    engines = _engines(catalogue)
    return {
        name: {"state": progress.state, "load_seconds": round(progress.seconds, 3)}
        | (_told(engines[name].account) if name in engines else {})
        for name, progress in catalogue.progress.items()
    }


def _told(account: Account) -> dict[str, Any]:
    counts = {field.name: getattr(account, field.name) for field in fields(account)}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in counts.items()}


def _engines(catalogue: Catalogue) -> dict[str, BatchingEngine]:
    """Those that keep an account."""
    return {name: engine for name, engine in catalogue.loaded.items() if isinstance(engine, BatchingEngine)}
