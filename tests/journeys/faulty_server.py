"""The server as it is, but for faults inside that quote what clients said. Takes the same arguments."""

from typing import Any

from starlette.datastructures import Headers

from realtime_asr.engines.replay import ReplayEngine
from realtime_asr.server.commands.cli import run
from realtime_asr.session.session import Session
from realtime_asr.transcript.request import TurnRequest
from realtime_asr.transports import openai_rest

FAULT = "break here"

_open, _retrieve, _denied = ReplayEngine.open, Session._retrieve, openai_rest.denied


def _open_or_break(engine: ReplayEngine, request: TurnRequest) -> Any:
    if FAULT in (request.prompt or ""):
        raise ValueError(f"No engine likes {request.prompt}.")
    return _open(engine, request)


def _retrieve_or_break(session: Session, command: Any) -> None:
    if FAULT in command.item_id:
        raise ValueError(f"No session likes {command.item_id}.")
    _retrieve(session, command)


def _denied_or_break(asking: Any, *rest: Any) -> Any:
    headers: Headers = asking.headers
    if FAULT in headers.get("user-agent", ""):
        raise ValueError(f"No server likes {dict(headers)}.")
    return _denied(asking, *rest)


if __name__ == "__main__":
    ReplayEngine.open = _open_or_break  # type: ignore[assignment,method-assign]
    Session._retrieve = _retrieve_or_break  # type: ignore[assignment,method-assign]
    openai_rest.denied = _denied_or_break  # type: ignore[assignment]
    run()
