"""What every engine must keep, whatever listens inside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.engine import Engine, TurnStream
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import Task, TurnRequest
from tests.speech.clips import clip

PATIENCE = 60
"""Seconds until a test that waits for an engine gives up."""

REQUEST = TurnRequest("any")


async def everything(turn: TurnStream) -> list[Hypothesis]:
    async with asyncio.timeout(PATIENCE):
        return [hypothesis async for hypothesis in turn.hypotheses()]


async def final_of(turn: TurnStream) -> Hypothesis:
    return (await everything(turn))[-1]


def feed(turn: TurnStream, audio: Samples, chunk: int) -> None:
    for start in range(0, len(audio), chunk):
        turn.feed(audio[start : start + chunk])


class EngineContract:
    """Inherit it, say how an engine is made, and pytest does the rest."""

    repeats = True
    """Turns with the same audio have the same text."""

    def make(self) -> Engine:
        raise NotImplementedError

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        engine = self.make()
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()

    async def test_the_final_comes_last_and_alone(self) -> None:
        audio = clip("bridge").samples
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            feed(turn, audio, samples(100))
            turn.finish(len(audio))

            heard = await everything(turn)

        assert [h.final for h in heard] == [False] * (len(heard) - 1) + [True]
        assert heard[-1].text != ""

    async def test_guesses_come_while_the_speaker_talks(self) -> None:
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            feed(turn, clip("bridge").samples, samples(100))

            async with asyncio.timeout(PATIENCE):
                first = await anext(turn.hypotheses())

            turn.abandon()
        assert first.final is False

    @pytest.mark.parametrize("chunk", [samples(100), samples(60_000)])
    async def test_how_audio_is_cut_into_chunks_does_not_change_the_final(self, chunk: int) -> None:
        assert (await self._final("door", chunk)).words == (await self._final("door", samples(10))).words

    @pytest.mark.parametrize("chunk", [samples(100), samples(60_000)])
    async def test_of_a_recording_there_is_the_final_and_nothing_before(self, chunk: int) -> None:
        audio = clip("bridge").samples
        async with self.running() as engine:
            turn = engine.open(replace(REQUEST, recorded=True))
            feed(turn, audio, chunk)
            turn.prepare(len(audio))
            turn.finish(len(audio))

            heard = await everything(turn)

        assert [True] == [hypothesis.final for hypothesis in heard]
        assert heard[0].text != ""

    async def test_a_recording_says_what_a_live_turn_does(self) -> None:
        audio = clip("door").samples
        async with self.running() as engine:
            live, recorded = engine.open(REQUEST), engine.open(replace(REQUEST, recorded=True))
            for turn in (live, recorded):
                turn.feed(audio)
                turn.finish(len(audio))
            texts = [(await final_of(turn)).text for turn in (live, recorded)]

        assert texts[0] == texts[1] or not self.repeats

    @pytest.mark.parametrize(("task", "temperature"), [("translate", 0.0), ("transcribe", 0.6)])
    async def test_it_may_be_asked_to_translate_and_to_be_daring(
        self, task: Task, temperature: float
    ) -> None:
        audio = clip("door").samples
        async with self.running() as engine:
            turn = engine.open(replace(REQUEST, task=task, temperature=temperature))
            turn.feed(audio)
            turn.finish(len(audio))

            final = await final_of(turn)

        assert final.text != ""

    async def test_hypotheses_say_how_much_of_the_audio_they_are_about(self) -> None:
        audio = clip("bridge").samples
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            feed(turn, audio, samples(100))
            turn.finish(len(audio))

            heard = [hypothesis.heard for hypothesis in await everything(turn)]

        assert heard == sorted(heard)
        assert heard[-1] == len(audio)

    async def test_a_turn_that_paused_ends_as_one_that_did_not(self) -> None:
        audio = clip("bridge").samples
        async with self.running() as engine:
            plain, paused = engine.open(REQUEST), engine.open(REQUEST)
            for turn in (plain, paused):
                turn.feed(audio)
                if turn is paused:
                    turn.prepare(len(audio))
                turn.finish(len(audio))
            texts = [(await final_of(turn)).words for turn in (plain, paused)]

        assert texts[0] == texts[1] or not self.repeats

    async def test_a_turn_in_which_nobody_spoke_is_empty(self) -> None:
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            turn.feed(np.zeros(samples(300), np.float32))
            turn.finish(0)

            final = await final_of(turn)

        assert (final.text, final.final) == ("", True)

    async def test_turns_that_overlap_do_not_mix(self) -> None:
        one, other = clip("door").samples, clip("bridge").samples
        async with self.running() as engine:
            alone = [await self._said(engine, audio) for audio in (one, other)]

            turns = [engine.open(REQUEST), engine.open(REQUEST)]
            for start in range(0, max(len(one), len(other)), samples(100)):
                for turn, audio in zip(turns, (one, other), strict=True):
                    turn.feed(audio[start : start + samples(100)])
            for turn, audio in zip(turns, (one, other), strict=True):
                turn.finish(len(audio))
            together = [(await final_of(turn)).text for turn in turns]

        assert together == alone
        assert together[0] != together[1]

    async def test_abandoning_ends_the_listening_at_once(self) -> None:
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            listening = asyncio.ensure_future(everything(turn))
            await asyncio.sleep(0)  # lets it begin to listen

            turn.abandon()

            assert await listening == []

    async def test_an_abandoned_turn_bears_everything_that_comes_late(self) -> None:
        audio = clip("bridge").samples
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            turn.feed(audio)
            turn.abandon()

            turn.abandon()
            turn.feed(audio)
            turn.prepare(len(audio))
            turn.finish(len(audio))

            assert await everything(turn) == []

    async def test_a_turn_may_be_abandoned_after_its_final(self) -> None:
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            turn.finish(0)
            await final_of(turn)

            turn.abandon()

            assert await everything(turn) == []

    async def test_it_may_stop_while_turns_are_open(self) -> None:
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            turn.feed(clip("bridge").samples)

        turn.abandon()
        assert await everything(turn) == []

    async def test_it_leaves_no_task_behind(self) -> None:
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            turn.feed(clip("bridge").samples)
            turn.finish(samples(2_000))
            await final_of(turn)

        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def _final(self, name: str, chunk: int) -> Hypothesis:
        audio = clip(name).samples
        async with self.running() as engine:
            turn = engine.open(REQUEST)
            feed(turn, audio, chunk)
            turn.finish(len(audio))
            return await final_of(turn)

    async def _said(self, engine: Engine, audio: Samples) -> str:
        turn = engine.open(REQUEST)
        turn.feed(audio)
        turn.finish(len(audio))
        return (await final_of(turn)).text
