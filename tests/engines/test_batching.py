"""An engine around a model: who is heard when, what is made ahead, and what happens when something breaks."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import pytest

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.engine import (
    EngineError,
    Job,
    Needless,
    Passed,
    Text,
    TurnStream,
    UnusableModel,
)
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.hearing import Hearing, Pass
from realtime_asr.engines.scheduling import Load
from realtime_asr.engines.whisper import Whisper
from realtime_asr.transcript.agreement import Delay
from realtime_asr.transcript.hypothesis import Effort, Word
from realtime_asr.transcript.request import TurnRequest
from tests.engines.contract import PATIENCE, REQUEST, EngineContract, everything, final_of
from tests.engines.fakes import BROKEN, DOUBTED, GARBLED, REFUSED, FakeModel, loudest, tone
from tests.speech.clips import clip, word_error_rate

HALF = samples(500)
TAIL = samples(140)
PAUSE = 1_000
SOON = 0.05
"""Seconds after which a held pass counts as hung."""


def real() -> BatchingEngine:
    return BatchingEngine(Whisper(WhisperSettings(str(BUNDLED), "cpu", cpu_threads=1), load_faster_whisper))


class TestBatchingAroundAFakeModelKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(FakeModel())


class TestBatchingAroundTwoWorkersKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(FakeModel(), workers=2)


class TestGuessesMadeTogetherKeepTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(FakeModel(together=True))


class TestBatchingAroundTheBundledModelKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return real()

    async def test_finals_bring_the_tokens_of_their_words_and_how_they_were_found(self) -> None:
        final = await self._final("door", samples(100))

        assert all(word.tokens for word in final.words)
        assert final.quality is not None
        assert final.quality.temperature == 0.0
        assert 0.0 <= (final.quality.no_speech or 0.0) < 0.5


class Miscounting(FakeModel):
    """Answers more or less than it was asked."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self._answers = answers

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Text | EngineError]:
        return [*super().transcribe(batch)] * self._answers


class Raving(FakeModel):
    """Its first answers are whatever it was given, or raised."""

    def __init__(self, *answers: object) -> None:
        super().__init__()
        self._ravings = list(answers)

    def transcribe(self, batch: Sequence[Job]) -> Any:
        # Passes that are held come back in any order.
        ravings, self._ravings = self._ravings[:1], self._ravings[1:]
        sober = super().transcribe(batch)
        if not ravings:
            return sober
        [answer] = ravings
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Unhurried(Load):
    """Guesses are no rarer after passes that were held, or had to wait for a core."""

    def passed(self, took: float, now: float, *, guess: bool) -> None:
        """It is no reason for anything."""


class Stage:
    """A running engine whose model can be held in the middle of a pass."""

    def __init__(
        self,
        *,
        model: FakeModel | None = None,
        workers: int = 1,
        prepares: bool = True,
        pass_seconds: float = PATIENCE,
        load: Load | None = None,
    ) -> None:
        self.model = model or FakeModel()
        self.passed: list[Passed] = []
        self.engine = BatchingEngine(
            self.model,
            workers=workers,
            prepares=prepares,
            pass_seconds=pass_seconds,
            watch=self.passed.append,
        )
        self.engine._load = load or self.engine._load
        self.account = self.engine.account

    async def __aenter__(self) -> Self:
        await self.engine.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.model.let_go()
        await self.engine.stop()

    def turn(self, level: float = 0.0, length: int = 0, delay: Delay = "medium", **asked: Any) -> TurnStream:
        turn = self.engine.open(TurnRequest("any", delay=delay, **asked))
        if length:
            turn.feed(tone(level, length))
        return turn

    def recording(self, level: float, length: int = HALF, **asked: Any) -> TurnStream:
        """A turn of a file: its end comes right after its beginning."""
        turn = self.turn(level, length, recorded=True, **asked)
        turn.finish(length)
        return turn

    async def in_a_recording(self) -> TurnStream:
        """A recording whose final keeps a worker busy until the model is let go."""
        self.model.hold()
        turn = self.recording(0.97)
        await self.begun()
        return turn

    async def in_a_pass(self) -> TurnStream:
        """A turn whose guess keeps a worker busy until the model is let go."""
        self.model.hold()
        turn = self.turn(0.99, HALF)
        await self.begun()
        return turn

    async def in_a_final(self) -> TurnStream:
        """The same, but it is the turn's final."""
        self.model.hold()
        turn = self.turn(0.98, 800)
        turn.finish(800)
        await self.begun()
        return turn

    async def pausing(self, voiced: int = PAUSE) -> TurnStream:
        """A turn whose final is being prepared until the model is let go."""
        self.model.hold()
        turn = self.turn(0.5, 1_600)
        turn.prepare(voiced)
        await self.begun()
        return turn

    async def prepared(self) -> TurnStream:
        """A turn whose final is ready if its words end at PAUSE."""
        turn = await self.pausing()
        self.model.let_go()
        await anext(turn.hypotheses())
        return turn

    async def begun(self) -> None:
        await asyncio.to_thread(self.model.wait_until_a_pass_begins)

    def let_go_of_what_hung(self) -> None:
        """From now on no pass hangs any more, however long it waits for a core."""
        self.engine._pass_seconds = PATIENCE
        self.model.let_go()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not happened():  # noqa: ASYNC110  an engine tells nobody what it counts
                await asyncio.sleep(0)

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """So many talk that guesses are further apart, and what is made ahead is mostly wasted."""
        self.account.wasted = 2
        talking = [self.turn(0.1, 160) for _ in range(10)]
        self.engine._load.passed(1.0, asyncio.get_running_loop().time(), guess=True)
        yield
        for turn in talking:
            turn.abandon()

    def heard(self) -> list[tuple[float, int, bool]]:
        """Of each pass the level, the frames, and whether it was thorough."""
        jobs = [job for batch in self.model.batches for job in batch]
        return [(loudest(job.frames), len(job.frames), job.thorough) for job in jobs]

    def counted(self) -> tuple[int, int, int]:
        return self.account.prepared, self.account.used, self.account.wasted


def said(level: float, length: int) -> str:
    return f"{level:.2f}x{length // 160}"


# What is heard


async def test_the_final_hears_the_words_and_a_short_tail() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, 4 * HALF)
        turn.finish(HALF)

        final = await final_of(turn)

    assert final.text == said(0.5, HALF + TAIL)


async def test_the_tail_ends_where_the_audio_ends() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, HALF + 160)
        turn.finish(HALF)

        final = await final_of(turn)

    assert final.text == said(0.5, HALF + 160)


@pytest.mark.parametrize(("length", "voiced"), [(HALF // 2, 0), (HALF // 2, -1)])
async def test_where_nothing_was_said_the_model_is_not_asked(length: int, voiced: int) -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, length)
        turn.prepare(voiced)
        turn.finish(voiced)

        final = await final_of(turn)

    assert (final.words, final.final, final.heard) == ((), True, length)
    assert stage.heard() == []


async def test_less_than_half_a_second_is_not_worth_a_guess() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, HALF - 160)
        turn.finish(HALF - 160)

        await final_of(turn)

    assert stage.heard() == [(0.5, (HALF - 160) // 160, True)]


@pytest.mark.parametrize(("delay", "guesses"), [("minimal", 1), ("medium", 0), ("xhigh", 0)])
async def test_the_delay_asked_for_sets_how_often_a_turn_is_listened_to(delay: Delay, guesses: int) -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, samples(300), delay)

        turn.finish(HALF)
        await final_of(turn)

    assert stage.account.guesses == guesses


async def test_audio_that_came_during_a_pass_is_heard_in_one_go() -> None:
    async with Stage(load=Unhurried(1)) as stage:
        turn = await stage.in_a_pass()
        for _ in range(4):
            turn.feed(tone(0.99, HALF))
        stage.model.let_go()
        await stage.begun()

        turn.abandon()

    assert stage.heard() == [(0.99, 50, False), (0.99, 250, False)]


async def test_a_final_longer_than_a_window_is_made_of_several_passes() -> None:
    async with Stage(prepares=False) as stage:
        first = await stage.in_a_pass()
        turn = stage.turn(0.5, samples(70_000))
        turn.finish(samples(70_000))
        stage.model.let_go()

        final = await final_of(turn)
        first.abandon()

    lengths = [length for level, length, thorough in stage.heard() if thorough]
    assert (len(final.words), sum(lengths), max(lengths) <= 2_800) == (3, 7_000, True)


async def test_texts_that_are_not_believed_are_counted() -> None:
    async with Stage() as stage:
        turn = stage.turn(DOUBTED, HALF)
        await stage.until(lambda: stage.account.guesses == 1)
        turn.finish(HALF)

        heard = await everything(turn)

    assert [hypothesis.final for hypothesis in heard] == [True]
    assert stage.account.doubts == {"loop": 2}


# In which order


async def test_a_final_waits_for_the_running_pass_only() -> None:
    async with Stage() as stage:
        running = await stage.in_a_pass()
        growing = [stage.turn(0.1, HALF), stage.turn(0.2, HALF)]
        last = stage.turn(0.3, HALF)
        last.finish(HALF)

        stage.model.let_go()
        await final_of(last)

        for turn in (running, *growing):
            turn.abandon()
    assert stage.heard()[:2] == [(0.99, 50, False), (0.3, 50, True)]


async def test_finals_that_had_to_wait_are_made_together() -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        turns = [stage.turn(level, HALF) for level in (0.1, 0.2, 0.3)]
        for turn in turns:
            turn.finish(HALF)
        stage.model.let_go()

        finals = [(await final_of(turn)).text for turn in turns]

    assert finals == [said(level, HALF) for level in (0.1, 0.2, 0.3)]
    assert [len(batch) for batch in stage.model.batches] == [1, 3]


@pytest.mark.parametrize(("together", "batches"), [(False, [1, 1, 1, 1]), (True, [1, 3])])
async def test_guesses_that_had_to_wait_are_made_together_where_that_is_quicker(
    *, together: bool, batches: list[int]
) -> None:
    async with Stage(model=FakeModel(together=together), load=Unhurried(1)) as stage:
        talking = await stage.in_a_pass()
        turns = [stage.turn(level, HALF) for level in (0.1, 0.2, 0.3)]
        stage.model.let_go()

        guesses = [(await anext(turn.hypotheses())).text for turn in turns]

        for turn in (talking, *turns):
            turn.abandon()
    assert guesses == [said(level, HALF) for level in (0.1, 0.2, 0.3)]
    assert [len(batch) for batch in stage.model.batches] == batches
    assert stage.account.guesses == len(batches)


async def test_a_final_begins_at_once_though_a_guess_keeps_the_worker_busy() -> None:
    async with Stage() as stage:
        talking = await stage.in_a_pass()
        turn = stage.turn(0.1, HALF)
        turn.finish(HALF)
        await stage.begun()
        stage.model.let_go()

        assert (await final_of(turn)).text == said(0.1, HALF)
        talking.abandon()


async def test_a_final_is_prepared_though_a_guess_keeps_the_worker_busy() -> None:
    async with Stage() as stage:
        talking = await stage.in_a_pass()
        turn = stage.turn(0.1, 1_600)
        turn.prepare(PAUSE)
        await stage.begun()
        stage.model.let_go()
        turn.finish(PAUSE)

        assert (await final_of(turn)).final
        talking.abandon()

    assert (1, 1) == (stage.account.prepared, stage.account.used)


async def test_beside_a_final_neither_a_guess_nor_another_final_begins() -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        talking, finished = stage.turn(0.2, HALF), stage.turn(0.3, HALF)
        finished.finish(HALF)
        await asyncio.sleep(0)

        assert [1] == [len(batch) for batch in stage.model.batches]

        stage.model.let_go()
        assert (await final_of(finished)).text == said(0.3, HALF)
        talking.abandon()


async def test_a_second_worker_makes_the_final_while_the_turns_own_guess_still_runs() -> None:
    async with Stage(workers=2) as stage:
        turn = await stage.in_a_pass()
        turn.finish(HALF)
        await stage.begun()
        stage.model.let_go()

        heard = await everything(turn)

    assert [hypothesis.final for hypothesis in heard] == [True]


async def test_a_guess_that_comes_back_after_finish_is_dropped() -> None:
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
        assert (await final_of(after)).text == said(0.1, HALF)


async def test_a_turn_that_is_over_is_forgotten() -> None:
    async with Stage() as stage:
        ended, abandoned, empty = stage.turn(0.1, HALF), stage.turn(0.2, 100), stage.turn(0.3, 100)
        ended.finish(HALF)
        await final_of(ended)
        abandoned.abandon()
        empty.finish(0)

        assert stage.engine._turns == {}
        assert stage.account.stretch == 1.0


# Recordings


async def test_a_recording_is_heard_once_and_nothing_is_made_ahead() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.5, 9 * HALF, recorded=True)
        turn.prepare(8 * HALF)
        turn.finish(9 * HALF)

        heard = await everything(turn)

    assert [(said(0.5, 9 * HALF), True)] == [(hypothesis.text, hypothesis.final) for hypothesis in heard]
    assert [(0.5, 9 * HALF // 160, True)] == stage.heard()
    assert (1, 0) == (stage.account.finals, stage.account.prepared)


async def test_of_a_recording_longer_than_a_window_only_the_final_is_shown() -> None:
    async with Stage() as stage:
        turn = stage.recording(0.5, samples(70_000))

        heard = await everything(turn)

    assert [(3, True)] == [(len(hypothesis.words), hypothesis.final) for hypothesis in heard]


@pytest.mark.parametrize("finishes", [True, False])
async def test_a_recording_waits_for_live_turns(*, finishes: bool) -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        recording, live = stage.recording(0.1), stage.turn(0.2, HALF)
        if finishes:
            live.finish(HALF)
        stage.model.let_go()

        await final_of(recording)

        live.abandon()
    assert [0.98, 0.2, 0.1] == [level for level, _, _ in stage.heard()]


async def test_recordings_that_did_not_get_on_for_long_go_before_guesses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_asr.engines.scheduling._STUCK", 0.0)
    async with Stage() as stage:
        await stage.in_a_final()
        live, recording = stage.turn(0.2, HALF), stage.recording(0.1)
        stage.model.let_go()

        await final_of(recording)

        live.abandon()
    assert [0.98, 0.1] == [level for level, _, _ in stage.heard()][:2]


async def test_a_live_final_begins_at_once_though_a_recording_keeps_the_worker_busy() -> None:
    async with Stage() as stage:
        recording = await stage.in_a_recording()
        live = stage.turn(0.1, HALF)
        live.finish(HALF)
        await stage.begun()
        stage.model.let_go()

        assert said(0.1, HALF) == (await final_of(live)).text
        assert said(0.97, HALF) == (await final_of(recording)).text


async def test_beside_a_recording_neither_a_guess_nor_another_recording_begins() -> None:
    async with Stage() as stage:
        await stage.in_a_recording()
        talking, recording = stage.turn(0.2, HALF), stage.recording(0.3)
        await asyncio.sleep(0)

        assert [1] == [len(batch) for batch in stage.model.batches]

        stage.model.let_go()
        await final_of(recording)
        talking.abandon()


async def test_recordings_use_all_workers_that_are_free() -> None:
    async with Stage(workers=3) as stage:
        stage.model.hold()
        recordings = [stage.recording(level) for level in (0.1, 0.2, 0.3)]
        for _ in recordings:
            await stage.begun()
        stage.model.let_go()

        texts = [(await final_of(turn)).text for turn in recordings]

    assert [said(level, HALF) for level in (0.1, 0.2, 0.3)] == texts
    assert [1, 1, 1] == [len(batch) for batch in stage.model.batches]


async def test_finals_of_recordings_are_made_together_but_with_no_live_one() -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        recordings, live = [stage.recording(level) for level in (0.1, 0.2)], stage.turn(0.3, HALF)
        live.finish(HALF)
        stage.model.let_go()

        for turn in recordings:
            await final_of(turn)

    assert [[0.98], [0.3], [0.1, 0.2]] == [[loudest(j.frames) for j in b] for b in stage.model.batches]


@pytest.mark.parametrize("asked", [{"task": "translate"}, {"temperature": 0.4}])
async def test_only_finals_that_are_asked_for_alike_are_made_together(asked: dict[str, Any]) -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        plain, other = stage.recording(0.1), stage.recording(0.2, **asked)
        stage.model.let_go()

        for turn in (plain, other):
            await final_of(turn)

    assert [1, 1, 1] == [len(batch) for batch in stage.model.batches]


async def test_recordings_are_no_reason_to_listen_to_live_turns_less_often() -> None:
    async with Stage() as stage:
        await final_of(stage.recording(0.1))

    load = stage.engine._load
    assert (0.0, 0.0) == (load._finals_seconds, load._guess_seconds)
    assert (1, 1.0) == (stage.account.finals, stage.account.odds)
    assert stage.account.final_seconds > 0


# What is made ahead


async def test_a_final_made_ahead_is_there_when_the_turn_ends() -> None:
    async with Stage() as stage:
        turn = await stage.prepared()
        stage.model.hold()
        turn.finish(PAUSE)

        final = await final_of(turn)

    assert final.text == said(0.5, 1_600)
    assert stage.counted() == (1, 1, 0)


async def test_what_is_made_ahead_is_shown_before_the_turn_ends() -> None:
    async with Stage() as stage:
        turn = await stage.pausing()
        stage.model.let_go()

        shown = await anext(turn.hypotheses())

        turn.abandon()
    assert (shown.text, shown.final) == (said(0.5, 1_600), False)


async def test_a_turn_that_ends_while_its_final_is_made_ahead_waits_for_that_pass() -> None:
    async with Stage() as stage:
        turn = await stage.pausing()
        turn.finish(PAUSE)
        stage.model.let_go()

        await final_of(turn)

    assert len(stage.heard()) == 1
    assert stage.counted() == (1, 1, 0)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_turn_that_ends_elsewhere_while_its_final_is_made_ahead_gets_another(workers: int) -> None:
    async with Stage(workers=workers) as stage:
        turn = await stage.pausing(voiced=800)
        turn.finish(1_600)
        stage.model.let_go()

        heard = await everything(turn)

    assert [hypothesis.final for hypothesis in heard] == [True]
    assert len(stage.heard()) == 2
    assert stage.counted() == (1, 0, 1)


async def test_a_turn_that_ends_elsewhere_than_it_paused_gets_another_final() -> None:
    async with Stage() as stage:
        turn = await stage.prepared()
        turn.finish(1_600)

        await final_of(turn)

    assert stage.counted() == (1, 0, 1)


async def test_speech_that_goes_on_needs_its_final_made_anew() -> None:
    async with Stage() as stage:
        turn = await stage.prepared()
        turn.feed(tone(0.7, 800))
        turn.prepare(2_400)
        await stage.until(lambda: stage.account.prepared == 2)
        turn.finish(2_400)

        final = await final_of(turn)

    assert final.text == said(0.7, 2_400)
    assert stage.counted() == (2, 1, 1)


async def test_what_turns_out_to_be_noise_after_a_pause_does_not_spoil_what_was_made_ahead() -> None:
    async with Stage() as stage:
        turn = await stage.prepared()
        turn.feed(tone(0.0, 800))
        turn.prepare(PAUSE)
        turn.finish(PAUSE)

        await final_of(turn)

    assert len(stage.heard()) == 1
    assert stage.counted() == (1, 1, 0)


async def test_speech_that_goes_on_during_the_pass_keeps_it_for_a_guess() -> None:
    async with Stage() as stage:
        turn = await stage.pausing()
        turn.feed(tone(0.7, 800))
        stage.model.let_go()

        shown = await anext(turn.hypotheses())

        turn.finish(2_400)
        final = await final_of(turn)
    assert (shown.final, shown.text, final.text) == (False, said(0.5, 1_600), said(0.7, 2_400))
    assert stage.counted() == (1, 0, 1)


async def test_a_pause_that_turns_out_to_lie_elsewhere_is_used_too() -> None:
    async with Stage() as stage:
        turn = await stage.pausing(voiced=480)
        turn.prepare(PAUSE)
        stage.model.let_go()
        await stage.until(lambda: stage.account.prepared == 2)
        turn.finish(PAUSE)

        await final_of(turn)

    assert stage.counted() == (2, 1, 1)


async def test_what_was_made_ahead_for_an_abandoned_turn_is_wasted() -> None:
    async with Stage() as stage:
        turn = await stage.prepared()

        turn.abandon()
        turn.abandon()

    assert stage.counted() == (1, 0, 1)


async def test_a_pass_ahead_that_fails_does_no_harm() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.1, 160)
        turn.feed(tone(REFUSED, 4_000))
        turn.prepare(4_160)
        await stage.until(lambda: stage.account.final_seconds > 0)
        turn.finish(10)

        with pytest.raises(EngineError, match="refuses"):
            await everything(turn)

    assert stage.counted() == (1, 0, 1)


async def test_an_engine_may_be_told_to_make_nothing_ahead() -> None:
    async with Stage(prepares=False) as stage:
        turn = stage.turn(0.5, 200)
        turn.prepare(200)
        turn.finish(200)

        await final_of(turn)

    assert stage.counted() == (0, 0, 0)


async def test_under_load_the_last_words_before_a_pause_are_guessed_however_few() -> None:
    async with Stage() as stage, stage.busy():
        turn = stage.turn(0.5, HALF - 160)
        turn.prepare(HALF - 160)

        await stage.until(lambda: stage.account.guesses > 0)

        turn.abandon()
    assert stage.heard() == [(0.5, (HALF - 160) // 160, False)]


async def test_a_pause_that_outlasts_the_load_is_used() -> None:
    async with Stage() as stage:
        async with stage.busy():
            turn = stage.turn(0.5, 800)
            turn.prepare(800)
            await stage.until(lambda: stage.account.guesses > 0)
            assert stage.account.prepared == 0

        await stage.until(lambda: stage.account.prepared > 0)

        turn.abandon()


async def test_under_load_a_pause_whose_words_a_guess_heard_gets_no_pass_of_its_own() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        async with stage.busy():
            turn.prepare(HALF - 160)
            stage.model.let_go()

            await stage.until(lambda: stage.account.guesses > 0)

            turn.abandon()
    assert stage.heard() == [(0.99, 50, False)]


async def test_passes_and_what_they_cost_are_counted() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        stage.model.let_go()
        await anext(turn.hypotheses())
        turn.finish(HALF)
        await final_of(turn)

    assert (stage.account.guesses, stage.account.finals) == (1, 1)
    assert stage.account.guess_seconds > 0
    assert stage.account.final_seconds > 0


async def test_a_guess_for_which_nobody_waits_any_more_is_counted() -> None:
    async with Stage(load=Unhurried(1)) as stage:
        finished = await stage.in_a_pass()
        finished.finish(HALF)
        stage.model.let_go()
        await final_of(finished)

        stage.model.hold()
        abandoned = stage.turn(0.99, HALF)
        await stage.begun()
        abandoned.abandon()
        stage.model.let_go()
        await stage.until(lambda: stage.account.guesses == 2)

    assert 2 == stage.account.stale


async def test_a_model_can_ask_whether_a_guess_is_still_waited_for() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        [[guess]] = stage.model.batches
        growing = guess.wanted()
        turn.prepare(HALF - 160)
        pausing = guess.wanted()
        stage.model.let_go()
        await stage.until(lambda: stage.account.prepared > 0)

        turn.abandon()

    assert (True, False) == (growing, pausing)


async def test_a_pass_that_nobody_waits_for_is_wanted_no_more() -> None:
    async with Stage(load=Unhurried(1)) as stage:
        finished, abandoned = await stage.in_a_pass(), stage.turn(0.2, HALF)
        [[guess]] = stage.model.batches
        finished.finish(HALF)
        assert not guess.wanted()
        stage.model.let_go()
        await final_of(finished)

        await stage.until(lambda: len(stage.model.batches) > 2)
        [last] = stage.model.batches[-1]
        abandoned.abandon()
        assert not last.wanted()


async def test_a_pass_that_was_left_has_not_failed() -> None:
    model = Raving([Needless("nobody waits")])
    async with Stage(model=model) as stage:
        stage.model.hold()
        turn = stage.turn(0.99, HALF)
        await stage.begun()
        turn.finish(HALF)
        stage.model.let_go()

        final = await final_of(turn)

    assert final.words
    assert [False, False] == [done.failed for done in stage.passed]
    assert 1 == stage.account.stale


async def test_a_guess_that_was_left_tells_nothing_of_what_guesses_cost() -> None:
    async with Stage(model=Raving([Needless("nobody waits")])) as stage:
        talking, turn = stage.turn(0.1, 160), await stage.in_a_pass()
        stage.engine._load.passed(2.0, asyncio.get_running_loop().time(), guess=True)
        turn.abandon()
        stage.model.let_go()
        await stage.until(lambda: stage.account.guesses == 1)

        assert 4.0 == stage.account.stretch
        talking.abandon()


async def test_what_waits_and_what_runs_can_be_seen() -> None:
    async with Stage() as stage:
        final = await stage.in_a_final()
        waiting = [stage.turn(0.2, HALF), stage.recording(0.3)]
        waiting[0].finish(HALF)
        growing = stage.turn(0.1, 160)

        assert (2, 1) == (stage.engine.waiting, stage.engine.running)

        stage.model.let_go()
        for turn in (final, *waiting):
            await final_of(turn)
        assert (0, 0) == (stage.engine.waiting, stage.engine.running)
        growing.abandon()


# What a final took


async def test_a_final_tells_how_long_it_waited_and_what_all_passes_took() -> None:
    async with Stage() as stage:
        turn = await stage.in_a_pass()
        stage.model.let_go()
        await anext(turn.hypotheses())
        busy = await stage.in_a_final()
        turn.finish(HALF)
        stage.model.let_go()
        await final_of(busy)

        effort = (await final_of(turn)).effort

    assert effort is not None
    assert 2 == effort.passes
    assert 0 < effort.waited < PATIENCE
    assert 0 < effort.decoded < PATIENCE


async def test_a_final_that_was_made_ahead_did_not_wait() -> None:
    async with Stage() as stage:
        turn = await stage.prepared()
        turn.finish(PAUSE)

        effort = (await final_of(turn)).effort

    assert effort is not None
    assert (0.0, 1) == (effort.waited, effort.passes)


async def test_where_nothing_was_said_nothing_was_done() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.1, 160)
        turn.finish(0)

        assert Effort(waited=0.0, decoded=0.0, passes=0) == (await final_of(turn)).effort


# Who watches


async def test_who_watches_is_told_of_every_pass() -> None:
    async with Stage() as stage:
        live = stage.turn(0.1, HALF, source="s/live")
        await stage.until(lambda: len(stage.passed) == 1)
        live.prepare(HALF - 160)
        await stage.until(lambda: len(stage.passed) == 2)
        live.finish(HALF)
        await final_of(live)
        await final_of(stage.recording(0.2, source="s/recorded"))

    assert [
        ("guess", ["s/live"], HALF, False),
        ("prepared", ["s/live"], HALF, False),
        ("final", ["s/live"], HALF, False),
        ("final", ["s/recorded"], HALF, False),
    ] == [(done.kind, done.sources, done.audio, done.failed) for done in stage.passed]
    begun = [done.began for done in stage.passed]
    assert begun == sorted(begun)
    assert all(0 < done.took < PATIENCE for done in stage.passed)


async def test_a_pass_over_several_turns_is_told_once() -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        turns = [stage.recording(level, source=f"s/{level}") for level in (0.1, REFUSED)]
        stage.model.let_go()
        await final_of(turns[0])

    done = stage.passed[-1]
    assert (["s/0.1", f"s/{REFUSED}"], 2 * HALF, True) == (done.sources, done.audio, done.failed)


async def test_a_pass_that_hangs_is_told_as_failed() -> None:
    async with Stage(pass_seconds=SOON) as stage:
        turn = await stage.in_a_pass()
        await stage.until(lambda: stage.account.hung == 1)
        turn.abandon()

    assert [("guess", True)] == [(done.kind, done.failed) for done in stage.passed]
    assert stage.passed[0].took >= SOON


# When something breaks


@pytest.mark.parametrize(
    ("level", "message"), [(BROKEN, "The engine failed on this turn"), (REFUSED, "The model refuses")]
)
async def test_a_broken_pass_fails_its_turn_and_no_other(level: float, message: str) -> None:
    async with Stage() as stage:
        broken, fine = stage.turn(level, HALF), stage.turn(0.1, 2 * HALF)
        broken.finish(HALF)
        fine.finish(2 * HALF)

        with pytest.raises(EngineError, match=message):
            await everything(broken)
        assert (await final_of(fine)).text == said(0.1, 2 * HALF)


async def test_the_fault_behind_a_broken_pass_is_kept_as_its_cause() -> None:
    async with Stage() as stage:
        turn = stage.turn(BROKEN, 800)
        turn.finish(800)

        with pytest.raises(EngineError) as failure:
            await everything(turn)

    assert isinstance(failure.value.__cause__, RuntimeError)


@pytest.mark.parametrize("answers", [0, 2])
async def test_a_model_that_answers_another_number_of_questions_has_failed(answers: int) -> None:
    async with Stage(model=Miscounting(answers)) as stage:
        turn = stage.turn(0.1, 800)
        turn.finish(800)

        with pytest.raises(EngineError, match="failed on this turn") as failure:
            await everything(turn)

    assert isinstance(failure.value.__cause__, ValueError)


async def test_a_text_nobody_can_read_fails_its_turn_and_none_that_was_passed_with_it() -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        garbled, fine = stage.turn(GARBLED, HALF), stage.turn(0.1, HALF)
        for turn in (garbled, fine):
            turn.finish(HALF)
        stage.model.let_go()

        with pytest.raises(EngineError, match="cannot be read"):
            await everything(garbled)
        assert (await final_of(fine)).text == said(0.1, HALF)

    assert [len(batch) for batch in stage.model.batches] == [1, 2]


NAN = float("nan")


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        "x",
        [],
        [None],
        [b"words"],
        [Text(words=())] * 2,
        [Text(words=None)],  # type: ignore[arg-type]
        [Text((Word(" x" * 5_000_000),))],
        [Text((Word("\ud800"),))],
        ValueError("bad"),
        StopIteration(),
        MemoryError(),
        SystemExit(1),
        asyncio.CancelledError(),
    ],
    ids=lambda answer: repr(answer)[:20],
)
async def test_whatever_a_model_answers_or_raises_fails_its_turn_only(answer: object) -> None:
    async with Stage(model=Raving(answer)) as stage:
        broken, fine = stage.turn(0.1, 800), stage.turn(0.2, 800)
        broken.finish(800)
        fine.finish(800)

        with pytest.raises(EngineError):
            await everything(broken)
        assert said(0.2, 800) == (await final_of(fine)).text


@pytest.mark.parametrize("moments", [(NAN, NAN), (0, NAN), (-1, 160), (320, 160), (0, 10**9), (0.5, 1.5)])
@pytest.mark.parametrize("guessed", [True, False])
async def test_no_time_that_cannot_be_leaves_the_engine(moments: tuple[Any, Any], *, guessed: bool) -> None:
    raving = [Text((Word(" so", -0.1, 0, 160), Word(" it", -0.1, *moments)))]
    async with Stage(model=Raving(raving, raving, raving)) as stage:
        turn = stage.turn(0.1, (1 if guessed else 0) * HALF + 800, word_times=True)
        await stage.until(lambda: stage.account.guesses == guessed)
        turn.finish(800)

        heard = await everything(turn)

    assert {"so it"} == {hypothesis.text for hypothesis in heard}
    assert {(None, None)} == {(word.start, word.end) for hypothesis in heard for word in hypothesis.words}


async def test_a_turn_that_cannot_be_heard_fails_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(hearing: Hearing) -> Pass:
        raise RuntimeError("a fault in the books of a turn")

    async with Stage() as stage:
        fine = stage.turn(0.1, 800)
        with monkeypatch.context() as patch:
            patch.setattr(Hearing, "guess", refuse)
            broken = stage.turn(0.2, HALF)
        fine.finish(800)

        with pytest.raises(EngineError, match="failed on this turn"):
            await everything(broken)
        assert (await final_of(fine)).text == said(0.1, 800)


async def test_a_broken_guess_does_no_harm() -> None:
    async with Stage() as stage:
        turn = stage.turn(0.1, HALF - 160)
        turn.feed(tone(BROKEN, HALF))
        await stage.begun()
        turn.finish(samples(200))

        final = await final_of(turn)

    assert final.text == said(0.1, samples(340))


async def test_a_pass_that_hangs_fails_its_turn_and_frees_its_worker() -> None:
    async with Stage(pass_seconds=SOON) as stage:
        stage.model.hold()
        hung = stage.turn(0.1, 800)
        hung.finish(800)

        with pytest.raises(EngineError, match="took too long"):
            await everything(hung)
        assert (stage.engine.stalled, stage.account.hung) == (True, 1)

        stage.let_go_of_what_hung()
        after = stage.turn(0.2, HALF)
        after.finish(HALF)
        assert (await final_of(after)).text == said(0.2, HALF)


async def test_a_model_is_told_in_time_to_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, passed = asyncio.get_running_loop(), 0.0
    time = loop.time
    monkeypatch.setattr(loop, "time", lambda: time() + passed)
    async with Stage() as stage:
        turn = await stage.in_a_final()
        [[final]] = stage.model.batches
        had_time = final.has_time()
        passed = PATIENCE / 2
        has_time = final.has_time()
        stage.model.let_go()

        assert (True, False, said(0.98, 800)) == (had_time, has_time, (await final_of(turn)).text)


async def test_an_engine_whose_passes_come_back_after_all_is_not_stalled() -> None:
    async with Stage(pass_seconds=SOON) as stage:
        turn = await stage.in_a_pass()
        await stage.until(lambda: stage.engine.stalled)

        stage.model.let_go()
        await stage.until(lambda: not stage.engine.stalled)

        turn.abandon()
    assert stage.account.guesses == 0


async def test_a_guess_that_hangs_does_no_harm() -> None:
    async with Stage(pass_seconds=SOON) as stage:
        turn = await stage.in_a_pass()
        await stage.until(lambda: stage.account.hung == 1)
        stage.let_go_of_what_hung()
        turn.finish(HALF)

        final = await final_of(turn)

    assert final.text == said(0.99, HALF)


async def test_one_hung_pass_of_two_workers_is_no_stall() -> None:
    async with Stage(workers=2, pass_seconds=SOON) as stage:
        turn = await stage.in_a_pass()
        await stage.until(lambda: stage.account.hung == 1)

        assert not stage.engine.stalled
        turn.abandon()


async def test_stopping_does_not_wait_for_a_pass_that_hangs() -> None:
    async with Stage(pass_seconds=SOON) as stage:
        turn = await stage.in_a_pass()
        await stage.until(lambda: stage.engine.stalled)

        await stage.engine.stop()

        with pytest.raises(EngineError, match="was stopped"):
            await everything(turn)


async def test_stopping_fails_the_turns_that_still_wait() -> None:
    async with Stage() as stage:
        await stage.in_a_final()
        talking, finished = stage.turn(0.2, HALF), stage.turn(0.1, HALF)
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
        turn = stage.turn(0.1, 800)
        turn.finish(800)
        await stage.begun()
        stopping = asyncio.create_task(stage.engine.stop())
        await asyncio.sleep(0)  # lets it begin to stop
        stage.model.let_go()
        await stopping

        assert (await final_of(turn)).text == said(0.1, 800)


async def test_an_engine_that_does_not_run_opens_no_turn() -> None:
    engine = BatchingEngine(FakeModel())

    with pytest.raises(EngineError, match="not running"):
        engine.open(REQUEST)

    await engine.stop()


async def test_no_worker_outlives_its_pass() -> None:
    async with Stage(workers=2) as stage:
        turn = stage.turn(0.5, HALF)
        turn.finish(HALF)
        await final_of(turn)

        for thread in threading.enumerate():
            if thread.name == "transcribe":
                await asyncio.to_thread(thread.join, PATIENCE)
    assert [thread for thread in threading.enumerate() if thread.name == "transcribe"] == []


async def test_a_model_that_cannot_load_keeps_the_engine_from_starting() -> None:
    engine = BatchingEngine(FakeModel(unusable=True))

    with pytest.raises(UnusableModel, match="no such model"):
        await engine.start()

    with pytest.raises(EngineError, match="not running"):
        engine.open(REQUEST)


def test_the_model_says_what_the_engine_can_do() -> None:
    model = FakeModel(together=True)

    assert model.capabilities == BatchingEngine(model).capabilities


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
