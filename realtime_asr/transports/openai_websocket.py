"""OpenAI's WebSocket: the handshake, and a connection as a channel."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Final

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime_asr.dialects.dialect import Dialect
from realtime_asr.dialects.json_text import LARGEST
from realtime_asr.dialects.negotiate import Shape, credential, negotiate, selected
from realtime_asr.dialects.openai_realtime import OpenAIRealtime
from realtime_asr.runtime.ids import event_id
from realtime_asr.session.commands import FromClient, HangUp
from realtime_asr.session.events import Event, Rejected
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NotNow, Ticket
from realtime_asr.transports.in_flight import Holding, holding_of
from realtime_asr.transports.literal_post import LITERAL_PATH
from realtime_asr.transports.metered import Metered
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import denied, visitor
from realtime_asr.transports.reception import CROWDED, UNAUTHORISED, Caller, Denied, Reception

ANYWHERE: Final = "/{any:path}"
DOOR: Final = "realtime"
_REFUSED = 4000
"""Clients do not come back after it."""
_WARNING_SECONDS = 60.0
_AZURE_PATHS = ("/openai/v1/realtime", "/openai/realtime")


class WebSocketChannel:
    """One accepted connection that speaks one dialect."""

    def __init__(self, websocket: WebSocket, dialect: Dialect, holding: Holding) -> None:
        self._websocket = websocket
        self._dialect = dialect
        self._holding = holding

    async def receive(self) -> FromClient | HangUp:
        """Who asks for more has heard what is large of what it got."""
        self._holding.take(0)
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return HangUp()
        text = message.get("text")
        frame = message["bytes"] if text is None else text
        if len(frame) <= LARGEST:
            return self._dialect.decode(frame)
        self._holding.take(len(frame))
        # A tenth of a second for 15 MiB of audio.
        return await asyncio.to_thread(self._dialect.decode, frame)

    async def send(self, event: Event) -> None:
        frames = self._dialect.encode(event)
        try:
            for frame in frames:
                await self._websocket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette says RuntimeError once either side has closed.
            raise ConnectionError from error

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError):
            return


def websocket_routes(reception: Reception) -> list[WebSocketRoute]:
    async def realtime(websocket: WebSocket) -> None:
        await _realtime(websocket, reception)

    paths = ["/v1/realtime", LITERAL_PATH, *_AZURE_PATHS]
    return [*(WebSocketRoute(path, realtime) for path in paths), WebSocketRoute(ANYWHERE, _nowhere)]


async def _nowhere(websocket: WebSocket) -> None:
    """Left to itself, Starlette would answer as if something were forbidden here."""
    problem = Problem(None, f"Invalid URL (GET {websocket.url.path})")
    await websocket.send_denial_response(error_response(404, problem))


async def _realtime(websocket: WebSocket, reception: Reception) -> None:
    if denial := denied(websocket, reception, DOOR):
        await websocket.send_denial_response(denial)
        return
    azure = reception.azure and websocket.url.path in _AZURE_PATHS
    offered = websocket.scope["subprotocols"]
    key = credential(websocket.headers, offered, websocket.query_params, azure=azure)
    caller = reception.doorkeeper.check(key, secrets_allowed=True)
    await websocket.accept(subprotocol=selected(offered))
    if isinstance(caller, Denied):
        reception.turned_away(visitor(websocket, DOOR), caller.problem)
        await _turn_away(websocket, caller.problem, UNAUTHORISED)
        return
    # Nothing is awaited from here to the session, so that it gets the place which is free now.
    ticket = reception.admit_start(caller)
    if isinstance(ticket, NotNow):
        reception.turned_away(visitor(websocket, DOOR, caller), ticket.problem)
        await _turn_away(websocket, ticket.problem, CROWDED)
        return
    with ticket:
        if problem := await _converse(websocket, reception, caller, ticket):
            reception.turned_away(visitor(websocket, DOOR, caller), problem)
            await _turn_away(websocket, problem, _REFUSED)


async def _converse(
    websocket: WebSocket, reception: Reception, caller: Caller, ticket: Ticket
) -> Problem | None:
    """The session, to its end; or what is wrong with how it shall begin."""
    shape = Shape.BETA if websocket.url.path == LITERAL_PATH else caller.shape
    betas = websocket.headers.getlist("openai-beta")
    opening = negotiate(betas, websocket.scope["subprotocols"], websocket.query_params, shape)
    if isinstance(opening, Problem):
        return opening
    starting = reception.start(opening.shape, caller, opening.patch)
    if isinstance(starting, Problem):
        return _at_the_door(starting)
    limits = reception.limits(caller)
    if opening.warn_before_expiry:
        limits = replace(limits, warning_seconds=_WARNING_SECONDS)
    holding = holding_of(websocket.scope)
    ticket.seat(starting.session_id)
    channel = Metered(
        WebSocketChannel(websocket, starting.dialect, holding),
        ticket,
        starting.config.format,
        partial(reception.sessions.end, starting.session_id, CROWDED),
    )
    name, config = starting.session_id, starting.config
    with holding.counted_for(reception.accounts.in_flight(caller.key_id)):
        await reception.sessions.run(name, config, channel, visitor(websocket, DOOR, caller), limits)
    return None


def _at_the_door(problem: Problem) -> Problem:
    """OpenAI has another name here for a model that does not exist."""
    if problem.code == "model_not_found":
        return replace(problem, code="invalid_model", param=None)
    return problem


async def _turn_away(websocket: WebSocket, problem: Problem, code: int) -> None:
    """OpenAI upgrades first: a browser could not read the reason from an HTTP answer."""
    dialect = OpenAIRealtime(session_id="", expires_at=0, new_event_id=event_id, shape=Shape.GA)
    channel = WebSocketChannel(websocket, dialect, holding_of(websocket.scope))
    try:
        await channel.send(Rejected(problem))
    except ConnectionError:
        return
    await channel.close(code, problem.name)
