"""The GenAIComps RFC's path as an HTTP POST: one event in, its text out.

`POST /v1/realtime/intent=transcription` takes one client event and answers with one delta object, or with a
stream of events for those who accept `text/event-stream`. Posts that show a client secret continue one
session, which ends when none came for a minute. Any other post is a session of its own: its audio is committed
at once, and the answer holds the whole text.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from realtime_asr.dialects.negotiate import Shape, credential
from realtime_asr.dialects.openai_realtime import OpenAIRealtime
from realtime_asr.runtime.ids import event_id, session_id
from realtime_asr.session.commands import AppendAudio, CommitAudio, EndSession, FromClient, HangUp, Refuse
from realtime_asr.session.config import SessionConfig
from realtime_asr.session.events import Event, Rejected, TranscriptCompleted, TranscriptFailed, TranscriptGrew
from realtime_asr.session.problem import Problem
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import answer_before_ready, read_body
from realtime_asr.transports.reception import Caller, Denied, Reception, Starting

LITERAL_PATH: Final = "/v1/realtime/intent=transcription"
_LARGEST_BODY = 24 * 1024 * 1024
_FORGOTTEN_AFTER_SECONDS = 60.0
_QUIET_SECONDS = 0.5
"""A post that continues a session is answered once nothing was told for so long."""


@dataclass(slots=True, eq=False)
class _Posted:
    """A session's channel whose client comes and goes; what it is told waits for the next post."""

    dialect: OpenAIRealtime
    asked: asyncio.Queue[FromClient] = field(default_factory=asyncio.Queue)
    told: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    over: bool = False

    async def receive(self) -> FromClient | HangUp:
        try:
            async with asyncio.timeout(_FORGOTTEN_AFTER_SECONDS):
                return await self.asked.get()
        except TimeoutError:
            self.over = True
            return HangUp()

    async def send(self, event: Event) -> None:
        self.told.put_nowait(event)

    async def close(self, code: int, reason: str) -> None:  # noqa: ARG002  there is nobody to tell
        self.over = True
        self.told.put_nowait(None)

    async def until_quiet(self) -> AsyncIterator[Event]:
        while True:
            try:
                async with asyncio.timeout(_QUIET_SECONDS):
                    event = await self.told.get()
            except TimeoutError:
                return
            if event is None:
                return
            yield event

    async def until_ended(self, *ends: type[Event]) -> AsyncIterator[Event]:
        """Up to and with one of these, or to the end of the session."""
        while event := await self.told.get():
            yield event
            if isinstance(event, ends):
                return


class _Posts:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._continued: dict[bytes, _Posted] = {}

    async def answer(self, request: Request) -> Response:
        if not self._reception.ready:
            return answer_before_ready()
        key = credential(request.headers, (), request.query_params, azure=False)
        caller = self._reception.doorkeeper.check(key, secrets_allowed=True)
        if isinstance(caller, Denied):
            return error_response(401, caller.problem)
        body = await read_body(request, _LARGEST_BODY)
        if isinstance(body, Response):
            return body
        starting = self._reception.start(Shape.BETA, caller, model=None)
        if isinstance(starting, Problem):
            return error_response(400, starting)
        command = starting.dialect.decode(body.decode(errors="replace"))
        if isinstance(command, Refuse):
            return error_response(400, command.problem)
        if caller.session is None:
            return await _respond(request, starting.dialect, self._alone(starting, command))
        return await _respond(request, starting.dialect, self._continuing(str(key), starting, command))

    def _alone(self, starting: Starting, command: FromClient) -> AsyncIterator[Event]:
        posted = _Posted(starting.dialect)
        for step in (command, CommitAudio(), EndSession()):
            posted.asked.put_nowait(step)
        config = replace(starting.config, chosen_detection=None)
        self._reception.sessions.start(starting.session_id, config, posted)
        return posted.until_ended()

    def _continuing(self, key: str, starting: Starting, command: FromClient) -> AsyncIterator[Event]:
        self._continued = {name: posted for name, posted in self._continued.items() if not posted.over}
        name = sha256(key.encode()).digest()
        posted = self._continued.get(name)
        if posted is None:
            posted = self._continued[name] = _Posted(starting.dialect)
            self._reception.sessions.start(starting.session_id, starting.config, posted)
        posted.asked.put_nowait(command)
        if isinstance(command, CommitAudio):
            return posted.until_ended(TranscriptCompleted, TranscriptFailed, Rejected)
        return posted.until_quiet()


def literal_post_routes(reception: Reception) -> list[Route]:
    return [Route(LITERAL_PATH, _Posts(reception).answer, methods=["POST"])]


async def _respond(request: Request, dialect: OpenAIRealtime, events: AsyncIterator[Event]) -> Response:
    if "text/event-stream" in request.headers.get("accept", ""):
        return StreamingResponse(_server_sent(dialect, events), media_type="text/event-stream")
    return await _one_delta(events)


async def _server_sent(dialect: OpenAIRealtime, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    async for event in events:
        for frame in dialect.encode(event):
            yield f"data: {frame}\n\n"


async def _one_delta(events: AsyncIterator[Event]) -> Response:
    """All that was said, as the one object that the RFC describes."""
    item_id, text = "", ""
    async for event in events:
        match event:
            case TranscriptGrew(item, words):
                item_id, text = item, text + words
            case Rejected(problem):
                return error_response(400, problem)
            case TranscriptFailed(_, problem):
                return error_response(500, problem)
            case _:
                pass
    return JSONResponse(
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "event_id": event_id(),
            "item_id": item_id,
            "content_index": 0,
            "delta": text,
            "logprobs": None,
        }
    )
