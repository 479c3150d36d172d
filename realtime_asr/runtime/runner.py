"""Runs one session, and owns every task it needs.

Everything a session learns comes through one bounded inbox, in order: what the client asks, what engines
answer, what the time says. While the inbox is full the client is not read, which is the back-pressure. Each
command is stepped to its outputs, and these are carried out, before the next is taken: order needs no locks.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace

from realtime_asr.engines.engine import Engine, EngineError, TurnStream
from realtime_asr.runtime.channel import Channel
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.legible import is_legible
from realtime_asr.runtime.observer import Observer
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    Command,
    Drain,
    FromClient,
    HangUp,
    HypothesisArrived,
    TimePassed,
    TranscriptionBroke,
)
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import Event, Rejected, TranscriptCompleted, TranscriptFailed
from realtime_asr.session.problem import Problem
from realtime_asr.session.session import Output, Session
from realtime_asr.transcript.request import TurnRequest

_INBOX = 64
LARGE = 256 * 1024
"""Bytes of audio after which no more is taken until all is heard: a full inbox could hold a gigabyte."""
_BRIEF = 16 * 1024
"""Bytes of audio that are heard sooner than a thread would be found for them: 300 ms and more."""
_SEND_SECONDS = 10.0


class Runner:
    """One session between one channel and the engine."""

    def __init__(
        self,
        session_id: str,
        session: Session,
        *,
        engine: Engine,
        channel: Channel,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._session_id = session_id
        self._session = session
        self._engine = engine
        self._channel = channel
        self._clock = clock
        self._observer = observer
        self._inbox: asyncio.Queue[Command] = asyncio.Queue(_INBOX)
        self._streams: dict[str, TurnStream] = {}
        self._ears: dict[str, asyncio.Task[None] | None] = {}
        """What listens to them."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    async def run(self) -> None:
        """Until the session closed or the client is gone. Leaves no task and no open turn behind."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._spawn(self._listen())
                try:
                    await self._live()
                finally:
                    self._let_go()
        except* Exception as errors:  # noqa: BLE001  whatever it is, it is ours: one session ends for it
            self._observer.broke(self._session_id, errors.exceptions[0])
            await self._apologise()

    def drain(self, code: int, reason: str, problem: Problem | None = None) -> None:
        """Finish what was said, then close."""
        if self._over:
            return
        drain = Drain(code, reason, problem)
        if self._inbox.full():
            self._spawn(self._inbox.put(drain))
        else:
            # At once: it may not have begun to run.
            self._inbox.put_nowait(drain)

    async def _live(self) -> None:
        await self._step(Begin())
        while not self._over:
            command = await self._next()
            await self._step(command)
            if not isinstance(command, TimePassed):
                self._inbox.task_done()

    def _let_go(self) -> None:
        self._over = True
        for stream in self._streams.values():
            _abandon(stream)
        for task in self._tasks:
            task.cancel()

    async def _next(self) -> Command:
        wake_at = self._session.wake_at
        left = None if wake_at is None else wake_at - self._clock.now()
        # A full inbox answers without waiting, and a timeout only interrupts who waits.
        if left is not None and left <= 0:
            return TimePassed()
        try:
            async with asyncio.timeout(left):
                return await self._inbox.get()
        except TimeoutError:
            return TimePassed()

    async def _step(self, command: Command) -> None:
        now = self._clock.now()
        if isinstance(command, AppendAudio) and len(command.payload) > _BRIEF:
            # Resampling and scoring take milliseconds: too long for the loop that all sessions share.
            outputs = await asyncio.to_thread(self._session.receive, command, now)
        else:
            outputs = self._session.receive(command, now)
        self._observer.stepped(self._session_id, command, outputs, now, self._clock.now() - now)
        self._over |= isinstance(command, HangUp)
        try:
            for output in outputs:
                await self._act(output)
        except ConnectionError:
            await self._step(HangUp())
        except TimeoutError:
            await self._step(HangUp())
            with suppress(ConnectionError, TimeoutError):
                await self._close(1008, "The client does not read what it is sent.")

    async def _act(self, output: Output) -> None:
        match output:
            case OpenTurn(item_id, request):
                self._open(item_id, request)
            case FeedTurn(item_id, samples, voice):
                self._tell(item_id, lambda stream: stream.feed(samples, voice))
            case PrepareTurn(item_id, voiced):
                self._tell(item_id, lambda stream: stream.prepare(voiced))
            case FinishTurn(item_id, voiced):
                self._tell(item_id, lambda stream: stream.finish(voiced))
            case AbandonTurn(item_id):
                self._tell(item_id, lambda stream: stream.abandon())
                self._stop_hearing(item_id)
            case TranscriptCompleted(item_id) | TranscriptFailed(item_id):
                await self._send(output)
                self._stop_hearing(item_id)
            case Close(code, reason):
                self._over = True
                await self._close(code, reason)
            case _:
                await self._send(output)

    async def _send(self, event: Event) -> None:
        async with asyncio.timeout(_SEND_SECONDS):
            await self._channel.send(event)

    async def _close(self, code: int, reason: str) -> None:
        async with asyncio.timeout(_SEND_SECONDS):
            await self._channel.close(code, reason)

    def _open(self, item_id: str, request: TurnRequest) -> None:
        try:
            source = f"{self._session_id}/{item_id}"
            stream = self._engine.open(replace(request, source=source))
        except Exception as error:  # noqa: BLE001  an engine's fault fails the item, never the session
            self._spawn(self._broke(item_id, error))
        else:
            self._streams[item_id] = stream
            self._ears[item_id] = self._spawn(self._hear(item_id, stream))

    def _tell(self, item_id: str, message: Callable[[TurnStream], None]) -> None:
        """A stream that has ended already has reported why."""
        if stream := self._streams.get(item_id):
            try:
                message(stream)
            except Exception as error:  # noqa: BLE001  as above
                del self._streams[item_id]
                _abandon(stream)
                self._spawn(self._broke(item_id, error))

    def _stop_hearing(self, item_id: str) -> None:
        """Whatever more is said of the turn, nobody waits for it."""
        self._streams.pop(item_id, None)
        if ear := self._ears.pop(item_id, None):
            ear.cancel()

    async def _listen(self) -> None:
        unheard = 0
        while True:
            command = await self._receive()
            await self._inbox.put(command)
            if isinstance(command, HangUp):
                return
            if isinstance(command, AppendAudio):
                unheard += len(command.payload)
            if unheard > LARGE:
                await self._inbox.join()
                unheard = 0

    async def _receive(self) -> FromClient | HangUp:
        try:
            return await self._channel.receive()
        except ConnectionError:
            return HangUp()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            # Something below was: there is no connection any more.
            return HangUp()

    async def _hear(self, item_id: str, stream: TurnStream) -> None:
        try:
            await self._pass_on(item_id, stream)
        except Exception as error:  # noqa: BLE001  as above
            if self._streams.pop(item_id, None):
                _abandon(stream)
                await self._broke(item_id, error)
        # The session knows whether the last one was final and in time; if so, this is no news to it.
        if self._streams.pop(item_id, None):
            await self._report(item_id, EngineError("The engine ended without a final text."))

    async def _pass_on(self, item_id: str, stream: TurnStream) -> None:
        try:
            async for said in stream.hypotheses():
                if not is_legible(said):
                    raise EngineError("The engine said what cannot be read.")
                await self._inbox.put(HypothesisArrived(item_id, said))
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            raise EngineError("The engine was stopped.") from error

    async def _broke(self, item_id: str, error: Exception) -> None:
        self._observer.turn_broke(self._session_id, item_id, error)
        await self._report(item_id, error)

    async def _report(self, item_id: str, error: Exception) -> None:
        message = f"Input transcription failed for item '{item_id}'."
        if isinstance(error, EngineError):
            message += f" {error}"
        await self._inbox.put(TranscriptionBroke(item_id, Problem(None, message, kind="server_error")))

    async def _apologise(self) -> None:
        message = f"The server had an error in session {self._session_id}. Sorry about that!"
        with suppress(Exception):  # who cannot be told is not told
            await self._send(Rejected(Problem(None, message, kind="server_error")))
            await self._close(1011, "server_error")

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None] | None:
        """None where everything is being stopped after a fault."""
        try:
            task = self._group.create_task(work)
        except RuntimeError:
            work.close()
            return None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _abandon(stream: TurnStream) -> None:
    with suppress(Exception):  # it is left either way
        stream.abandon()


def _is_cancelled() -> bool:
    """Whether this task was, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
