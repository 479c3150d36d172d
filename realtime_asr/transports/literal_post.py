"""The GenAIComps RFC's path as an HTTP POST: one event in, its text out.

`POST /v1/realtime/intent=transcription` takes one client event and answers with one delta object, or with a
stream of events for those who accept `text/event-stream`. Posts that show a client secret continue one
session, which ends when none came for a minute. Any other post is a session of its own: its audio is
committed at once, and the answer holds the whole text.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_asr.audio.formats import AudioFormat
from realtime_asr.dialects.json_text import LARGEST
from realtime_asr.dialects.negotiate import Shape, read_address
from realtime_asr.dialects.openai_realtime import OpenAIRealtime, wire_param
from realtime_asr.runtime.ids import event_id
from realtime_asr.session.commands import (
    AppendAudio,
    CommitAudio,
    EndSession,
    FromClient,
    HangUp,
    Refuse,
)
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    IdleTimedOut,
    Rejected,
    SessionCreated,
    SessionUpdated,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import NotNow, Ticket
from realtime_asr.transports.in_flight import holding_of
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import admit, later, read_body, server_sent, visitor
from realtime_asr.transports.reception import Caller, Reception, Starting

LITERAL_PATH: Final = "/v1/realtime/intent=transcription"
DOOR: Final = "post"
_LARGEST_BODY = 24 * 1024 * 1024
_FORGOTTEN_AFTER_SECONDS = 60.0
_QUIET_SECONDS = 0.5
"""A post that continues a session is answered once nothing was told for so long."""


@dataclass(slots=True, eq=False)
class _Posted:
    """A session's channel whose client comes and goes; what it is told waits for the next post."""

    dialect: OpenAIRealtime
    ticket: Ticket
    format: AudioFormat
    asked: asyncio.Queue[FromClient] = field(default_factory=asyncio.Queue)
    told: asyncio.Queue[Event | None] = field(default_factory=asyncio.Queue)
    turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Posts take turns, or they would collect each other's answers."""
    transcribes: bool = True
    awaited: bool = False
    """A post is there until its text is: texts may take longer than a client stays away."""
    over: bool = False

    async def receive(self) -> FromClient | HangUp:
        while True:
            try:
                async with asyncio.timeout(_FORGOTTEN_AFTER_SECONDS):
                    return await self.asked.get()
            except TimeoutError:
                if not self.awaited:
                    self._end()
                    return HangUp()

    async def send(self, event: Event) -> None:
        if isinstance(event, SessionCreated | SessionUpdated):
            self.transcribes = event.config.transcription is not None
            self.format = event.config.format
        self.told.put_nowait(event)

    async def close(self, code: int, reason: str) -> None:  # noqa: ARG002  there is nobody to tell
        self._end()

    def _end(self) -> None:
        self.over = True
        self.ticket.release()
        self.told.put_nowait(None)

    def heard(self, command: FromClient) -> NotNow | None:
        """As `Ticket.heard`. The same post may come again later: the session goes on."""
        if not isinstance(command, AppendAudio):
            return None
        return self.ticket.heard(self.format.seconds(len(command.payload)))

    async def answer_to_all(self, command: FromClient) -> AsyncGenerator[Event]:
        """What comes of this and of a commit, to the end of the session."""
        commit = _Commit()
        for each in (command, CommitAudio()):
            self.asked.put_nowait(each)
        try:
            async with aclosing(self._all_of()) as events:
                async for event in events:
                    yield event
                    # Sooner, and the text would have to come within the time for a farewell.
                    if commit.is_answered_by(event, transcribes=self.transcribes):
                        self.asked.put_nowait(EndSession())
        finally:
            self.asked.put_nowait(EndSession())

    async def answer_to(self, command: FromClient) -> AsyncGenerator[Event]:
        """What is told from here on, until the item a commit makes has ended, or nothing more comes."""
        async with self.turns:
            if self.over:
                return
            self.asked.put_nowait(command)
            told = self._until_transcribed() if isinstance(command, CommitAudio) else self._until_quiet()
            async with aclosing(told) as events:
                async for event in events:
                    yield event

    async def _all_of(self) -> AsyncGenerator[Event]:
        """What is told, to the end of the session."""
        self.awaited = True
        try:
            while event := await self.told.get():
                yield event
        finally:
            self.awaited = False

    async def _until_quiet(self) -> AsyncGenerator[Event]:
        while True:
            try:
                async with asyncio.timeout(_QUIET_SECONDS):
                    event = await self.told.get()
            except TimeoutError:
                return
            if event is None:
                return
            yield event

    async def _until_transcribed(self) -> AsyncGenerator[Event]:
        """Up to and with the end of the item that the client committed, or the refusal to."""
        commit = _Commit()
        async with aclosing(self._all_of()) as events:
            async for event in events:
                yield event
                if commit.is_answered_by(event, transcribes=self.transcribes):
                    return


@dataclass(slots=True)
class _Commit:
    """The client's own, among those of the server."""

    servers: set[str] = field(default_factory=set)
    own: str | None = None

    def is_answered_by(self, event: Event, *, transcribes: bool) -> bool:
        """To be asked of every event that comes after it."""
        match event:
            case SpeechStopped(item_id) | IdleTimedOut(item_id):
                self.servers.add(item_id)
                return False
            case AudioCommitted(item_id) if item_id not in self.servers:
                self.own = item_id
                return not transcribes
            case TranscriptCompleted(item_id) | TranscriptFailed(item_id):
                return item_id == self.own
            case _:
                return isinstance(event, Rejected)


@dataclass(frozen=True, slots=True)
class _Answer:
    dialect: OpenAIRealtime
    events: AsyncGenerator[Event]
    said: Callable[[Event], tuple[str, str] | None]
    """What of an event belongs into the one delta: item and text."""


class _Posts:
    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._continued: dict[str, _Posted] = {}
        """By the ids of client secrets."""

    async def answer(self, request: Request) -> Response:
        caller = admit(request, self._reception, secrets_allowed=True, door=DOOR)
        if isinstance(caller, Response):
            return caller
        with holding_of(request.scope).counted_for(self._reception.accounts.in_flight(caller.key_id)):
            return await self._answer_to(caller, request)

    async def _answer_to(self, caller: Caller, request: Request) -> Response:
        body = self._no_room(request, caller) or await read_body(request, _LARGEST_BODY)
        if isinstance(body, Response):
            return body
        starting = self._reception.start(Shape.BETA, caller, read_address(request.query_params))
        if isinstance(starting, Problem):
            return _refused(starting)
        command = await _read(starting.dialect, body)
        if isinstance(command, Refuse):
            return error_response(400, command.problem)
        answer = self._answer(request, caller, starting, command)
        if isinstance(answer, NotNow):
            return self._turn_away(request, caller, answer)
        return await _respond(request, answer)

    def _no_room(self, request: Request, caller: Caller) -> Response | None:
        """Before the body is read. A session that is there already has its place."""
        crowd = self._reception.crowd
        if crowd is None or self._session_of(caller):
            return None
        return self._turn_away(request, caller, NotNow(crowd))

    def _turn_away(self, request: Request, caller: Caller, busy: NotNow) -> Response:
        self._reception.turned_away(visitor(request, DOOR, caller), busy.problem)
        return later(busy)

    def _answer(
        self, request: Request, caller: Caller, starting: Starting, command: FromClient
    ) -> _Answer | NotNow:
        posted = self._session_of(caller) or self._opened(request, caller, starting)
        if isinstance(posted, NotNow):
            return posted
        if busy := posted.heard(command):
            return busy
        if caller.proof.secret is None:
            return _Answer(posted.dialect, posted.answer_to_all(command), _completed)
        return _Answer(posted.dialect, posted.answer_to(command), _grown)

    def _session_of(self, caller: Caller) -> _Posted | None:
        """Posts belong to one session that show the same client secret."""
        posted = self._continued.get(caller.proof.secret or "")
        return None if posted is None or posted.over else posted

    def _opened(self, request: Request, caller: Caller, starting: Starting) -> _Posted | NotNow:
        ticket = self._reception.admit_start(caller)
        if isinstance(ticket, NotNow):
            return ticket
        ticket.seat(starting.session_id)
        config = starting.config
        posted = _Posted(starting.dialect, ticket, config.format)
        if caller.proof.secret is None:
            config = replace(config, chosen_detection=None)
        else:
            self._continued = {name: each for name, each in self._continued.items() if not each.over}
            self._continued[caller.proof.secret] = posted
        come, limits = visitor(request, DOOR, caller), self._reception.limits(caller)
        self._reception.sessions.start(starting.session_id, config, posted, come, limits)
        return posted


def literal_post_routes(reception: Reception) -> list[Route]:
    return [Route(LITERAL_PATH, _Posts(reception).answer, methods=["POST"])]


async def _read(dialect: OpenAIRealtime, body: bytes) -> FromClient:
    if len(body) <= LARGEST:
        return dialect.decode(body.decode(errors="replace"))
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        return Refuse(Problem("invalid_json", f"Invalid event: failed to parse JSON value. {error}"))
    return await asyncio.to_thread(dialect.decode, text)


def _refused(problem: Problem) -> Response:
    return error_response(400, replace(problem, param=wire_param(problem.param, Shape.BETA)))


def _grown(event: Event) -> tuple[str, str] | None:
    return (event.item_id, event.text) if isinstance(event, TranscriptGrew) else None


def _completed(event: Event) -> tuple[str, str] | None:
    return (event.item_id, event.transcript) if isinstance(event, TranscriptCompleted) else None


async def _respond(request: Request, answer: _Answer) -> Response:
    if "text/event-stream" in request.headers.get("accept", ""):
        return server_sent(_frames(answer))
    async with aclosing(answer.events):
        return await _one_delta(answer)


async def _frames(answer: _Answer) -> AsyncIterator[str]:
    async with aclosing(answer.events):
        async for event in answer.events:
            for frame in answer.dialect.encode(event):
                yield f"data: {frame}\n\n"


async def _one_delta(answer: _Answer) -> Response:
    """All that was said, as the one object that the RFC describes."""
    item_id, text = "", ""
    async for event in answer.events:
        match event:
            case Rejected(problem) if not text:
                return _refused(problem)
            case TranscriptFailed(_, problem):
                return error_response(500, problem)
            case _:
                pass
        if said := answer.said(event):
            gap = " " if text and said[0] != item_id else ""
            item_id, text = said[0], text + gap + said[1]
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
