"""A recording as a session whose audio arrives all at once."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from typing import Final

from realtime_asr.dialects.openai_files import FileRequest
from realtime_asr.runtime.runner import LARGE
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import AppendAudio, EndSession, HangUp
from realtime_asr.session.config import Models, SessionConfig
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    TranscriptCompleted,
    TranscriptFailed,
)

AHEAD: Final = 8
"""Turns of a recording that may wait for their text: enough for a few workers to take several each, and 15 MB
at the most."""
_FOREVER: Final = 365 * 24 * 3600.0


def understood(asked: FileRequest, config: SessionConfig, models: Models) -> FileRequest:
    """Once its text is there: the model, which is loaded now, may turn out to know one language only."""
    known = models.languages(config.transcription.model if config.transcription else "")
    if asked.language is None and known is not None and len(known) == 1:
        return replace(asked, language=min(known))
    return asked


class CutShort(Exception):
    """The server ended the session before all of the recording was heard and told."""


async def transcribed(
    sessions: Sessions, session_id: str, config: SessionConfig, chunks: Iterator[bytes], visitor: Visitor
) -> AsyncGenerator[Event]:
    """The session's events, in order, until it closed. `config` asks for text.

    Chunks are taken in threads, one at a time, and no more of them while text is owed for too much; none is
    being taken any more once this has ended, or was closed, which hangs up. Raises what `chunks` raises, and
    CutShort.
    """
    limits = replace(sessions.limits, session_seconds=_FOREVER, drain_seconds=_FOREVER)
    channel = _Player(chunks)
    session = sessions.run(session_id, replace(config, recorded=True), channel, visitor, limits)
    running = asyncio.create_task(session)
    running.add_done_callback(channel.over)
    try:
        while (event := await channel.next()) is not None:
            yield event
    finally:
        channel.hang_up()
        await running
        await channel.stopped()
    if channel.failure is not None:
        raise channel.failure


class _Player:
    """A client that plays a recording as fast as it is listened to."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.failure: Exception | None = CutShort("The session was given up.")
        """None once all was told."""
        self._chunks = chunks
        self._reading: asyncio.Future[bytes] | None = None
        self._played = False
        self._owed = 0
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._go_on = asyncio.Event()
        self._go_on.set()

    # For who listens to the session

    async def next(self) -> Event | None:
        """None once it is over."""
        event = await self._events.get()
        if isinstance(event, TranscriptCompleted | TranscriptFailed):
            self._owe(-1)
        return event

    def hang_up(self) -> None:
        self._gone.set()
        self._go_on.set()

    def over(self, _: object) -> None:
        self._events.put_nowait(None)

    async def stopped(self) -> None:
        """No thread reads any more."""
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    # For the runner

    async def receive(self) -> AppendAudio | EndSession | HangUp:
        await self._go_on.wait()
        if not self._played and not self._gone.is_set():
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read))
            try:
                audio = await asyncio.shield(self._reading)
            except Exception as error:  # noqa: BLE001  whatever it is, whoever listens to the session is told
                self.failure = error
                return HangUp()
            self._played = not audio
            return AppendAudio(audio) if audio else EndSession()
        await self._gone.wait()
        return HangUp()

    async def send(self, event: Event) -> None:
        if isinstance(event, AudioCommitted):
            self._owe(1)
        self._events.put_nowait(event)

    async def close(self, code: int, reason: str) -> None:
        self.failure = None if code == _DONE else CutShort(reason)

    def _owe(self, turns: int) -> None:
        self._owed += turns
        if self._owed < AHEAD or self._gone.is_set():
            self._go_on.set()
        else:
            self._go_on.clear()

    def _read(self) -> bytes:
        """As much as the runner takes only one by one. Nothing is left once that is nothing."""
        taken = bytearray()
        while len(taken) <= LARGE and (chunk := next(self._chunks, b"")):
            taken += chunk
        return bytes(taken)


_DONE: Final = 1000
