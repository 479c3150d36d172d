"""OpenAI's REST routes around realtime: minting client secrets, listing models."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from realtime_asr.dialects.negotiate import Shape, credential
from realtime_asr.dialects.openai_beta import read_transcription_session
from realtime_asr.dialects.openai_ga import read_client_secret, read_revocation
from realtime_asr.dialects.openai_realtime import session_object, wire_param
from realtime_asr.dialects.openai_shared import Mint
from realtime_asr.runtime.ids import session_id
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NOBODY, NotNow
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.reception import Caller, Denied, Minted, Reception

_DOOR = "rest"
_LARGEST_BODY = 64 * 1024


def rest_routes(reception: Reception) -> list[Route]:
    async def transcription_sessions(request: Request) -> Response:
        return await _mint(request, reception, read_transcription_session, _beta_answer)

    async def client_secrets(request: Request) -> Response:
        return await _mint(request, reception, read_client_secret, _ga_answer)

    async def revoke(request: Request) -> Response:
        return await _revoke(request, reception)

    async def models(request: Request) -> Response:
        caller = admit(request, reception)
        return caller if isinstance(caller, Response) else _models(caller, reception)

    async def model(request: Request) -> Response:
        caller, name = admit(request, reception), request.path_params["name"]
        return caller if isinstance(caller, Response) else _model(name, caller, reception)

    return [
        Route("/v1/realtime/transcription_sessions", transcription_sessions, methods=["POST"]),
        Route("/v1/realtime/client_secrets", client_secrets, methods=["POST"]),
        Route("/openai/v1/realtime/client_secrets", client_secrets, methods=["POST"]),
        Route("/v1/realtime/client_secrets/revoke", revoke, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", model),
    ]


def admit(
    request: Request, reception: Reception, *, secrets_allowed: bool = False, door: str = _DOOR
) -> Caller | Response:
    """A client secret opens sessions and nothing else."""
    if denial := denied(request, reception, door):
        return denial
    key = credential(request.headers, (), request.query_params, azure=False)
    match reception.doorkeeper.check(key, secrets_allowed=secrets_allowed):
        case Caller() as caller:
            return caller
        case Denied(problem):
            reception.turned_away(visitor(request, door), problem)
            return error_response(401, problem)


def denied(asking: HTTPConnection, reception: Reception, door: str = _DOOR) -> Response | None:
    """Before who it is matters: is the server there, and may pages from there talk to it?"""
    if not reception.ready:
        reception.turned_away(visitor(asking, door), _NOT_READY)
        return not_ready()
    return uninvited(asking, reception, door)


def uninvited(asking: HTTPConnection, reception: Reception, door: str = _DOOR) -> Response | None:
    """May pages from there talk to the server?"""
    if reception.doorkeeper.welcomes(asking.headers.get("origin"), asking.headers.get("host")):
        return None
    reception.turned_away(visitor(asking, door), _FOREIGN)
    return foreign()


def visitor(asking: HTTPConnection, door: str, caller: Caller | None = None) -> Visitor:
    """Who is not known yet is anonymous."""
    key_id = NOBODY.key if caller is None else caller.key_id
    return Visitor(key_id, door, asking.headers.get("traceparent"))


_NOT_READY: Final = Problem(None, "The server is not ready yet. Try again in a moment.", kind="server_error")
_FOREIGN: Final = Problem("origin_not_allowed", "Pages of this origin may not connect here.")


def not_ready() -> Response:
    return error_response(503, _NOT_READY, {"Retry-After": "2"})


def foreign() -> Response:
    return error_response(403, _FOREIGN)


def later(busy: NotNow) -> Response:
    """503 where it is the server's own fault."""
    status = 503 if busy.problem.kind == "server_error" else 429
    return error_response(status, busy.problem, {"Retry-After": str(busy.seconds)})


def server_sent(events: AsyncIterator[str]) -> Response:
    # Proxies would hold events back to make larger packets of them.
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


async def read_body(request: Request, largest: int) -> bytes | Response:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > largest:
                return error_response(413, Problem(None, f"Maximum content size limit ({largest}) exceeded"))
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    return bytes(body)


async def _mint(
    request: Request,
    reception: Reception,
    read: Callable[..., Mint | Problem],
    answer: Callable[[dict[str, Any], Minted], dict[str, Any]],
) -> Response:
    caller = admit(request, reception)
    if isinstance(caller, Response):
        return caller
    body = _too_many(request, reception, caller) or await read_body(request, _LARGEST_BODY)
    if isinstance(body, Response):
        return body
    wish = read(body, strict=reception.strict)
    if isinstance(wish, Problem):
        return error_response(400, wish)
    config = reception.configure(caller, wish.patch)
    if isinstance(config, Problem):
        status = 404 if config.code == "model_not_found" else 400
        return error_response(status, replace(config, param=_in_body(config.param, wish.shape)))
    minted = reception.doorkeeper.mint(caller, wish.session, wish.shape, wish.seconds)
    if isinstance(minted, Problem):
        return error_response(400, minted)
    session = session_object(config, wish.shape, session_id=session_id(), expires_at=0)
    return JSONResponse(answer(session, minted))


def _too_many(request: Request, reception: Reception, caller: Caller) -> Response | None:
    """Where a new session would find no room, or the key has minted enough."""
    crowd = reception.crowd
    busy = reception.accounts.mint(caller.key_id) if crowd is None else NotNow(crowd)
    if busy is None:
        return None
    reception.turned_away(visitor(request, _DOOR, caller), busy.problem)
    return later(busy)


async def _revoke(request: Request, reception: Reception) -> Response:
    caller = admit(request, reception)
    if isinstance(caller, Response):
        return caller
    body = await read_body(request, _LARGEST_BODY)
    if isinstance(body, Response):
        return body
    value = read_revocation(body, strict=reception.strict)
    if isinstance(value, Problem):
        return error_response(400, value)
    try:
        known = reception.doorkeeper.revoke(caller, value)
    except OSError:
        return error_response(500, _NOT_KEPT)
    finally:
        reception.dismiss()
    return JSONResponse({"revoked": True}) if known else error_response(404, _NO_SUCH_SECRET)


_NO_SUCH_SECRET: Final = Problem(
    "client_secret_not_found", "Your key did not mint this client secret, or it has expired.", param="value"
)
_NOT_KEPT: Final = Problem(
    None,
    "The client secret is revoked, but could not be written down: after a restart of the server it would be "
    "good again. Try again.",
    kind="server_error",
)


def _in_body(param: str | None, shape: Shape) -> str | None:
    """Beta's body is the session itself, not something that holds one."""
    where = wire_param(param, shape)
    return where.removeprefix("session.") if where and shape is Shape.BETA else where


def _beta_answer(session: dict[str, Any], minted: Minted) -> dict[str, Any]:
    secret = {"value": minted.value, "expires_at": minted.expires_at}
    return {**session, "client_secret": secret, "modalities": ["text"]}


def _ga_answer(session: dict[str, Any], minted: Minted) -> dict[str, Any]:
    return {"value": minted.value, "expires_at": minted.expires_at, "session": session}


def _models(caller: Caller, reception: Reception) -> Response:
    may = reception.models(caller)
    names = [name for name in sorted(reception.catalogue.names.aliases) if may.resolve(name) is not None]
    return JSONResponse({"object": "list", "data": [_described(name, reception) for name in names]})


def _model(name: str, caller: Caller, reception: Reception) -> Response:
    if reception.models(caller).resolve(name) is None:
        message = f"The model `{name}` does not exist or you do not have access to it."
        return error_response(404, Problem("model_not_found", message, param="model"))
    return JSONResponse(_described(name, reception))


def _described(name: str, reception: Reception) -> dict[str, Any]:
    """What comes after `owned_by` is ours: who really answers to the name, and how far that model is."""
    effective = reception.catalogue.resolve(name)
    assert effective is not None, "asked for before"
    progress = reception.catalogue.progress[effective]
    known = reception.catalogue.languages(name)
    return {
        "id": name,
        "object": "model",
        "created": reception.started_at,
        "owned_by": "realtime-asr",
        "effective_model": effective,
        "state": progress.state,
        "load_seconds": round(progress.seconds, 3),
        "languages": sorted(known) if known else None,
    }
