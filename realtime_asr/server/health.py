"""Is the server alive, may one send it clients, and how busy is it?"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_asr.dialects.negotiate import credential
from realtime_asr.engines.account import Account
from realtime_asr.server.watching import instruments as of
from realtime_asr.server.watching.metrics import Prometheus
from realtime_asr.server.watching.stats import RECENT_SECONDS, Recent
from realtime_asr.session.problem import Problem
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.reception import Reception


@dataclass(frozen=True, slots=True)
class Instruments:
    """Where figures are read, and who may: asked with the key that was shown."""

    prometheus: Prometheus
    recent: Recent
    may_read: Callable[[str | None], bool]


def health_routes(reception: Reception, instruments: Instruments) -> list[Route]:
    """None of them waits for anything."""

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        told = {"status": status(reception)}
        if told["status"] == "ready":
            return JSONResponse(told)
        return JSONResponse(told, 503, {"Retry-After": "2"})

    async def health(_: Request) -> Response:
        return JSONResponse(_health(reception))

    async def stats(request: Request) -> Response:
        return turned_away(request, instruments) or JSONResponse(_stats(reception, instruments.recent))

    async def metrics(request: Request) -> Response:
        if refusal := turned_away(request, instruments):
            return refusal
        text, media_type = instruments.prometheus.written(request.headers.get("accept", ""))
        return Response(text, media_type=media_type)

    return [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/health", health),
        Route("/stats", stats),
        Route("/metrics", metrics),
    ]


def turned_away(request: Request, instruments: Instruments) -> Response | None:
    if instruments.may_read(credential(request.headers, (), {}, azure=False)):
        return None
    return error_response(401, Problem("invalid_api_key", "This needs a key that may read figures."))


def status(reception: Reception) -> Literal["ready", "not ready", "stalled", "no engine"]:
    if not reception.ready:
        return "not ready"
    if reception.stalled:
        return "stalled"
    main = reception.catalogue.progress[reception.catalogue.default]
    return "no engine" if main.state == "failed" else "ready"


def _health(reception: Reception) -> dict[str, Any]:
    return {
        "status": status(reception),
        "sessions": len(reception.sessions),
        "capacity": reception.sessions.most,
        "models": _models(reception),
    }


def _models(reception: Reception) -> dict[str, Any]:
    engines, runs_on = reception.catalogue.accountable, reception.catalogue.runs_on
    return {
        name: {**runs_on[name], "state": progress.state, "load_seconds": round(progress.seconds, 3)}
        | (_told(engines[name].account) if name in engines else {})
        for name, progress in reception.catalogue.progress.items()
    }


def _told(account: Account) -> dict[str, Any]:
    counts = {field.name: getattr(account, field.name) for field in fields(account)}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in counts.items()}


_LATENCIES: Final = (of.FIRST_DELTA, of.FINAL_AFTER_SPEECH, of.FINAL_AFTER_COMMIT)


def _stats(reception: Reception, recent: Recent) -> dict[str, Any]:
    """Counts since the server started, quantiles of the last minutes."""
    total = partial(_total, recent)
    return {
        "status": status(reception),
        "sessions": {
            "open": recent.totals(of.SESSIONS_OPEN),
            "started": recent.totals(of.SESSIONS_STARTED),
            "recordings": reception.sessions.recordings,
            "most": reception.sessions.most,
        },
        "queue": recent.totals(of.QUEUE),
        "passes_running": recent.totals(of.RUNNING),
        "recent_seconds": RECENT_SECONDS,
        "latency_seconds": {instrument.name: recent.quantiles(instrument) for instrument in _LATENCIES},
        "pass_seconds": recent.quantiles(of.PASS),
        "real_time_factor": recent.quantiles(of.REAL_TIME_FACTOR),
        "corrections": total(of.CORRECTIONS),
        "refusals": recent.totals(of.REFUSALS),
        "errors": recent.totals(of.ERRORS),
        "audio_seconds": round(total(of.AUDIO), 3),
        "in_flight_bytes": total(of.IN_FLIGHT),
        "memory_bytes": total(of.MEMORY),
    }


def _total(recent: Recent, instrument: of.Instrument) -> float:
    return sum(recent.totals(instrument).values())
