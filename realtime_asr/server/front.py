"""The protocols uvicorn speaks for us, with bounds on what hostile and broken clients can take.

Every bound is on one of two things. Time: a client that owes us something (the rest of a request, a sign of
life, reading what it was sent) is given some seconds, then its connection is cut whether it reads or not.
`transport.close()` alone would wait for as long as a client refuses to read. Memory: what is received is
parsed a small piece at a time, and the next piece when the session took what was in the last; what waits
counts for one budget of the whole server.
"""

import asyncio
import logging
import resource
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn import Config
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.server import ServerProtocol

from realtime_asr.runtime.ids import request_id
from realtime_asr.session.problem import Problem
from realtime_asr.transports.in_flight import Budget, Holding
from realtime_asr.transports.openai_errors import error_response
from realtime_asr.transports.openai_files import FORM, FORM_PATHS
from realtime_asr.transports.uploads import kind_of

_LARGEST_HEAD = 64 * 1024
_SLOWEST_BODY = 500
"""Bytes a second, as Apache has it: a telephone line of 1995 is faster."""
_PIECE = 4 * 1024
"""Of the tiniest frames this holds 700: parsed, they take half a MiB and four milliseconds."""
_FRAMES_PER_SECOND = 5_000
"""Of one client; that many tiny ones take a quarter of a core. Audio is 50 a second at most."""
_BURST_SECONDS = 0.1
_LARGEST_BACKLOG = 1024 * 1024
"""Bytes of answers to pings that nobody reads."""
_LINGER_SECONDS = 2.0
_QUIET_SECONDS = 0.1
"""Without a byte: what was on its way has come."""
_SPARE_FILES = 64
"""What the rest of the server may open while connections take all others."""


@dataclass(frozen=True, slots=True)
class Bounds:
    in_flight: Budget
    handshake_seconds: float
    """For a request's head, and for each part of its body. As long one may keep others waiting."""
    reading_seconds: float
    """For a client to take anything of what it was sent."""


def front(bounds: Bounds) -> dict[str, Any]:
    """For uvicorn.Config."""
    return {"http": partial(Http, bounds), "ws": partial(WebSockets, bounds)}


class _Watched(asyncio.Protocol):
    """A connection that is cut when the client does not read, and told why before it is closed."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    bounds: Bounds
    _stall: asyncio.TimerHandle | None = None
    _deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # All that the kernel does not take at once is watched, or close() could wait for it unseen.
        self.transport.set_write_buffer_limits(high=1, low=0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()

    def _watch(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.bounds.reading_seconds, self._look, unread)

    def _look(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() < unread:
            self._watch()
        else:
            self.transport.abort()

    def _stop_watching(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _say_last(self, words: bytes) -> asyncio.TimerHandle:
        """Closes once the client did, or soon.

        At once it would be a reset, if any of its bytes were unread, and the words would be lost with that.
        """
        self._deaf = True
        self.transport.write(words)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.transport.resume_reading()
        else:
            self.transport.close()
        return self.loop.call_later(_LINGER_SECONDS, self.transport.abort)


class Http(_Watched, H11Protocol):
    """Requests arrive whole and in time, or are refused as OpenAI would."""

    def __init__(
        self,
        bounds: Bounds,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.bounds = bounds
        self._holding = Holding(bounds.in_flight, self._read_on)
        super().__init__(config, server_state, app_state | {"in_flight": self._holding}, _loop)
        self.conn = _Requests(h11.SERVER)
        self._owed: object = None
        """The state of theirs that time runs for."""
        self._came = 0
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.flow = _Flow(self.transport, self._holding)
        if _is_nearly_the_last(transport.get_extra_info("socket")):
            # No lingering: files are what there is too few of.
            self.transport.write(_answer(503, "The server has too many connections.", _LATER))
            self.transport.close()
        else:
            self._expect()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._came += len(data)
        super().data_received(data)
        if not self._deaf:
            self._expect()
            self._count(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._be_patient()
        self._holding.hold(0)

    def on_response_complete(self) -> None:
        self._holding.hold(0)
        super().on_response_complete()
        # Some send the next request, or a part of it, before this one is answered.
        if self.conn.trailing_data[0] or self.conn.their_state is h11.SEND_BODY:
            self._unset_keepalive_if_required()
            self._expect()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        if self.flow.write_paused:
            # The new protocol would not know that nobody reads.
            self.transport.abort()
        else:
            self._deaf = True
            self._be_patient()
            super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        error = sys.exception()
        assert isinstance(error, h11.RemoteProtocolError), "it is called where one is caught"
        self._refuse(error.error_status_hint, _REASONS.get(error.error_status_hint, msg))

    def _count(self, data: bytes) -> None:
        """Bodies are gathered in memory, except for forms with recordings: their files go to disk."""
        if self._owed is h11.SEND_BODY and not self._sends_form:
            self._holding.hold(self._holding.held + len(data))

    @property
    def _sends_form(self) -> bool:
        """To where its file goes to disk. Elsewhere, and whatever else claims to be one, it does not."""
        kind = next((value for name, value in self.headers if name == b"content-type"), b"")
        return self.scope["path"] in FORM_PATHS and kind_of(kind.decode("latin-1")) == FORM

    def _read_on(self) -> None:
        self.flow.resume_reading()

    def _expect(self) -> None:
        if self.conn.their_state is not self._owed:
            self._owed = self.conn.their_state
            self._be_patient()
            if self._owed in {h11.IDLE, h11.SEND_BODY}:
                self._give_time()
            else:
                self._holding.leave_line()

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_time(self) -> None:
        self._came = 0
        self._patience = self.loop.call_later(self.bounds.handshake_seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        enough = self._came >= _SLOWEST_BODY * self.bounds.handshake_seconds
        if self._holding.is_first:
            self._refuse(503, _TOO_SLOW, _LATER)
        elif self._owed is h11.SEND_BODY and (enough or self.flow.read_paused):
            self._give_time()
        elif self._owed is h11.SEND_BODY or self.conn.trailing_data[0]:
            self._refuse(408, "The request did not arrive in time.")
        else:
            self.transport.abort()

    def _refuse(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            if self.cycle.response_started:
                self.transport.abort()
                return
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._be_patient()
        self._patience = self._say_last(_answer(status, message, headers))


class _Flow(FlowControl):
    """Reads no more of who has too much in flight."""

    def __init__(self, transport: asyncio.Transport, holding: Holding) -> None:
        super().__init__(transport)
        self._holding = holding

    def resume_reading(self) -> None:
        if self._holding.may_read():
            super().resume_reading()
        else:
            self.pause_reading()


class _Requests(h11.Connection):
    """Refuses what proxies before us might read in another way, and what came whole but is too large."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("Both lengths", error_status_hint=400)
            if sum(len(name) + len(value) for name, value in event.headers) > _LARGEST_HEAD:
                raise h11.RemoteProtocolError("Too many headers", error_status_hint=431)
        return event


class WebSockets(_Watched, WebSocketsSansIOProtocol):
    """uvicorn's implementation on `websockets`, the one with keep-alive."""

    def __init__(
        self,
        bounds: Bounds,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.bounds = bounds
        self._holding = Holding(bounds.in_flight, self._go_on_soon)
        super().__init__(config, server_state, app_state | {"in_flight": self._holding}, _loop)
        self.conn = _Conversation(max_size=config.ws_max_size, logger=logging.getLogger("uvicorn.error"))
        self.close_timeout = bounds.reading_seconds
        self._unparsed = bytearray()
        self._queued = 0
        self._continuation = bytearray()
        self._stirred = False
        self._heard_at = 0.0
        self._due = 0.0
        """When so many frames as came may have come."""
        self._next: asyncio.Handle | None = None
        self._turn: asyncio.TimerHandle | None = None

    # Receiving

    def data_received(self, data: bytes) -> None:
        self._heard_at = self.loop.time()
        if self._deaf:
            return
        self._unparsed += data
        self._go_on()

    async def receive(self) -> ASGIReceiveEvent:
        if self._unparsed:
            self._go_on()
        message = await self.queue.get()
        if self.queue.empty():
            self._queued = 0
            self._go_on()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.close_sent:
            # uvicorn takes no refusal for an answer, and would log that there was none.
            self.handshake_complete = True
            # Their reply to our close may be among what is not parsed yet.
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._deafen()

    def shutdown(self) -> None:
        # Of two who say goodbye at the same time uvicorn forgets one.
        if not self.transport.is_closing():
            super().shutdown()

    def _deafen(self) -> None:
        self._deaf = True
        self._unparsed.clear()
        self._queued = 0
        self._holding.hold(0)
        for handle in (self._next, self._turn):
            if handle is not None:
                handle.cancel()

    def _go_on(self) -> None:
        """Parse up to the next frame, read if nothing is left to parse."""
        self._stirred = False
        while self._wanted and not self._stirred and self._ahead <= 0:
            piece = bytes(self._unparsed[:_PIECE])
            del self._unparsed[:_PIECE]
            super().data_received(piece)
            self._refuse_unreadable_headers()
        if not self._deaf:
            self._read_or_wait()

    def _go_on_soon(self) -> None:
        if self._next is None:
            self._next = self.loop.call_later(max(self._ahead, 0.0), self._go_on_now)

    def _go_on_now(self) -> None:
        self._next = None
        self._go_on()

    @property
    def _ahead(self) -> float:
        """Seconds by which frames came faster than they may."""
        return self._due - _BURST_SECONDS - self.loop.time()

    @property
    def _wanted(self) -> bool:
        """Nothing is parsed while a message waits to be taken, or the handshake for its answer."""
        ready = self.handshake_complete or not self.handshake_initiated
        return bool(self._unparsed) and ready and (self.queue.empty() or self.close_sent)

    def _read_or_wait(self) -> None:
        unfinished = len(self.conn.reader.buffer) + (self.conn.current_size or 0)
        self._holding.hold(len(self._unparsed) + unfinished + self._queued)
        if self._wanted:
            # Later, so that one client's thousand frames do not keep all others waiting.
            self._go_on_soon()
        allowed = self._holding.may_read()
        self._take_turn()
        pause = not allowed or bool(self._unparsed) or not (self.queue.empty() or self.close_sent)
        if pause and not self.read_paused:
            self.transport.pause_reading()
        elif self.read_paused and not pause and not self.transport.is_closing():
            self._heard_at = self.loop.time()
            self.transport.resume_reading()
        self.read_paused = pause

    def _take_turn(self) -> None:
        if not self._holding.is_first:
            if self._turn is not None:
                self._turn.cancel()
                self._turn = None
        elif self._turn is None:
            self._turn = self.loop.call_later(self.bounds.handshake_seconds, self._lose_turn)

    def _lose_turn(self) -> None:
        self.conn.fail(CloseCode.TRY_AGAIN_LATER, _TOO_SLOW)
        self.handle_parser_exception()

    def _refuse_unreadable_headers(self) -> None:
        """`websockets` takes 8 KiB a line and 128 lines, h11 more; uvicorn leaves such a client waiting."""
        if self.conn.handshake_exc is not None and not self.handshake_initiated and not self._deaf:
            self._deafen()
            self.close_timer = self._say_last(_answer(431, _REASONS[431]))

    # Frames

    def handle_events(self) -> None:
        self._stirred = bool(self.conn.events)
        self._due = max(self._due, self.loop.time()) + len(self.conn.events) / _FRAMES_PER_SECOND
        super().handle_events()

    def handle_cont(self, event: Frame) -> None:
        # Joined at once: a list of a million tiny ones takes a hundred times their size.
        self._continuation += event.data
        if event.fin:
            self.frames.append(bytes(self._continuation))
            self._continuation.clear()
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        data, self.frames = b"".join(self.frames), []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self.queue.put_nowait({"type": "websocket.receive", "bytes": data})
        else:
            try:
                text = data.decode()
            except UnicodeDecodeError:
                self.conn.fail(CloseCode.INVALID_DATA, "This is not UTF-8.")
                self.handle_parser_exception()
                return
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
        self._queued += len(data)

    def handle_ping(self) -> None:
        super().handle_ping()
        if self.transport.get_write_buffer_size() > _LARGEST_BACKLOG:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Nobody is gone who was heard of since, or whose answer waits because we do not read."""
        silent = 0.0 if self.read_paused else self.loop.time() - self._heard_at
        assert self.ping_timeout is not None
        if silent < self.ping_timeout:
            self.pong_timer = self.loop.call_later(self.ping_timeout - silent, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """The client broke the rules, and the reason is among what is to be sent."""
        assert self.conn.close_sent is not None
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self._deafen()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = True
        words = b"".join(self.conn.data_to_send())
        # With this timer set, uvicorn does not close when the session ends.
        if code != CloseCode.MESSAGE_TOO_BIG:
            self.close_timer = self._say_last(words)
            return
        self.transport.write(words)
        self.transport.resume_reading()
        self._leave_when_quiet(self.loop.time() + _LINGER_SECONDS)

    def _leave_when_quiet(self, deadline: float) -> None:
        """Some clients cannot take an end of the connection in the middle of their message."""
        now = self.loop.time()
        if now >= deadline:
            self.transport.abort()
        elif now - self._heard_at >= _QUIET_SECONDS:
            self.transport.close()
        else:
            self.close_timer = self.loop.call_later(_QUIET_SECONDS, self._leave_when_quiet, deadline)


class _Conversation(ServerProtocol):
    """Refuses handshakes as OpenAI would, and lets clients close in the middle of a message."""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        refusal = error_response(status, Problem(None, text.strip()), {"x-request-id": request_id()})
        rejection = super().reject(status, bytes(refusal.body).decode())
        del rejection.headers["Content-Type"]
        for name in ("content-type", "x-request-id"):
            rejection.headers[name] = refusal.headers[name]
        return rejection

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


_LATER: Final = {"retry-after": "10"}
_TOO_SLOW: Final = "This arrives too slowly for a server that is full."
_REASONS: Final = {
    431: "The request's headers are too large.",
    501: "The request's transfer encoding is not supported.",
}


def _answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> bytes:
    """What cannot come from the application, in the form in which the application would tell it."""
    problem = Problem(None, message, kind="server_error" if status >= 500 else "invalid_request_error")
    named = {"connection": "close", "x-request-id": request_id(), **(headers or {})}
    response = error_response(status, problem, named)
    lines = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
    start = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return start.encode() + lines + b"\r\n" + bytes(response.body)


def _is_nearly_the_last(connection: socket.socket) -> bool:
    """A new file has the lowest number that is free, so a high one says that all below are taken."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most != resource.RLIM_INFINITY and connection.fileno() >= most - _SPARE_FILES
