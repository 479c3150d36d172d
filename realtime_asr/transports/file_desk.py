"""Where recordings are handed in: who may, how large and how many, and the session that hears them."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, TypeAlias, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime_asr.decoders.recording import Recording, UnreadableRecording, open_recording
from realtime_asr.dialects.openai_file_answers import Transcript, broken, done, grown, too_large, written
from realtime_asr.dialects.openai_files import MOST_IN_FIELDS, Enclosed, FileRequest
from realtime_asr.runtime.ids import session_id
from realtime_asr.runtime.recordings import CutShort, transcribed, understood
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.config import SessionConfig
from realtime_asr.session.events import (
    Rejected,
    SessionCreated,
    SpeechStarted,
    TranscriptCompleted,
    TranscriptFailed,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transports.accounts import LATER_SECONDS, NotNow, Ticket, not_now
from realtime_asr.transports.in_flight import holding_of
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_rest import admit, later, not_ready, server_sent, visitor
from realtime_asr.transports.reception import Caller, Reception
from realtime_asr.transports.uploads import MalformedForm, OversizedForm, kind_of

IN_MEMORY: Final = 1024 * 1024
"""Bytes of a file for which no disk is needed."""
DOOR: Final = "files"
_STALLED_SECONDS: Final = 30.0
"""Who sends nothing for so long holds a place for nothing."""
_SLOWEST: Final = 32_000
"""Bytes a second: PCM16 at 16 kHz, as it is spoken."""
_REMEMBERED: Final = 4096
_LOG: Final = logging.getLogger(__name__)

_Turns: TypeAlias = AsyncGenerator[tuple[TranscriptCompleted, int]]
"""Each with the sample it begins at."""
Read: TypeAlias = Callable[["Upload", BinaryIO], Awaitable[FileRequest | Problem]]
"""Leaves the recording in the file. May raise MalformedForm and OversizedForm."""
Write: TypeAlias = Callable[[Transcript, FileRequest, float], str]
"""The answer, where nobody asked for a stream. The number is the recording's length in seconds."""


@dataclass(slots=True)
class FileDesk:
    """Behind all doors through which recordings come."""

    reception: Reception
    largest: int
    """Bytes of a file."""
    most: int
    """Files at the same time."""
    took: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    """Seconds in which the newest were answered once they had come up."""
    _taken: int = 0

    def door(self, read: Read, write: Write = written, member: str = "file") -> ASGIApp:
        """`member` is where clients put the recording."""
        return _Door(self, read, write, member)

    @property
    def crowd(self) -> NotNow | None:
        if self._taken < self.most:
            return None
        return not_now(f"The server transcribes {self._taken} of at most {self.most} files.")

    @contextmanager
    def place(self) -> Iterator[None]:
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client sends, within bounds."""

    request: Request
    desk: FileDesk

    @property
    def largest(self) -> int:
        return self.desk.largest

    @property
    def strict(self) -> bool:
        return self.desk.reception.strict

    @property
    def content_type(self) -> str:
        return self.request.headers.get("content-type", "")

    @property
    def kind(self) -> str:
        return kind_of(self.content_type)

    async def whole(self) -> bytes:
        """Of a body with the file in base64."""
        return b"".join([chunk async for chunk in self.chunks(self.largest * 4 // 3 + MOST_IN_FIELDS)])

    async def chunks(self, most: int) -> AsyncGenerator[bytes]:
        """Of a body, which may have `most` bytes; more are refused before they are read if possible."""
        announced = self.request.headers.get("content-length", "")
        self._bound(int(announced) if announced.isdecimal() else 0, most)
        stream, read, began = self.request.stream(), 0, self.desk.reception.clock.now()
        while (chunk := await _soon(anext(stream, None))) is not None:
            read += len(chunk)
            self._bound(read, most)
            self._hurry(read, began)
            yield chunk

    async def unwrap(self, found: Enclosed | Problem, file: BinaryIO) -> FileRequest | Problem:
        if isinstance(found, Problem):
            return found
        self._bound(len(found.audio), self.largest)
        await asyncio.to_thread(file.write, found.audio)
        return found.request

    def _hurry(self, read: int, began: float) -> None:
        """Who sends slower than one speaks holds no place among those that are all taken."""
        took = self.desk.reception.clock.now() - began
        if self.desk.crowd and read < _SLOWEST * (took - _STALLED_SECONDS):
            headers = {"Retry-After": str(LATER_SECONDS), "Connection": "close"}
            raise _Refused(error_response(503, _TOO_SLOW, headers))

    def _bound(self, read: int, most: int) -> None:
        if read > most:
            raise OversizedForm(read, self.largest)


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


@dataclass(frozen=True, slots=True)
class _Door:
    """A route as an application: what a request holds is let go only after its answer."""

    desk: FileDesk
    read: Read
    write: Write
    member: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            caller, ticket = self._admit(request)
            holding, budget = holding_of(scope), self.desk.reception.accounts.in_flight(caller.key_id)
            with ticket, self.desk.place(), holding.counted_for(budget), _scratch() as file:
                asked = await self._read(request, file)
                # The file is on the disk by now, and may take long to be heard.
                holding.hold(0)
                config = self._configure(caller, asked)
                guest = visitor(request, DOOR, caller)
                job = _Job(self.desk.reception, caller, guest, ticket, asked, config, self.write, self.member)
                began = self.desk.reception.clock.now()
                if await _while_there(receive, job.run(file, request, send)):
                    self.desk.took.append(self.desk.reception.clock.now() - began)
        except _Refused as refused:
            await refused.response(scope, receive, send)
        except _Broke as broke:
            headers = {"Retry-After": "2"} if broke.status == 503 else None
            await error_response(broke.status, broke.problem, headers)(scope, receive, send)
        except ClientDisconnect:
            return  # nobody reads it

    def _admit(self, request: Request) -> tuple[Caller, Ticket]:
        """All that can keep somebody out, before anything is read."""
        reception = self.desk.reception
        caller = admit(request, reception, door=DOOR)
        if isinstance(caller, Response):
            raise _Refused(caller)
        ticket = self.desk.crowd or reception.admit_start(caller)
        if isinstance(ticket, NotNow):
            reception.turned_away(visitor(request, DOOR, caller), ticket.problem)
            raise _Refused(later(ticket))
        return caller, ticket

    async def _read(self, request: Request, file: BinaryIO) -> FileRequest:
        """Leaves the recording in the file, ready to be read."""
        try:
            asked = await self.read(Upload(request, self.desk), file)
            file.seek(0)
        except MalformedForm as error:
            asked = error.problem
        except OversizedForm as error:
            body = too_large(error.read, error.largest).model_dump_json()
            raise _Refused(Response(body, 413, media_type="application/json")) from None
        except OSError as error:
            _LOG.error("file not taken", extra={"facts": {"reason": error.strerror}})
            raise _Refused(error_response(503, _NO_ROOM, {"Retry-After": str(LATER_SECONDS)})) from None
        if isinstance(asked, Problem):
            raise _Refused(error_response(400, asked))
        return asked

    def _configure(self, caller: Caller, asked: FileRequest) -> SessionConfig:
        reception = self.desk.reception
        if not reception.ready:
            # It was when the upload began.
            raise _Refused(not_ready())
        config = reception.configure(caller, asked.patch)
        if isinstance(config, Problem):
            param = config.param and config.param.removeprefix("transcription.")
            raise _Refused(error_response(_status(config), replace(config, param=param)))
        return config


@dataclass(frozen=True, slots=True)
class _Job:
    """A recording that came up whole, and what shall become of it."""

    reception: Reception
    caller: Caller
    visitor: Visitor
    ticket: Ticket
    asked: FileRequest
    config: SessionConfig
    write: Write
    member: str

    async def run(self, file: BinaryIO, request: Request, send: Send) -> None:
        try:
            recording = await asyncio.to_thread(open_recording, file)
        except UnreadableRecording as error:
            raise _Broke(400, self._unreadable(error)) from None
        claimed = recording.seconds or 0.0
        if busy := self.ticket.heard(claimed):
            self.reception.turned_away(self.visitor, busy.problem)
            raise _Refused(later(busy))
        try:
            async with aclosing(self._turns(session_id(), recording)) as turns:
                respond = self._streamed if self.asked.stream else self._whole
                response = await respond(turns, recording)
                await response(request.scope, request.receive, send)
        finally:
            # It may be longer than it claimed, or break off, or its client leave.
            self.ticket.settle(recording.decoded_seconds - claimed)

    async def _turns(self, name: str, recording: Recording) -> _Turns:
        """As they are told. Raises _Broke."""
        config = self.asked.configured(self.config, recording.format)
        begun: dict[str, int] = {}
        events = transcribed(self.reception.sessions, name, config, recording.chunks(), self.visitor)
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
            raise _Broke(400, self._unreadable(error)) from None
        except CutShort:
            raise _Broke(503, _RESTARTING) from None

    async def _whole(self, turns: _Turns, recording: Recording) -> Response:
        transcript = Transcript()
        async for turn, start in turns:
            transcript.add(turn, start)
        body = self.write(transcript, self._understood(), recording.decoded_seconds)
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

        return server_sent(events())

    def _unreadable(self, error: UnreadableRecording) -> Problem:
        return Problem("invalid_value", str(error), self.member)

    def _understood(self) -> FileRequest:
        return understood(self.asked, self.config, self.reception.models(self.caller))


@contextmanager
def _scratch() -> Iterator[BinaryIO]:
    """A file of which nothing stays."""
    spooled = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  closed below
    try:
        yield cast("BinaryIO", spooled)
    finally:
        # What a full disk did not take, closing offers it once more.
        with suppress(OSError):
            spooled.close()


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


async def _while_there(receive: Receive, work: Coroutine[None, None, None]) -> bool:
    """Drops the work when the client goes, as nobody would read what comes of it: False then."""
    working, going = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        if done := working.done():
            working.result()
        return done
    finally:
        working.cancel()
        going.cancel()
        await asyncio.gather(working, going, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        """Whatever else comes after the body is nothing to us."""


_NO_ROOM: Final = Problem(
    None, "The server has no room for your file now. Send it again later.", kind="server_error"
)
_TOO_SLOW: Final = Problem(None, "This arrives too slowly for a server that is full.", kind="server_error")
_RESTARTING: Final = Problem(
    None, "The server is restarting. Send the file again in a moment.", kind="server_error"
)
