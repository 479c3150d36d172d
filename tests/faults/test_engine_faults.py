"""Engines that fail in every way they can: items fail, sessions live, and nothing is left behind."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final

import pytest

from realtime_asr.audio.timeline import RATE
from realtime_asr.engines import catalogue as shop_module
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import EngineError, Job, Passed, Text, UnusableModel
from realtime_asr.engines.precedence import Precedence
from realtime_asr.runtime.runner import Runner
from realtime_asr.runtime.sessions import Sessions
from realtime_asr.runtime.visitor import Visitor
from realtime_asr.session.commands import AppendAudio, ClearAudio, CommitAudio, EndSession
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest
from tests.engines.fakes import FakeModel, tone
from tests.engines.test_catalogue import Fake, History, catalogue, offer
from tests.fakes import (
    LoudnessScorer,
    ManualClock,
    MemoryChannel,
    ScriptedEngine,
    ScriptedStream,
    configured,
    final,
    limited,
    partial,
    silence,
    speech,
)
from tests.faults.machine import within
from tests.runtime.test_legible import GARBAGE
from tests.runtime.test_runner import Watcher, ends, finish, runner, settled, told, transcripts

PASS_SECONDS: Final = 0.1
TURN: Final = AppendAudio(speech(0.3)), AppendAudio(silence(0.5))


class Unsound(ScriptedEngine):
    """The first turn is bad, those after it are fine."""

    def __init__(self, bad: Callable[[TurnRequest], ScriptedStream]) -> None:
        super().__init__()
        self._bad = bad

    def open(self, request: TurnRequest) -> ScriptedStream:
        is_first = not self.streams
        self.streams.append(self._bad(request) if is_first else ScriptedStream(request, [final("fine")]))
        return self.streams[-1]


async def lived_through(engine: Unsound) -> tuple[Runner, MemoryChannel, Watcher]:
    """One turn that ends anyhow, and another one."""
    channel, watcher = MemoryChannel(*TURN), Watcher()
    live = runner(channel, engine, watcher=watcher)
    running = asyncio.create_task(live.run())
    await channel.until(lambda: bool(ends(channel)))
    channel.say(*TURN, EndSession())
    await finish(running)
    return live, channel, watcher


def assert_first_failed(live: Runner, channel: MemoryChannel, watcher: Watcher) -> None:
    first, second = ends(channel)
    assert isinstance(first, TranscriptFailed)
    assert first.problem.message.startswith("Input transcription failed for item 'item_1'.")
    assert isinstance(second, TranscriptCompleted)
    assert ("item_2", "fine") == (second.item_id, second.transcript)
    assert ([], (1000, "")) == (watcher.errors, channel.closed)
    assert (0, 0) == (len(live._streams), len(live._tasks))


# What they say


class Raving(ScriptedStream):
    """Says one thing, and then neither goes on nor ends."""

    def __init__(self, request: TurnRequest, thing: Any) -> None:
        super().__init__(request, [])
        self._thing = thing

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        yield self._thing
        await asyncio.Event().wait()


@pytest.mark.parametrize("thing", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_fails_the_item_and_not_the_session(thing: object) -> None:
    engine = Unsound(lambda request: Raving(request, thing))

    live, channel, watcher = await lived_through(engine)

    assert_first_failed(live, channel, watcher)
    assert engine.streams[0].abandoned
    assert ["item_1"] == list(watcher.broken)


@pytest.mark.parametrize("say", [partial, final])
async def test_words_with_times_that_cannot_be_are_told_all_the_same(
    say: Callable[[str], Hypothesis],
) -> None:
    """Whether they are true only the engine knows; nobody comes to harm."""
    wrong = Hypothesis(say("good morning").words, say is final, heard=10**12, settled=99)
    channel = MemoryChannel(*TURN, EndSession())

    await finish(asyncio.create_task(runner(channel, ScriptedEngine([wrong, final("good morning")])).run()))

    assert ["good morning"] == transcripts(channel)


# What they raise


class Raising(ScriptedStream):
    def __init__(self, request: TurnRequest, where: str, error: BaseException) -> None:
        super().__init__(request, [partial("good"), final("good")])
        self._where = where
        self._error = error

    def feed(self, samples: Any, voice: float = 1.0) -> None:
        self._raise("feed")
        super().feed(samples, voice)

    def prepare(self, voiced: int) -> None:
        self._raise("prepare")

    def finish(self, voiced: int) -> None:
        self._raise("finish")
        super().finish(voiced)

    def abandon(self) -> None:
        super().abandon()
        # Nobody who is left may break anything by it.
        raise RuntimeError("Leave me alone.")

    def hypotheses(self) -> AsyncIterator[Hypothesis]:
        self._raise("hypotheses")
        return self._raising_later()

    async def _raising_later(self) -> AsyncIterator[Hypothesis]:
        self._raise("at once")
        async for hypothesis in super().hypotheses():
            yield hypothesis
            self._raise("later")

    def _raise(self, where: str) -> None:
        if where == self._where:
            raise self._error


@pytest.mark.parametrize("where", ["feed", "prepare", "finish", "hypotheses", "at once", "later"])
@pytest.mark.parametrize(
    "error", [EngineError("Too hot."), MemoryError(), RecursionError(), OSError(28, "full")]
)
async def test_whatever_is_raised_fails_the_item_and_not_the_session(where: str, error: Exception) -> None:
    engine = Unsound(lambda request: Raising(request, where, error))

    assert_first_failed(*await lived_through(engine))


async def test_an_engine_that_was_stopped_fails_the_item_and_not_the_session() -> None:
    """Somebody cancelled what it waits for, and nobody the session."""
    engine = Unsound(lambda request: Raising(request, "at once", asyncio.CancelledError()))

    live, channel, watcher = await lived_through(engine)

    assert_first_failed(live, channel, watcher)
    assert "The engine was stopped." == str(watcher.broken["item_1"])


async def test_an_engine_that_returns_nothing_to_listen_to_fails_the_item() -> None:
    class Dumb(ScriptedStream):
        def hypotheses(self) -> Any:
            return None

    assert_first_failed(*await lived_through(Unsound(lambda request: Dumb(request, []))))


async def test_who_leaves_a_session_breaks_nothing_by_it() -> None:
    """All its turns are let go, though each objects."""
    channel, watcher = MemoryChannel(), Watcher()
    streams: list[Raising] = []

    class Tireless(Raising):
        def finish(self, voiced: int) -> None:
            """Goes on and on."""

    class Objecting(ScriptedEngine):
        def open(self, request: TurnRequest) -> ScriptedStream:
            streams.append(Tireless(request, "never", RuntimeError()))
            return streams[-1]

    running = asyncio.create_task(runner(channel, Objecting(), watcher=watcher).run())
    channel.say(TURN[0], CommitAudio(), TURN[0], CommitAudio(), TURN[0])
    await channel.until(lambda: len(told(channel, AudioCommitted)) == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert ([True] * len(streams), []) == ([stream.abandoned for stream in streams], watcher.errors)
    assert len(streams) >= 2


# When they say it


class Endless(ScriptedStream):
    """Says its script, and then waits for ever, however it is left."""

    async def hypotheses(self) -> AsyncIterator[Hypothesis]:
        async for hypothesis in super().hypotheses():
            yield hypothesis
        await asyncio.Event().wait()


async def test_turns_that_never_end_do_not_pile_up() -> None:
    class Forgetful(ScriptedEngine):
        def open(self, request: TurnRequest) -> ScriptedStream:
            self.streams.append(Endless(request, [final("good morning")]))
            return self.streams[-1]

    channel, engine = MemoryChannel(), Forgetful()
    live = runner(channel, engine)
    running = asyncio.create_task(live.run())
    for number in range(1, 31):
        channel.say(TURN[0], ClearAudio(), *TURN)
        await channel.until(lambda number=number: len(ends(channel)) == number)  # type: ignore[misc]
    await settled()
    left = len(live._tasks), len(live._streams), len(live._ears)
    channel.say(EndSession())
    await finish(running)

    assert (60, 30) == (len(engine.streams), len(told(channel, AudioCleared)))
    # The one that reads the client.
    assert (1, 0, 0) == left


async def test_replies_that_come_twice_late_or_in_another_order_change_nothing() -> None:
    morning = [partial("good morning all"), partial("good"), partial("good morning all")]
    engine = ScriptedEngine(
        [*morning, final("good morning all"), final("good night"), *morning, EngineError("Bored.")],
        [final("good evening"), final("good evening")],
    )
    channel = MemoryChannel(*TURN, *TURN)
    running = asyncio.create_task(runner(channel, engine).run())
    await channel.until(lambda: len(ends(channel)) == 2)
    await settled()
    channel.say(EndSession())
    await finish(running)

    assert ["good morning all", "good evening"] == transcripts(channel)
    for item_id, text in (("item_1", "good morning all"), ("item_2", "good evening")):
        deltas = [event for event in channel.sent if isinstance(event, TranscriptGrew)]
        assert text == "".join(event.text for event in deltas if event.item_id == item_id)


async def test_an_item_that_is_ready_first_waits_for_the_one_before() -> None:
    ready = asyncio.Event()

    class Late(ScriptedStream):
        async def hypotheses(self) -> AsyncIterator[Hypothesis]:
            await ready.wait()
            async for hypothesis in super().hypotheses():
                yield hypothesis

    engine, channel = Unsound(lambda request: Late(request, [final("late")])), MemoryChannel(*TURN, *TURN)
    running = asyncio.create_task(runner(channel, engine).run())
    await channel.until(lambda: len(told(channel, AudioCommitted)) == 2)
    await settled()
    before = ends(channel)
    ready.set()
    channel.say(EndSession())
    await finish(running)

    assert ([], ["late", "fine"]) == (before, transcripts(channel))


# When there is none


def failed_to_load(channel: MemoryChannel) -> list[bool]:
    problem = Problem(
        None,
        "Input transcription failed for item '{}'. The model 'whisper-1' could not be loaded.",
        kind="server_error",
    )
    return [
        isinstance(end, TranscriptFailed) and end.problem.message == problem.message.format(end.item_id)
        for end in ends(channel)
    ]


async def test_while_a_model_loads_turns_wait_and_lose_nothing() -> None:
    model = Fake("tiny")
    model.let.clear()
    shop, channel = catalogue(History(), **{"whisper-1": offer(model)}), MemoryChannel(*TURN, *TURN)
    running = asyncio.create_task(runner(channel, shop).run())
    await channel.until(lambda: len(told(channel, AudioCommitted)) == 2)
    await settled()
    before = ends(channel)

    model.let.set()
    await channel.until(lambda: len(ends(channel)) == 2)
    channel.say(EndSession())
    await finish(running)
    await shop.stop()

    assert ([], 2) == (before, len(transcripts(channel)))


async def test_a_model_that_cannot_be_loaded_fails_items_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = [Fake("tiny", error=UnusableModel("The disk is on fire.")), Fake("tiny")]
    shop = catalogue(History(), **{"whisper-1": shop_module.Offer(lambda: models.pop(0))})
    channel = MemoryChannel(*TURN)
    running = asyncio.create_task(runner(channel, shop).run())
    await channel.until(lambda: len(ends(channel)) == 1)
    channel.say(*TURN)
    await channel.until(lambda: len(ends(channel)) == 2)
    broken = failed_to_load(channel)

    # As if its time to try again had come.
    monkeypatch.setattr(shop_module, "_AGAIN_SECONDS", 0.0)
    channel.say(*TURN)
    await channel.until(lambda: len(ends(channel)) == 3)
    channel.say(EndSession())
    await finish(running)
    await shop.stop()

    assert ([True, True], 1, (1000, "")) == (broken, len(transcripts(channel)), channel.closed)


async def test_a_model_that_was_replaced_serves_the_sessions_that_are_open() -> None:
    shop = catalogue(History(), **{"whisper-1": offer(Fake("tiny", error=UnusableModel("Gone.")))})
    channel = MemoryChannel(*TURN)
    running = asyncio.create_task(runner(channel, shop).run())
    await channel.until(lambda: len(ends(channel)) == 1)

    await shop.replace("whisper-1", offer(Fake("other"), eager=True))
    channel.say(*TURN, EndSession())
    await finish(running)
    await shop.stop()

    [said] = transcripts(channel)
    assert ([True, False], "other") == (failed_to_load(channel), said.split(",")[0])


async def test_a_model_that_was_unloaded_comes_back_for_the_next_turn() -> None:
    history = History()
    shop = catalogue(history, **{"whisper-1": shop_module.Offer(lambda: Fake("tiny"), idle_seconds=0.0)})
    channel = MemoryChannel(*TURN)
    running = asyncio.create_task(runner(channel, shop).run())
    await channel.until(lambda: len(ends(channel)) == 1)
    await history.until("whisper-1", "not loaded")

    channel.say(*TURN, EndSession())
    await finish(running)
    await shop.stop()

    assert 2 == len(transcripts(channel))
    assert 2 == history.states.count(("whisper-1", "ready"))


# When there is too much to do


async def test_where_more_is_said_than_can_be_heard_guesses_are_shed_and_finals_never() -> None:
    crowd, passed = 25, list[Passed]()
    model = FakeModel()
    engine = BatchingEngine(model, watch=passed.append)
    house = Sessions(engine, limited(), LoudnessScorer, ManualClock(), Watcher())
    channels = [MemoryChannel(*TURN, *TURN, EndSession()) for _ in range(crowd)]
    await engine.start()
    passed.clear()
    model.hold()

    running = [
        asyncio.create_task(house.run(f"sess_{number}", configured(), channel, Visitor()))
        for number, channel in enumerate(channels)
    ]
    for channel in channels:
        await channel.until(lambda channel=channel: len(told(channel, AudioCommitted)) == 2)  # type: ignore[misc]
    model.let_go()
    for task in running:
        await finish(task)
    await engine.stop()

    assert [2] * crowd == [len(transcripts(channel)) for channel in channels]
    assert {(1000, "")} == {channel.closed for channel in channels}
    assert len([each for each in passed if each.kind == "guess"]) <= 1
    assert 0 == len(house)


class Steady(FakeModel):
    """Every pass takes ten steps, and as long as every other, but for letting urgent ones go first."""

    def __init__(self) -> None:
        super().__init__()
        self._precedence = Precedence(1)

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Text | EngineError]:
        with self._precedence.urgent() if batch[0].urgent else nullcontext():
            for _ in range(10):
                if not batch[0].urgent:
                    self._precedence.give_way()
                time.sleep(PASS_SECONDS / 10)
        return super().transcribe(batch)


async def final_after(engine: BatchingEngine, pause: float = 0.0) -> float:
    """Seconds from the end of a turn to its text."""
    await asyncio.sleep(pause)
    turn = engine.open(TurnRequest("whisper-1"))
    turn.feed(tone(0.5, RATE))
    began = time.perf_counter()
    turn.finish(RATE)
    said = [hypothesis async for hypothesis in turn.hypotheses()]
    assert said[-1].final
    return time.perf_counter() - began


async def speak_on(engine: BatchingEngine) -> None:
    """Somebody who never ends, and wants a guess with every pass."""
    turn = engine.open(TurnRequest("whisper-1"))
    try:
        while True:
            turn.feed(tone(0.5, round(RATE * PASS_SECONDS)))
            await asyncio.sleep(PASS_SECONDS)
    finally:
        turn.abandon()


async def test_where_five_times_too_much_is_said_finals_come_at_most_twice_as_late() -> None:
    engine, stretches = BatchingEngine(Steady(), partial_every_seconds=PASS_SECONDS), list[float]()
    await engine.start()

    async def slowest_beside_a_crowd() -> float:
        """In times as long as it takes alone."""
        alone = max([await final_after(engine) for _ in range(5)])
        crowd = [asyncio.create_task(speak_on(engine)) for _ in range(5)]
        beside = max([await final_after(engine, pause=PASS_SECONDS) for _ in range(10)])
        stretches.append(engine.account.stretch)
        for speaker in crowd:
            speaker.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        return beside / alone

    await within(2, slowest_beside_a_crowd)
    await engine.stop()

    assert engine.account.guesses > 0
    assert min(stretches) > 5
