"""Clocks that jump, time that runs out, and connections that fail in odd ways."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from realtime_asr.runtime import runner as module
from realtime_asr.session.commands import AppendAudio, ClearAudio, EndSession, FromClient, HangUp, TimePassed
from realtime_asr.session.effects import Close
from realtime_asr.session.events import (
    AudioCommitted,
    Event,
    Rejected,
    SessionExpiring,
    SpeechStarted,
    TranscriptCompleted,
)
from realtime_asr.session.problem import Problem
from tests.fakes import ManualClock, MemoryChannel, ScriptedEngine, final, limited, session
from tests.faults.test_engine_faults import TURN
from tests.runtime.test_runner import Ticking, Watcher, finish, runner, told, transcripts
from tests.session.call import Call

HOUR: Final = 3600.0
EXPIRED: Final = "Your session hit the maximum duration of 60 minutes."


# Clocks


class Jumping(ManualClock):
    """The wall's time is set by an hour whenever somebody looks at it, and back the next time."""

    def unix(self) -> float:
        self._began += HOUR if int(self._began / HOUR) % 2 else -HOUR
        return super().unix()


async def test_a_wall_clock_that_jumps_ends_no_session() -> None:
    channel, clock = MemoryChannel(), Jumping()
    state = session(limits=limited(session_seconds=HOUR))
    engine = ScriptedEngine(*[[final("good morning")]] * 3)
    running = asyncio.create_task(runner(channel, engine, state=state, clock=clock).run())

    jumps = []
    for number in range(1, 4):
        before = clock.unix()
        jumps.append(abs(clock.unix() - before))
        clock.advance(HOUR / 4 - 1)
        channel.say(*TURN)
        await channel.until(lambda number=number: len(transcripts(channel)) == number)  # type: ignore[misc]
    closed = channel.closed
    clock.advance(HOUR)
    channel.say(ClearAudio())
    await finish(running)

    assert [HOUR] * 3 == jumps
    assert (None, (1001, EXPIRED)) == (closed, channel.closed)


# The end of a session's time


def test_a_client_is_warned_a_minute_before_the_end_and_not_a_moment_earlier() -> None:
    call = Call(limited(session_seconds=HOUR, warning_seconds=60.0))

    told_at = {}
    for call.now in (HOUR - 60.001, HOUR - 60.0, HOUR - 59.0, HOUR - 0.001, HOUR):
        told_at[call.now] = call.do(TimePassed())

    farewell = [Rejected(Problem("session_expired", EXPIRED)), Close(1001, EXPIRED)]
    assert [[], [SessionExpiring(60.0)], [], [], farewell] == list(told_at.values())


async def test_warning_and_end_come_in_time() -> None:
    times: dict[type[Event], float] = {}

    class Watching(MemoryChannel):
        async def send(self, event: Event) -> None:
            times[type(event)] = asyncio.get_running_loop().time()
            await super().send(event)

    channel, began = Watching(), asyncio.get_running_loop().time()
    state = session(limits=limited(session_seconds=0.2, warning_seconds=0.1))

    await finish(asyncio.create_task(runner(channel, state=state, clock=Ticking()).run()))

    assert began + 0.1 <= times[SessionExpiring] <= times[Rejected] <= began + 0.2 + 1.0
    assert times[Rejected] >= began + 0.2
    assert channel.closed is not None


async def test_at_the_end_what_was_said_is_finished_first() -> None:
    channel, clock, watcher = MemoryChannel(TURN[0]), ManualClock(), Watcher()
    state = session(limits=limited(session_seconds=HOUR))
    engine = ScriptedEngine([final("good morning")])
    running = asyncio.create_task(runner(channel, engine, state=state, clock=clock, watcher=watcher).run())
    await channel.until(lambda: bool(told(channel, SpeechStarted)))

    clock.advance(HOUR)
    channel.say(AppendAudio(b""))
    await finish(running)

    ending = [type(event) for event in told(channel, AudioCommitted, TranscriptCompleted, Rejected)]
    assert [AudioCommitted, TranscriptCompleted, Rejected] == ending
    assert ((1001, EXPIRED), []) == (channel.closed, watcher.errors)


# Connections


@pytest.mark.parametrize("error", [ConnectionResetError(), BrokenPipeError(), asyncio.CancelledError()])
async def test_a_connection_that_breaks_while_it_is_read_is_a_client_that_is_gone(
    error: BaseException,
) -> None:
    class Broken(MemoryChannel):
        async def receive(self) -> FromClient | HangUp:
            command = await super().receive()
            if isinstance(command, EndSession):
                raise error
            return command

    channel, watcher, engine = Broken(TURN[0], EndSession()), Watcher(), ScriptedEngine([final("unheard")])

    await finish(asyncio.create_task(runner(channel, engine, watcher=watcher).run()))

    assert (HangUp(), [], None) == (watcher.commands[-1], watcher.errors, channel.closed)
    assert [True] == [stream.abandoned for stream in engine.streams]


@pytest.mark.parametrize("where", ["send", "close"])
async def test_an_odd_fault_of_a_connection_is_told_once_and_ends_the_session(where: str) -> None:
    class Odd(MemoryChannel):
        async def send(self, event: Event) -> None:
            if where == "send":
                raise RuntimeError("Cannot send once the close was sent.")
            await super().send(event)

        async def close(self, code: int, reason: str) -> None:
            raise RuntimeError("Cannot close twice.")

    channel, watcher = Odd(EndSession()), Watcher()

    await finish(asyncio.create_task(runner(channel, watcher=watcher).run()))

    assert [RuntimeError] == [type(error) for error in watcher.errors]


async def test_a_session_that_is_breaking_is_not_in_the_way_of_a_server_that_goes_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It breaks with a full inbox, and before it can notice the server leaves."""
    monkeypatch.setattr(module, "_INBOX", 1)
    loop = asyncio.get_running_loop()
    drained = list[bool]()

    def soon(rounds: int, call: Callable[[], None]) -> None:
        loop.call_soon(call if rounds == 0 else lambda: soon(rounds - 1, call))

    def drain() -> None:
        drained.append(live._inbox.full() and not live._over)
        live.drain(1012, "bye")

    class Breaking(MemoryChannel):
        async def receive(self) -> FromClient | HangUp:
            if live._inbox.full():
                soon(1, drain)
                raise ValueError
            return ClearAudio()

        async def send(self, event: Event) -> None:
            if not watcher.errors:
                await asyncio.Event().wait()

    channel, watcher = Breaking(), Watcher()
    live = runner(channel, watcher=watcher)

    await finish(asyncio.create_task(live.run()))

    assert ([True], [ValueError]) == (drained, [type(error) for error in watcher.errors])
    assert (1011, "server_error") == channel.closed
