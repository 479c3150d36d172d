"""OpenAI's file endpoints: a recording comes up, its text goes down, whole or turn by turn."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, TypeAlias, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from realtime_asr.decoders.recording import Recording, UnreadableRecording, open_recording
from realtime_asr.dialects.faults import excerpt
from realtime_asr.dialects.openai_file_answers import Transcript, broken, done, grown, too_large, written
from realtime_asr.dialects.openai_files import MISSING_FILE, FileRequest, read_enclosed, read_form
from realtime_asr.runtime.ids import session_id
from realtime_asr.runtime.recordings import CutShort, transcribed
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.config import Models, SessionConfig
from realtime_asr.session.events import (
    Rejected,
    SessionCreated,
    SpeechStarted,
    TranscriptCompleted,
    TranscriptFailed,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import Task
from realtime_asr.transports.accounts import NotNow, Ticket, not_now
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import admit, later, not_ready, visitor
from realtime_asr.transports.reception import Caller, Reception
from realtime_asr.transports.uploads import MOST_IN_FIELDS, MalformedForm, OversizedForm, receive_form

_IN_MEMORY: Final = 1024 * 1024
"""Bytes of a file for which no disk is needed."""
_DOOR: Final = "files"
_STALLED_SECONDS: Final = 30.0
"""Who sends nothing for so long holds a place for nothing."""

_Turns: TypeAlias = AsyncGenerator[tuple[TranscriptCompleted, int]]
"""Each with the sample it begins at."""


def file_routes(reception: Reception, *, largest: int, most: int) -> list[Route]:
    """Files of `largest` bytes, and `most` of them at the same time."""
    places = _Places(most)
    doors = {
        "transcriptions": _Door(reception, places, "transcribe", largest),
        "translations": _Door(reception, places, "translate", largest),
    }
    return [
        Route(f"{root}/audio/{name}", door, methods=["POST"])
        for root in ("/v1", "/openai/v1")
        for name, door in doors.items()
    ]


class _Refused(Exception):
    """Nothing will be done but to answer so."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class _Broke(Exception):
    """The text cannot be finished. Where a part of it was told already, the status comes too late."""

    def __init__(self, status: int, problem: Problem) -> None:
        super().__init__(status, problem)
        self.status, self.problem = status, problem


@dataclass(slots=True)
class _Places:
    most: int
    taken: int = 0

    @property
    def crowd(self) -> NotNow | None:
        if self.taken < self.most:
            return None
        return not_now(f"The server transcribes {self.taken} of at most {self.most} files.")

    @contextmanager
    def one(self) -> Iterator[None]:
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


@dataclass(frozen=True, slots=True)
class _Door:
    """One of the routes, as an application: what a request holds is let go only after its answer."""

    reception: Reception
    places: _Places
    task: Task
    largest: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            caller, ticket = self._admit(request)
            with ticket, self.places.one(), SpooledTemporaryFile(_IN_MEMORY) as spooled:
                file = cast("BinaryIO", spooled)
                asked = await self._read(request, file)
                config = self._configure(caller, asked)
                guest = visitor(request, _DOOR, caller)
                models = self.reception.models(caller)
                job = _Job(self.reception.sessions, models, guest, ticket, asked, config)
                await _while_there(receive, job.run(file, request, send))
        except _Refused as refused:
            await refused.response(scope, receive, send)
        except _Broke as broke:
            headers = {"Retry-After": "2"} if broke.status == 503 else None
            await error_response(broke.status, broke.problem, headers)(scope, receive, send)
        except ClientDisconnect:
            return  # nobody reads it

    def _admit(self, request: Request) -> tuple[Caller, Ticket]:
        """All that can keep somebody out, before anything is read."""
        caller = admit(request, self.reception, door=_DOOR)
        if isinstance(caller, Response):
            raise _Refused(caller)
        ticket = self.places.crowd or self.reception.admit_start(caller)
        if isinstance(ticket, NotNow):
            self.reception.turned_away(visitor(request, _DOOR, caller), ticket.problem)
            raise _Refused(later(ticket))
        return caller, ticket

    async def _read(self, request: Request, file: BinaryIO) -> FileRequest:
        """Leaves the recording in the file, ready to be read."""
        content_type = request.headers.get("content-type", "")
        try:
            match content_type.partition(";")[0].strip().lower():
                case "multipart/form-data":
                    asked = await self._read_form(request, content_type, file)
                case "application/json":
                    asked = await self._read_enclosed(request, file)
                case kind:
                    asked = _unsupported(kind)
        except MalformedForm as error:
            asked = error.problem
        except OversizedForm as error:
            body = too_large(error.read, error.largest).model_dump_json()
            raise _Refused(Response(body, 413, media_type="application/json")) from None
        if isinstance(asked, Problem):
            raise _Refused(error_response(400, asked))
        file.seek(0)
        return asked

    async def _read_form(self, request: Request, content_type: str, file: BinaryIO) -> FileRequest | Problem:
        chunks = self._chunks(request, self.largest + MOST_IN_FIELDS + _IN_MEMORY)
        form = await receive_form(chunks, content_type, file, self.largest)
        if not form.has_file:
            return MISSING_FILE
        return read_form(form.fields, self.task, strict=self.reception.strict)

    async def _read_enclosed(self, request: Request, file: BinaryIO) -> FileRequest | Problem:
        chunks = self._chunks(request, self.largest * 4 // 3 + MOST_IN_FIELDS)
        body = b"".join([chunk async for chunk in chunks])
        asked = await asyncio.to_thread(read_enclosed, body, self.task, strict=self.reception.strict)
        if isinstance(asked, Problem):
            return asked
        if len(asked.audio) > self.largest:
            raise OversizedForm(len(asked.audio), self.largest)
        await asyncio.to_thread(file.write, asked.audio)
        return asked.request

    async def _chunks(self, request: Request, most: int) -> AsyncGenerator[bytes]:
        """Of the body, which may have `most` bytes; more are refused before they are read if possible."""
        announced = request.headers.get("content-length", "")
        self._bound(int(announced) if announced.isdecimal() else 0, most)
        stream, read = request.stream(), 0
        while (chunk := await _soon(anext(stream, None))) is not None:
            read += len(chunk)
            self._bound(read, most)
            yield chunk

    def _bound(self, read: int, most: int) -> None:
        if read > most:
            raise OversizedForm(read, self.largest)

    def _configure(self, caller: Caller, asked: FileRequest) -> SessionConfig:
        if not self.reception.ready:
            # It was when the upload began.
            raise _Refused(not_ready())
        config = self.reception.configure(caller, asked.patch)
        if isinstance(config, Problem):
            param = config.param and config.param.removeprefix("transcription.")
            raise _Refused(error_response(_status(config), replace(config, param=param)))
        return config


@dataclass(frozen=True, slots=True)
class _Job:
    """A recording that came up whole, and what shall become of it."""

    sessions: Sessions
    models: Models
    visitor: Visitor
    ticket: Ticket
    asked: FileRequest
    config: SessionConfig

    async def run(self, file: BinaryIO, request: Request, send: Send) -> None:
        try:
            recording = await asyncio.to_thread(open_recording, file)
        except UnreadableRecording as error:
            raise _Broke(400, _unreadable(error)) from None
        claimed = recording.seconds or 0.0
        if busy := self.ticket.heard(claimed):
            raise _Refused(later(busy))
        try:
            async with aclosing(self._turns(session_id(), recording)) as turns:
                respond = self._streamed if self.asked.stream else self._whole
                response = await respond(turns, recording)
                await response(request.scope, request.receive, send)
        finally:
            # It may be longer than it claimed.
            self.ticket.owe(max(recording.decoded_seconds - claimed, 0.0))

    async def _turns(self, name: str, recording: Recording) -> _Turns:
        """As they are told. Raises _Broke."""
        config = self.asked.configured(self.config, recording.format)
        begun: dict[str, int] = {}
        events = transcribed(self.sessions, name, config, recording.chunks(), self.visitor)
        try:
            async with aclosing(events):
                async for event in events:
                    match event:
                        case SessionCreated():
                            self.ticket.seat(name)
                        case SpeechStarted(item_id, at):
                            begun[item_id] = at
                        case TranscriptCompleted(item_id):
                            yield event, begun.pop(item_id, 0)
                        case TranscriptFailed(_, problem) | Rejected(problem):
                            raise _Broke(_status(problem), problem)
                        case _:
                            pass
        except UnreadableRecording as error:
            raise _Broke(400, _unreadable(error)) from None
        except CutShort:
            raise _Broke(503, _RESTARTING) from None

    async def _whole(self, turns: _Turns, recording: Recording) -> Response:
        transcript = Transcript()
        async for turn, start in turns:
            transcript.add(turn, start)
        body = written(transcript, self._understood(), recording.decoded_seconds)
        is_json = self.asked.format.endswith("json")
        return Response(body, media_type="application/json" if is_json else "text/plain; charset=utf-8")

    async def _streamed(self, turns: _Turns, recording: Recording) -> Response:
        async def events() -> AsyncIterator[str]:
            transcript = Transcript()
            try:
                async for turn, start in turns:
                    if added := transcript.add(turn, start):
                        for event in grown(added, self.asked):
                            yield event
            except _Broke as broke:
                yield broken(broke.problem)
            else:
                yield done(transcript, self._understood(), recording.decoded_seconds)

        # Proxies would hold events back to make larger packets of them.
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), headers=headers, media_type="text/event-stream")

    def _understood(self) -> FileRequest:
        """Now that the model is loaded it may turn out to know one language only."""
        model = self.config.transcription.model if self.config.transcription else ""
        known = self.models.languages(model)
        if self.asked.language is None and known is not None and len(known) == 1:
            return replace(self.asked, language=min(known))
        return self.asked


def _status(problem: Problem) -> int:
    match problem:
        case Problem(code="model_not_found"):
            return 404
        case Problem(code="invalid_api_key"):
            return 401
        case Problem(kind="invalid_request_error"):
            return 400
        case Problem(kind="requests"):
            return 429
        case _:
            return 500


async def _soon(chunk: Awaitable[bytes | None]) -> bytes | None:
    try:
        async with asyncio.timeout(_STALLED_SECONDS):
            return await chunk
    except TimeoutError:
        message = f"Nothing came of your request for {_STALLED_SECONDS:g} seconds."
        raise _Refused(error_response(408, Problem(None, message), {"Connection": "close"})) from None


def _unsupported(kind: str) -> Problem:
    message = (
        f"Unsupported content type: '{excerpt(kind)}'. This API method only accepts 'multipart/form-data' "
        "and 'application/json' requests."
    )
    return Problem(None, message)


def _unreadable(error: UnreadableRecording) -> Problem:
    return Problem("invalid_value", str(error), "file")


async def _while_there(receive: Receive, work: Coroutine[None, None, None]) -> None:
    """Drops the work when the client goes, as nobody would read what comes of it."""
    working, going = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        going.cancel()
        await asyncio.gather(working, going, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        """Whatever else comes after the body is nothing to us."""


_RESTARTING: Final = Problem(
    None, "The server is restarting. Send the file again in a moment.", kind="server_error"
)
