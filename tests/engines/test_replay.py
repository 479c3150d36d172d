"""The engine that follows a script."""

from dataclasses import replace

import numpy as np
import pytest

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.engine import EngineError
from realtime_asr.engines.replay import Failure, ReplayEngine
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from tests.engines.contract import REQUEST, EngineContract, everything, final_of


class TestReplayKeepsTheContract(EngineContract):
    repeats = False

    def make(self) -> ReplayEngine:
        return ReplayEngine(["The first line of the script.", "And the second."])


def silence(milliseconds: float) -> Samples:
    return np.zeros(samples(milliseconds), np.float32)


async def test_words_appear_at_the_pace_of_the_audio() -> None:
    turn = ReplayEngine(["One two three."], words_per_second=2).open(REQUEST)
    hypotheses = turn.hypotheses()

    shown = []
    for _ in range(3):
        turn.feed(silence(500))
        shown.append((await anext(hypotheses)).text)

    assert shown == ["One", "One two", "One two three."]


async def test_of_a_recording_only_the_whole_line_is_shown() -> None:
    turn = ReplayEngine(["One two."]).open(replace(REQUEST, recorded=True))

    for _ in range(9):
        turn.feed(silence(500))
    turn.finish(1)

    assert [("One two.", True)] == [(heard.text, heard.final) for heard in await everything(turn)]


async def test_audio_beyond_the_line_adds_nothing() -> None:
    turn = ReplayEngine(["One."]).open(REQUEST)

    turn.feed(silence(9_000))
    turn.feed(silence(9_000))
    turn.finish(1)

    assert await everything(turn) == [Hypothesis((Word(" One."),), final=True, heard=18 * 16_000)]


async def test_the_script_begins_again_after_its_last_line() -> None:
    engine = ReplayEngine(["One.", "Two."])

    said = []
    for _ in range(3):
        turn = engine.open(REQUEST)
        turn.finish(1)
        said.append((await final_of(turn)).text)

    assert said == ["One.", "Two.", "One."]


async def test_a_failure_in_the_script_breaks_its_turn_and_no_other() -> None:
    engine = ReplayEngine([Failure("The line is dead."), "Fine again."])
    broken, fine = engine.open(REQUEST), engine.open(REQUEST)

    for turn in (broken, fine):
        turn.feed(silence(2_000))
        turn.finish(1)

    with pytest.raises(EngineError, match="The line is dead"):
        await everything(broken)
    assert (await final_of(fine)).text == "Fine again."
