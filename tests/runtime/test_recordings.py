"""Recordings as sessions: how fast they are taken, and how they end."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress

import pytest

from realtime_asr.audio.timeline import Samples
from realtime_asr.runtime.recordings import AHEAD, CutShort, transcribed
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.events import (
    AudioCommitted,
    AudioDropped,
    Event,
    ItemAdded,
    SessionClosed,
    SessionCreated,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptGrew,
)
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import (
    LoudnessScorer,
    ManualClock,
    Script,
    ScriptedEngine,
    ScriptedStream,
    configured,
    final,
    limited,
    silence,
    speech,
)
from tests.runtime.test_runner import Watcher

TURN = [speech(1.0), silence(1.0)]


class Busy(ScriptedEngine):
    """Has no time for finals until it is free."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    def open(self, request: TurnRequest) -> ScriptedStream:
        stream = _Waiting(request, (final("done"),))
        stream.free = self.free
        self.streams.append(stream)
        return stream

    async def behind(self) -> None:
        """Until it owes a final while the next turn begins."""
        async with asyncio.timeout(20):
            while len(self.streams) < 2:  # noqa: ASYNC110  nobody tells
                await asyncio.sleep(0)


class _Waiting(ScriptedStream):
    free: asyncio.Event

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        await self.free.wait()
        async for hypothesis in super().hypotheses():
            yield hypothesis


def sessions(*scripts: Script, engine: ScriptedEngine | None = None) -> Sessions:
    return Sessions(engine or ScriptedEngine(*scripts), limited(), LoudnessScorer, ManualClock(), Watcher())


def events(house: Sessions, chunks: Iterator[bytes]) -> AsyncGenerator[Event]:
    return transcribed(house, "sess_1", configured(), chunks, Visitor(door="file"))


async def gathered(house: Sessions, chunks: Iterator[bytes]) -> list[Event]:
    async with asyncio.timeout(20):
        return [event async for event in events(house, chunks)]


def texts(told: list[Event]) -> list[str]:
    return [event.transcript for event in told if isinstance(event, TranscriptCompleted)]


async def a_while() -> None:
    """In which too much would happen, if it did."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await asyncio.Event().wait()


async def test_a_recording_is_told_like_a_session() -> None:
    house = sessions([final("good morning")])

    told = await gathered(house, iter(TURN))

    assert [
        SessionCreated,
        SpeechStarted,
        SpeechStopped,
        AudioCommitted,
        ItemAdded,
        TranscriptGrew,
        TranscriptCompleted,
        SessionClosed,
    ] == [type(event) for event in told if not isinstance(event, AudioDropped)]
    assert (["good morning"], 0) == (texts(told), len(house))


async def test_what_was_said_last_is_finished_though_nothing_follows() -> None:
    assert ["good"] == texts(await gathered(sessions([final("good")]), iter([speech(1.0)])))


async def test_the_engine_learns_that_nobody_waits_for_guesses() -> None:
    engine = ScriptedEngine()

    await gathered(sessions(engine=engine), iter(TURN))

    assert [True] == [stream.request.recorded for stream in engine.streams]


async def test_no_more_is_taken_while_text_is_owed_for_too_much() -> None:
    engine, taken, most = Busy(), 0, 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken, most
        for chunk in TURN * 50:
            most = max(most, len(engine.streams))
            taken += 1
            yield chunk

    told = events(sessions(engine=engine), chunks())
    seen: list[Event] = []
    seen.append(await anext(told))
    await a_while()
    held = most
    engine.free.set()
    seen += [event async for event in told]

    assert held <= AHEAD
    assert (["done"] * 50, 100) == (texts(seen), taken)


async def test_who_does_not_take_text_gets_no_further() -> None:
    house, taken = sessions(*[[final("done")]] * 100), 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        for chunk in TURN * 100:
            taken += 1
            yield chunk

    told = events(house, chunks())
    await anext(told)
    await a_while()

    assert taken < 4 * AHEAD
    assert ["done"] * 100 == texts([event async for event in told])


async def test_audio_is_taken_in_a_thread() -> None:
    threads = set[int]()

    def chunks() -> Iterator[bytes]:
        for chunk in TURN:
            threads.add(threading.get_ident())
            yield chunk

    await gathered(sessions(), chunks())

    assert threading.get_ident() not in threads


async def test_it_may_take_as_long_as_it_takes() -> None:
    house = sessions([final("one")], [final("two")])
    clock = house.clock
    assert isinstance(clock, ManualClock)

    def chunks() -> Iterator[bytes]:
        yield from TURN
        clock.advance(24 * 3600)
        yield from TURN

    assert ["one", "two"] == texts(await gathered(house, chunks()))


@pytest.mark.parametrize("before", [0, 20])
async def test_whoever_listens_is_told_what_went_wrong_with_the_audio(before: int) -> None:
    house = sessions()

    def chunks() -> Iterator[bytes]:
        yield from TURN * before
        raise OSError("The disk is gone.")

    with pytest.raises(OSError, match=r"The disk is gone\."):
        await gathered(house, chunks())
    assert 0 == len(house)


async def test_to_hang_up_early_abandons_the_turns() -> None:
    engine = Busy()
    house = sessions(engine=engine)
    told = events(house, iter(TURN * 100))

    async for event in told:
        if isinstance(event, AudioCommitted):
            break
    await told.aclose()

    assert {True} == {stream.abandoned for stream in engine.streams}
    assert 0 == len(house)


async def test_to_be_cancelled_is_to_hang_up() -> None:
    engine = Busy()
    house = sessions(engine=engine)
    running = asyncio.create_task(gathered(house, iter(TURN * 100)))
    await engine.behind()

    running.cancel()
    await asyncio.wait([running], timeout=10)

    assert running.cancelled()
    assert {True} == {stream.abandoned for stream in engine.streams}
    assert 0 == len(house)


async def test_nothing_reads_any_more_once_one_has_hung_up() -> None:
    reading, go_on = threading.Event(), threading.Event()
    ended = False

    def chunks() -> Iterator[bytes]:
        nonlocal ended
        reading.set()
        assert go_on.wait(10)
        ended = True
        yield speech(1.0)

    told = events(sessions(), chunks())
    await anext(told)
    await asyncio.to_thread(reading.wait, 10)
    closing = asyncio.create_task(told.aclose())
    go_on.set()
    async with asyncio.timeout(10):
        await closing

    assert ended


async def test_a_server_that_leaves_finishes_what_was_said_and_says_that_it_was_not_all() -> None:
    engine, seen = Busy(), list[Event]()
    house = sessions(engine=engine)

    async def listen() -> None:
        async for event in events(house, iter(TURN * 100)):
            seen.append(event)

    listening = asyncio.create_task(listen())
    await engine.behind()
    engine.free.set()
    await house.drain(1012, "The server is restarting.")

    with pytest.raises(CutShort, match=r"The server is restarting\."):
        await listening
    assert 0 < len(texts(seen)) < 100


async def test_a_server_that_leaves_hears_a_recording_to_its_end_if_that_comes_in_time() -> None:
    engine, seen = Busy(), list[Event]()
    house = sessions(engine=engine)

    async def listen() -> None:
        async for event in events(house, iter(TURN * 20)):
            seen.append(event)

    listening = asyncio.create_task(listen())
    await engine.behind()
    engine.free.set()
    await house.drain(1012, "The server is restarting.", recordings_seconds=60)
    await listening

    assert len(texts(seen)) == 20


async def test_a_fault_of_ours_is_none_of_the_recording() -> None:
    house = sessions()

    class Broken(LoudnessScorer):
        def score(self, window: Samples) -> float:
            raise RuntimeError("a fault deep inside")

    house.new_scorer = Broken

    with pytest.raises(CutShort):
        await gathered(house, iter(TURN))


async def test_recordings_take_no_place_away_from_those_who_speak() -> None:
    house = sessions()
    house.most = 1
    told = events(house, iter(TURN))

    await anext(told)
    counted = len(house), house.recordings, house.full
    async for _ in told:
        pass

    assert ((1, 1, False), 0) == (counted, house.recordings)
