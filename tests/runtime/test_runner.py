"""One session between a channel, an engine and the clock, in the same process."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from realtime_asr.engines.engine import Engine, EngineError, TurnStream
from realtime_asr.runtime import runner as module
from realtime_asr.runtime.channel import Channel
from realtime_asr.runtime.clock import Clock
from realtime_asr.runtime.runner import Runner
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import (
    AppendAudio,
    Begin,
    ClearAudio,
    Command,
    CommitAudio,
    EndSession,
    FromClient,
    HangUp,
    RetrieveItem,
    TimePassed,
)
from realtime_asr.session.config import Limits
from realtime_asr.session.effects import AbandonTurn, Effect
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    AudioDropped,
    Event,
    ItemAdded,
    Rejected,
    SessionClosed,
    SessionCreated,
    SessionExpiring,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.session.session import Output, Session
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import (
    LoudnessScorer,
    ManualClock,
    MemoryChannel,
    Script,
    ScriptedEngine,
    ScriptedStream,
    configured,
    counted_ids,
    final,
    limited,
    partial,
    session,
    silence,
    speech,
)

SPOKEN = AppendAudio(speech(1.0))
PAUSE = AppendAudio(silence(1.0))


@dataclass
class Watcher:
    """Keeps what an observer is told."""

    commands: list[Command] = field(default_factory=list)
    outputs: list[Event | Effect] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)
    life: list[str] = field(default_factory=list)
    """Who entered and left."""
    visitors: list[Visitor] = field(default_factory=list)
    refusals: list[tuple[Visitor, str | None]] = field(default_factory=list)

    def entered(self, session_id: str, visitor: Visitor, now: float) -> None:
        self.life.append(f"{session_id} entered")
        self.visitors.append(visitor)

    def stepped(
        self, session_id: str, command: Command, outputs: Sequence[Event | Effect], now: float, took: float
    ) -> None:
        self.commands.append(command)
        self.outputs.extend(outputs)

    def turn_broke(self, session_id: str, item_id: str, error: Exception) -> None:
        self.broken[item_id] = error

    def broke(self, session_id: str, error: BaseException) -> None:
        self.errors.append(error)

    def left(self, session_id: str, now: float) -> None:
        self.life.append(f"{session_id} left")

    def refused(self, visitor: Visitor, code: str | None) -> None:
        self.refusals.append((visitor, code))


def runner(
    channel: Channel,
    engine: Engine | None = None,
    *,
    state: Session | None = None,
    clock: Clock | None = None,
    watcher: Watcher | None = None,
) -> Runner:
    return Runner(
        "sess_1",
        state or session(),
        engine=engine or ScriptedEngine(),
        channel=channel,
        clock=clock or ManualClock(),
        observer=watcher or Watcher(),
    )


async def finish(running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(5):
        await running


def told(channel: MemoryChannel, *kinds: type[Event]) -> list[Event]:
    return [event for event in channel.sent if isinstance(event, kinds)]


def ends(channel: MemoryChannel) -> list[Event]:
    return told(channel, TranscriptCompleted, TranscriptFailed)


def failure(channel: MemoryChannel) -> Problem:
    [end] = ends(channel)
    assert isinstance(end, TranscriptFailed)
    return end.problem


def transcripts(channel: MemoryChannel) -> list[str]:
    return [event.transcript for event in channel.sent if isinstance(event, TranscriptCompleted)]


async def test_a_turn_is_told_in_its_order() -> None:
    channel = MemoryChannel(SPOKEN, PAUSE)
    engine = ScriptedEngine([final("good morning")])
    running = asyncio.create_task(runner(channel, engine).run())

    await channel.until(lambda: bool(ends(channel)))
    channel.say(EndSession())
    await finish(running)

    expected = [
        SessionCreated,
        SpeechStarted,
        SpeechStopped,
        AudioCommitted,
        ItemAdded,
        TranscriptGrew,
        TranscriptCompleted,
        AudioDropped,
        SessionClosed,
    ]
    assert expected == [type(event) for event in channel.sent]
    assert channel.closed == (1000, "")


async def test_the_engine_hears_the_turn_and_where_its_voice_ends() -> None:
    channel = MemoryChannel(SPOKEN, PAUSE, EndSession())
    engine = ScriptedEngine([final("good morning")])

    await runner(channel, engine).run()

    [stream] = engine.streams
    assert stream.voiced is not None
    assert 16_000 <= stream.voiced <= sum(stream.fed)
    assert stream.voice == 1.0


async def test_the_engine_is_told_of_a_pause_before_the_turn_is_over() -> None:
    channel = MemoryChannel(SPOKEN, AppendAudio(silence(0.21)), RetrieveItem("item_9"))
    engine = ScriptedEngine()
    running = asyncio.create_task(runner(channel, engine).run())

    await channel.until(lambda: bool(told(channel, Rejected)))
    [stream] = engine.streams
    paused, finished = stream.prepared, stream.voiced
    channel.hang_up()
    await finish(running)

    assert (1, None) == (len(paused), finished)
    assert paused[0] == pytest.approx(16_000, abs=512)


async def test_the_engine_is_told_for_whom_a_turn_is() -> None:
    channel, engine = MemoryChannel(SPOKEN, EndSession()), ScriptedEngine()

    await runner(channel, engine).run()

    assert ["sess_1/item_1"] == [stream.request.source for stream in engine.streams]


async def test_deltas_flow_while_the_turn_is_open() -> None:
    channel = MemoryChannel(SPOKEN)
    engine = ScriptedEngine(
        [partial("good morning all"), partial("good morning all"), final("good morning all")]
    )
    running = asyncio.create_task(runner(channel, engine).run())

    await channel.until(lambda: bool(told(channel, TranscriptGrew)))
    committed = told(channel, AudioCommitted)
    channel.say(EndSession())
    await finish(running)

    assert committed == []
    assert ["good morning all"] == transcripts(channel)


async def test_every_step_is_shown_to_the_observer() -> None:
    channel, watcher = MemoryChannel(ClearAudio(), EndSession()), Watcher()

    await runner(channel, watcher=watcher).run()

    assert [Begin(), ClearAudio(), EndSession()] == watcher.commands
    assert channel.sent == watcher.outputs[:-1]


class Tireless(MemoryChannel):
    """Asks the same again and again, and is slow to take what it is told until the gate opens."""

    def __init__(self, command: FromClient) -> None:
        super().__init__()
        self.read = 0
        self.gate = asyncio.Event()
        self._command = command

    async def receive(self) -> FromClient:
        self.read += 1
        return self._command

    async def send(self, event: Event) -> None:
        await super().send(event)
        await self.gate.wait()


async def test_while_the_inbox_is_full_the_client_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_INBOX", 3)
    channel = Tireless(ClearAudio())
    running = asyncio.create_task(runner(channel).run())
    await channel.until(lambda: bool(channel.sent))
    await settled()
    waiting = channel.read

    channel.hang_up()
    channel.gate.set()
    await finish(running)

    # Three wait in the inbox, the fourth before it.
    assert waiting == 4


@pytest.mark.parametrize(("size", "pieces"), [(1024 * 1024, 1), (100 * 1024, 3)])
async def test_of_audio_no_more_waits_than_the_memory_of_many_sessions_has_room_for(
    size: int, pieces: int
) -> None:
    """Or a full inbox would hold a gigabyte."""
    channel = Tireless(AppendAudio(bytes(size)))
    running = asyncio.create_task(runner(channel).run())
    await channel.until(lambda: bool(channel.sent))
    await settled()
    waiting = channel.read

    channel.hang_up()
    channel.gate.set()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert waiting == pieces


async def test_large_audio_is_heard_before_the_client_is_asked_for_more() -> None:
    watcher = Watcher()

    class Asking(MemoryChannel):
        heard: tuple[int, ...] = ()

        async def receive(self) -> FromClient | HangUp:
            self.heard += (len(watcher.commands),)
            return await super().receive()

    channel = Asking(AppendAudio(silence(6.0)), AppendAudio(silence(6.0)), EndSession())
    await runner(channel, watcher=watcher).run()

    assert (1, 2, 3) == channel.heard[:3]


async def settled() -> None:
    """Everybody who can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


# Engines that break


class Brittle(ScriptedStream):
    """Raises where it is told to."""

    def __init__(self, request: TurnRequest, script: Script, where: str, error: Exception) -> None:
        super().__init__(request, script)
        self._where = where
        self._error = error
        self.abandonings = 0

    def feed(self, samples: object, voice: float = 1.0) -> None:
        self._break("feed")

    def finish(self, voiced: int) -> None:
        self._break("finish")
        super().finish(voiced)

    def abandon(self) -> None:
        self.abandonings += 1
        super().abandon()
        self._break("abandon")

    def _break(self, where: str) -> None:
        if where in self._where:
            raise self._error


class BrittleEngine(ScriptedEngine):
    def __init__(self, where: str, error: Exception) -> None:
        super().__init__()
        self._where = where
        self._error = error

    def open(self, request: TurnRequest) -> ScriptedStream:
        if self._where == "open":
            raise self._error
        stream = Brittle(request, [final("unheard")], self._where, self._error)
        self.streams.append(stream)
        return stream


@pytest.mark.parametrize("where", ["open", "feed", "finish", "feed abandon"])
@pytest.mark.parametrize("error", [EngineError("It is too hot."), RuntimeError("secret")])
async def test_an_engine_that_raises_fails_the_item_and_not_the_session(where: str, error: Exception) -> None:
    channel, watcher = MemoryChannel(SPOKEN, PAUSE), Watcher()
    running = asyncio.create_task(runner(channel, BrittleEngine(where, error), watcher=watcher).run())

    await channel.until(lambda: bool(ends(channel)))
    channel.say(ClearAudio(), EndSession())
    await finish(running)

    detail = " It is too hot." if isinstance(error, EngineError) else ""
    message = f"Input transcription failed for item 'item_1'.{detail}"
    assert Problem(None, message, kind="server_error") == failure(channel)
    assert [AudioCleared()] == told(channel, AudioCleared)
    assert {"item_1": error} == watcher.broken
    assert (watcher.errors, channel.closed) == ([], (1000, ""))


async def test_a_turn_that_broke_is_told_nothing_more_and_abandoned() -> None:
    channel = MemoryChannel(SPOKEN, SPOKEN, SPOKEN, PAUSE)
    engine = BrittleEngine("feed", EngineError("It is too hot."))
    running = asyncio.create_task(runner(channel, engine).run())

    await channel.until(lambda: bool(ends(channel)))
    channel.say(EndSession())
    await finish(running)

    [stream] = engine.streams
    assert isinstance(stream, Brittle)
    assert (stream.abandonings, stream.voiced) == (1, None)


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ([EngineError("It is too hot.")], " It is too hot."),
        ([partial("good"), RuntimeError("secret")], ""),
        ([partial("good")], " The engine ended without a final text."),
        ([], " The engine ended without a final text."),
    ],
)
async def test_an_engine_that_gives_up_fails_the_item_once_it_is_committed(
    script: Script, detail: str
) -> None:
    channel, watcher = MemoryChannel(SPOKEN), Watcher()
    engine = ScriptedEngine(script, [final("the next one")])
    running = asyncio.create_task(runner(channel, engine, watcher=watcher).run())

    await channel.until(lambda: bool(told(channel, SpeechStarted)))
    await settled()
    early = ends(channel)
    channel.say(PAUSE, SPOKEN, PAUSE, EndSession())
    await finish(running)

    message = f"Input transcription failed for item 'item_1'.{detail}"
    failed, completed = ends(channel)
    assert early == []
    assert TranscriptFailed("item_1", Problem(None, message, kind="server_error")) == failed
    assert isinstance(completed, TranscriptCompleted)
    assert (completed.item_id, completed.transcript) == ("item_2", "the next one")
    assert (watcher.errors, channel.closed) == ([], (1000, ""))


async def test_an_engine_that_says_more_after_its_final_changes_nothing() -> None:
    channel = MemoryChannel(SPOKEN, PAUSE)
    engine = ScriptedEngine([final("good morning"), final("good evening"), EngineError("Bored.")])
    running = asyncio.create_task(runner(channel, engine).run())

    await channel.until(lambda: bool(ends(channel)))
    await settled()
    channel.say(EndSession())
    await finish(running)

    assert (["good morning"], 1) == (transcripts(channel), len(ends(channel)))


# Faults of ours


class Faulty(Session):
    """Fails where a session must not."""

    def __init__(self) -> None:
        super().__init__(configured(), limited(), LoudnessScorer(), counted_ids("item"))

    def receive(self, command: Command, now: float) -> list[Output]:
        assert not isinstance(command, ClearAudio), "secret"
        return super().receive(command, now)


SORRY = Rejected(
    Problem(None, "The server had an error in session sess_1. Sorry about that!", kind="server_error")
)


async def test_a_fault_of_ours_ends_the_session_and_leaves_nothing_behind() -> None:
    channel, watcher = MemoryChannel(SPOKEN), Watcher()
    engine = ScriptedEngine([partial("good"), final("good")])
    running = asyncio.create_task(runner(channel, engine, state=Faulty(), watcher=watcher).run())

    await channel.until(lambda: bool(told(channel, SpeechStarted)))
    channel.say(ClearAudio())
    await finish(running)

    assert SORRY == channel.sent[-1]
    assert channel.closed == (1011, "server_error")
    assert [AssertionError] == [type(error) for error in watcher.errors]
    assert [True] == [stream.abandoned for stream in engine.streams]


async def test_a_fault_in_the_dialect_ends_the_session_too() -> None:
    class Broken(MemoryChannel):
        async def receive(self) -> HangUp:
            raise ValueError("secret")

    channel, watcher = Broken(), Watcher()

    await runner(channel, watcher=watcher).run()

    assert ((1011, "server_error"), [ValueError]) == (channel.closed, [type(e) for e in watcher.errors])


async def test_who_is_gone_gets_no_apology() -> None:
    channel, watcher = MemoryChannel(), Watcher()
    running = asyncio.create_task(runner(channel, state=Faulty(), watcher=watcher).run())
    await channel.until(lambda: bool(channel.sent))

    channel.say(ClearAudio())
    channel.hang_up()
    await finish(running)

    assert (1, None) == (len(watcher.errors), channel.closed)


async def test_whoever_leaves_after_a_fault_is_not_in_the_way_of_a_server_that_goes_away() -> None:
    class Slow(MemoryChannel):
        async def send(self, event: Event) -> None:
            await super().send(event)
            if isinstance(event, Rejected):
                broken.drain(1012, "bye")

    channel = Slow(ClearAudio())
    broken = runner(channel, state=Faulty())

    await broken.run()

    assert channel.closed == (1011, "server_error")


# Clients that go, or stop reading


async def test_a_client_that_goes_in_the_middle_of_a_turn_abandons_it() -> None:
    channel, watcher = MemoryChannel(SPOKEN), Watcher()
    engine = ScriptedEngine([partial("good"), final("good")])
    running = asyncio.create_task(runner(channel, engine, watcher=watcher).run())

    await channel.until(lambda: bool(told(channel, SpeechStarted)))
    channel.hang_up()
    await finish(running)

    assert [True] == [stream.abandoned for stream in engine.streams]
    assert (ends(channel), channel.closed, watcher.errors) == ([], None, [])


async def test_a_client_found_gone_while_sending_has_hung_up() -> None:
    class Deaf(MemoryChannel):
        async def send(self, event: Event) -> None:
            if isinstance(event, SpeechStarted):
                raise ConnectionError
            await super().send(event)

    channel, watcher = Deaf(SPOKEN), Watcher()
    engine = ScriptedEngine()

    await runner(channel, engine, watcher=watcher).run()

    assert HangUp() in watcher.commands
    assert AbandonTurn("item_1") in watcher.outputs
    assert (engine.streams, watcher.errors) == ([], [])


class Stuck(MemoryChannel):
    """Reads nothing from some moment on."""

    def __init__(self, *commands: AppendAudio | EndSession, until: type[Event] | None) -> None:
        super().__init__(*commands)
        self._until = until

    async def send(self, event: Event) -> None:
        if self._until is not None and isinstance(event, self._until):
            await asyncio.Event().wait()
        await super().send(event)

    async def close(self, code: int, reason: str) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("until", [SessionCreated, SpeechStarted, TranscriptCompleted, None])
async def test_a_client_that_does_not_read_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, until: type[Event] | None
) -> None:
    monkeypatch.setattr(module, "_SEND_SECONDS", 0.01)
    channel, watcher = Stuck(SPOKEN, PAUSE, EndSession(), until=until), Watcher()
    engine = ScriptedEngine([partial("good"), final("good")])

    await finish(asyncio.create_task(runner(channel, engine, watcher=watcher).run()))

    assert HangUp() in watcher.commands
    assert watcher.errors == []


class Slow(Stuck):
    """Stuck, but for the close."""

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.hang_up()


async def test_a_client_that_does_not_read_is_told_why_it_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SEND_SECONDS", 0.01)
    channel = Slow(SPOKEN, until=SpeechStarted)

    await finish(asyncio.create_task(runner(channel).run()))

    assert channel.closed == (1008, "The client does not read what it is sent.")


async def test_an_apology_that_nobody_reads_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SEND_SECONDS", 0.01)
    channel = Stuck(until=None)
    channel.say(ClearAudio())

    await finish(asyncio.create_task(runner(channel, state=Faulty()).run()))

    assert channel.sent[-1] == SORRY


# The end of a session's time


async def test_a_server_that_goes_away_lets_the_open_item_finish() -> None:
    channel = MemoryChannel(SPOKEN)
    engine = ScriptedEngine([final("good morning")])
    live = runner(channel, engine)
    running = asyncio.create_task(live.run())

    await channel.until(lambda: bool(told(channel, SpeechStarted)))
    live.drain(1012, "The server is restarting.")
    await finish(running)

    assert ["good morning"] == transcripts(channel)
    assert channel.closed == (1012, "The server is restarting.")


async def test_a_session_that_has_not_begun_yet_drains_too() -> None:
    channel = MemoryChannel()
    waiting = runner(channel)

    waiting.drain(1012, "The server is restarting.")
    await finish(asyncio.create_task(waiting.run()))

    assert (1012, "The server is restarting.") == channel.closed


async def test_a_session_with_much_before_it_drains_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(MemoryChannel):
        async def send(self, event: Event) -> None:
            sending.set()
            await let.wait()
            await super().send(event)

    monkeypatch.setattr(module, "_INBOX", 1)
    sending, let = asyncio.Event(), asyncio.Event()
    channel = Slow(SPOKEN, PAUSE)
    busy = runner(channel, ScriptedEngine([final("good morning")]))
    running = asyncio.create_task(busy.run())
    await sending.wait()
    while not busy._inbox.full():  # noqa: ASYNC110  nobody tells
        await asyncio.sleep(0)

    busy.drain(1012, "The server is restarting.")
    let.set()
    await finish(running)

    assert (1012, "The server is restarting.") == channel.closed


async def test_a_session_that_is_over_has_nothing_to_drain() -> None:
    channel = MemoryChannel(EndSession())
    over = runner(channel)
    await over.run()

    over.drain(1012, "The server is restarting.")

    assert channel.closed == (1000, "")


def short(**more: float) -> Limits:
    return limited(session_seconds=60.0, **more)


async def test_a_session_expires_when_its_time_has_come() -> None:
    channel, clock, watcher = MemoryChannel(), ManualClock(), Watcher()
    running = asyncio.create_task(
        runner(channel, state=session(limits=short()), clock=clock, watcher=watcher).run()
    )
    await channel.until(lambda: bool(channel.sent))

    clock.advance(60.0)
    channel.say(ClearAudio())
    await finish(running)

    message = "Your session hit the maximum duration of 1 minutes."
    assert TimePassed() in watcher.commands
    assert Rejected(Problem("session_expired", message)) == channel.sent[-1]
    assert channel.closed == (1001, message)


async def test_a_session_is_woken_by_the_time_alone() -> None:
    channel = MemoryChannel()
    limits = limited(session_seconds=0.01)

    await finish(asyncio.create_task(runner(channel, state=session(limits=limits), clock=Ticking()).run()))

    assert channel.closed is not None
    assert channel.closed[0] == 1001


class Ticking(ManualClock):
    """As late as the loop is."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


async def test_a_client_that_never_pauses_does_not_outlive_its_session() -> None:
    clock = ManualClock()

    class Flood(MemoryChannel):
        async def receive(self) -> AppendAudio:
            clock.advance(1.0)
            return AppendAudio(silence(0.1))

    channel = Flood()

    await finish(asyncio.create_task(runner(channel, state=session(limits=short()), clock=clock).run()))

    assert channel.closed is not None
    assert channel.closed[0] == 1001


async def test_who_asked_is_warned_before_the_end() -> None:
    channel, clock = MemoryChannel(), ManualClock()
    running = asyncio.create_task(
        runner(channel, state=session(limits=short(warning_seconds=10.0)), clock=clock).run()
    )
    await channel.until(lambda: bool(channel.sent))

    clock.advance(50.0)
    channel.say(ClearAudio())
    await channel.until(lambda: bool(told(channel, SessionExpiring)))
    channel.hang_up()
    await finish(running)

    assert [SessionExpiring(10.0)] == told(channel, SessionExpiring)


async def test_an_item_that_takes_too_long_does_not_hold_up_the_end() -> None:
    class Tireless(ScriptedStream):
        def finish(self, voiced: int) -> None:
            """Goes on and on."""

    class TirelessEngine(ScriptedEngine):
        def open(self, request: TurnRequest) -> ScriptedStream:
            self.streams.append(Tireless(request, [final("unheard")]))
            return self.streams[-1]

    channel, clock, engine = MemoryChannel(SPOKEN, PAUSE, EndSession()), ManualClock(), TirelessEngine()
    running = asyncio.create_task(
        runner(channel, engine, state=session(limits=limited(drain_seconds=5.0)), clock=clock).run()
    )
    await channel.until(lambda: bool(told(channel, AudioDropped)))

    clock.advance(5.0)
    channel.say(ClearAudio())
    await finish(running)

    assert failure(channel).message == "The session ended before this item was transcribed."
    assert ([True], (1000, "")) == ([stream.abandoned for stream in engine.streams], channel.closed)


async def test_to_be_cancelled_leaves_nothing_behind() -> None:
    channel, watcher = MemoryChannel(SPOKEN), Watcher()
    engine = ScriptedEngine([partial("good"), final("good")])
    running = asyncio.create_task(runner(channel, engine, watcher=watcher).run())
    await channel.until(lambda: bool(told(channel, SpeechStarted)))

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert ([True], []) == ([stream.abandoned for stream in engine.streams], watcher.errors)


async def test_a_clients_commit_ends_a_turn_by_hand() -> None:
    channel = MemoryChannel(SPOKEN, CommitAudio())
    engine = ScriptedEngine([final("good morning")])
    state = session(configured(chosen_detection=None))
    running = asyncio.create_task(runner(channel, engine, state=state).run())

    await channel.until(lambda: bool(ends(channel)))
    channel.say(EndSession())
    await finish(running)

    stream: TurnStream = engine.streams[0]
    assert stream is not None
    assert ["good morning"] == transcripts(channel)
