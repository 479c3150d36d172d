"""An engine around a model: who is heard when, and what happens when something breaks."""

import asyncio
import threading
from typing import Self

import pytest

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import Capabilities, EngineError, TurnStream, UnusableModel
from realtime_asr.engines.faster_whisper import FasterWhisper, FasterWhisperSettings
from tests.engines.contract import REQUEST, EngineContract, everything, final_of
from tests.engines.fakes import BROKEN, REFUSED, FakeModel, tone
from tests.speech.clips import clip, word_error_rate

HALF = samples(500)
TAIL = samples(200)


def real() -> BatchingEngine:
    return BatchingEngine(
        FasterWhisper(FasterWhisperSettings(str(BUNDLED), "cpu", cpu_threads=1, final_window="short"))
    )


class TestBatchingAroundAFakeModelKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(FakeModel())


class TestBatchingAroundTwoWorkersKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(FakeModel(), workers=2)


class TestBatchingAroundTheBundledModelKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return real()


class Stage:
    """A running engine whose model can be held in the middle of a pass."""

    def __init__(self, *, workers: int = 1) -> None:
        self.model = FakeModel()
        self.engine = BatchingEngine(self.model, workers=workers)

    async def __aenter__(self) -> Self:
        await self.engine.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.model.let_go()
        await self.engine.stop()

    def turn(self, level: float = 0.0, length: int = 0) -> TurnStream:
        turn = self.engine.open(REQUEST)
        if length:
            turn.feed(tone(level, length))
        return turn

    async def in_a_pass(self) -> TurnStream:
        """A turn whose partial keeps a worker busy until the model is let go."""
        self.model.hold()
        turn = self.turn(0.99, HALF)
        await asyncio.to_thread(self.model.wait_until_a_pass_begins)
        return turn

    def heard(self) -> list[tuple[float, int, bool]]:
        return [(round(float(job.audio[0]), 2), len(job.audio), job.final) for job in self.model.jobs]


async def test_the_final_hears_the_words_and_a_short_tail() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, 4 * HALF)
        turn.finish(HALF)

        final = await final_of(turn)

    assert final.text == f"0.50x{HALF + TAIL}"


async def test_the_tail_ends_where_the_audio_ends() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, HALF + 10)
        turn.finish(HALF)

        final = await final_of(turn)

    assert final.text == f"0.50x{HALF + 10}"


@pytest.mark.parametrize(("length", "voiced"), [(HALF // 2, 0), (HALF // 2, -1), (0, HALF)])
async def test_where_nothing_was_said_the_model_is_not_asked(length: int, voiced: int) -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, length)
        turn.finish(voiced)

        final = await final_of(turn)

    assert (final.words, final.final) == ((), True)
    assert stage.model.jobs == []


async def test_less_than_half_a_second_is_not_worth_a_partial() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, HALF - 1)
        turn.finish(HALF - 1)

        await final_of(turn)

    assert stage.heard() == [(0.5, HALF - 1, True)]


async def test_audio_that_came_during_a_pass_is_heard_in_one_go() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        for _ in range(4):
            turn.feed(tone(0.99, HALF))
        stage.model.let_go()
        await asyncio.to_thread(stage.model.wait_until_a_pass_begins)

        turn.abandon()

    assert stage.heard() == [(0.99, HALF, False), (0.99, 5 * HALF, False)]


async def test_a_final_waits_for_the_running_pass_only() -> None:
    async with Stage() as stage:
        running = await stage.in_a_pass()
        partials = [stage.turn(0.1, HALF), stage.turn(0.2, HALF)]
        last = stage.turn(0.3, HALF)
        last.finish(HALF)

        stage.model.let_go()
        await final_of(last)

        for turn in (running, *partials):
            turn.abandon()
    assert stage.heard()[:2] == [(0.99, HALF, False), (0.3, HALF, True)]


async def test_a_second_worker_makes_the_final_while_the_turns_own_partial_still_runs() -> None:
    async with Stage(workers=2) as stage:
        turn = await stage.in_a_pass()
        turn.finish(HALF)
        await asyncio.to_thread(stage.model.wait_until_a_pass_begins)
        stage.model.let_go()

        heard = await everything(turn)

    assert [hypothesis.final for hypothesis in heard] == [True]


async def test_a_partial_that_comes_back_after_finish_is_dropped() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        turn.finish(HALF)
        stage.model.let_go()

        heard = await everything(turn)

    assert [hypothesis.final for hypothesis in heard] == [True]


async def test_the_result_of_a_pass_for_an_abandoned_turn_is_thrown_away() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        turn.abandon()
        stage.model.let_go()
        after = stage.turn(0.1, HALF)
        after.finish(HALF)

        assert await everything(turn) == []
        assert (await final_of(after)).text == f"0.10x{HALF}"


@pytest.mark.parametrize(
    ("level", "message"), [(BROKEN, "The engine failed on this turn"), (REFUSED, "The model refuses")]
)
async def test_a_broken_pass_fails_its_turn_and_no_other(level: float, message: str) -> None:
    async with Stage() as stage:
        broken, fine = stage.turn(level, HALF), stage.turn(0.1, HALF)
        broken.finish(HALF)
        fine.finish(HALF)

        with pytest.raises(EngineError, match=message):
            await everything(broken)
        assert (await final_of(fine)).text == f"0.10x{HALF}"


async def test_the_fault_behind_a_broken_pass_is_kept_as_its_cause() -> None:
    async with Stage() as stage:
        turn = stage.turn(BROKEN, 100)
        turn.finish(100)

        with pytest.raises(EngineError) as failure:
            await everything(turn)

    assert isinstance(failure.value.__cause__, RuntimeError)


async def test_a_broken_partial_does_no_harm() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.1, HALF)
        turn.feed(tone(BROKEN, HALF))
        await asyncio.to_thread(stage.model.wait_until_a_pass_begins)
        turn.finish(HALF - TAIL)

        final = await final_of(turn)

    assert final.text == f"0.10x{HALF}"


async def test_stopping_fails_the_turns_that_still_wait() -> None:
    async with Stage() as stage:
        talking = await stage.in_a_pass()
        finished = stage.turn(0.1, HALF)
        finished.finish(HALF)
        stopping = asyncio.create_task(stage.engine.stop())
        await asyncio.sleep(0)  # lets it begin to stop
        stage.model.let_go()
        await stopping

        for turn in (talking, finished):
            with pytest.raises(EngineError, match="was stopped"):
                await everything(turn)


async def test_stopping_lets_a_final_in_the_making_arrive() -> None:
    async with Stage() as stage:
        stage.model.hold()
        turn = stage.turn(0.1, 100)
        turn.finish(100)
        await asyncio.to_thread(stage.model.wait_until_a_pass_begins)
        stopping = asyncio.create_task(stage.engine.stop())
        await asyncio.sleep(0)  # lets it begin to stop
        stage.model.let_go()
        await stopping

        assert (await final_of(turn)).text == "0.10x100"


async def test_an_engine_that_does_not_run_opens_no_turn() -> None:
    engine = BatchingEngine(FakeModel())

    with pytest.raises(EngineError, match="not running"):
        engine.open(REQUEST)

    await engine.stop()


async def test_no_worker_outlives_the_engine() -> None:
    async with Stage(workers=2) as stage:
        turn = stage.turn(0.5, HALF)
        turn.finish(HALF)
        await final_of(turn)

    assert [thread for thread in threading.enumerate() if thread.name.startswith("transcribe")] == []


async def test_a_model_that_cannot_load_keeps_the_engine_from_starting() -> None:
    engine = BatchingEngine(FakeModel(unusable=True))

    with pytest.raises(UnusableModel, match="no such model"):
        await engine.start()

    with pytest.raises(EngineError, match="not running"):
        engine.open(REQUEST)


def test_the_model_says_what_the_engine_can_do() -> None:
    assert BatchingEngine(FakeModel()).capabilities == Capabilities(
        frozenset({"en"}), longest_turn_seconds=9.0
    )


async def test_real_speech_appears_while_it_is_spoken_and_is_right_at_the_end() -> None:
    recording = clip("window")
    engine = real()
    await engine.start()
    turn = engine.open(REQUEST)
    hypotheses = turn.hypotheses()

    turn.feed(recording.samples[: samples(2_500)])
    early = await anext(hypotheses)
    turn.feed(recording.samples[samples(2_500) :])
    turn.finish(len(recording.samples))
    final = [hypothesis async for hypothesis in hypotheses][-1]
    await engine.stop()

    assert early.text.startswith("Daniel")
    assert word_error_rate(recording.text, final.text) <= 0.1
