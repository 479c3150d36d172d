"""That streaming costs no words: measured against the same weights offline, and against what was spoken."""

import json
from collections.abc import Iterable
from typing import Any, Final

import pytest
from faster_whisper import WhisperModel

from realtime_asr.engines.bundled import BUNDLED
from tests.journeys.hearing import transcripts
from tests.journeys.server import Server
from tests.journeys.speaking import calling, pcm16, silence
from tests.speech.clips import CLIPS, clip, word_error_rate

NAMES: Final = [name.removesuffix(".wav") for name in json.loads(CLIPS.read_text())]


async def test_streaming_costs_no_words(server: Server, offline: list[str]) -> None:
    spoken = joined(clip(name).text for name in NAMES)

    live = [await transcribed(server, name, turn_detection=None) for name in NAMES]

    assert word_error_rate(spoken, joined(live)) <= word_error_rate(spoken, joined(offline)) + 0.01


async def test_what_was_spoken_is_what_is_read(server: Server) -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 500}

    live = [await transcribed(server, name, turn_detection=detection) for name in NAMES]

    assert word_error_rate(joined(clip(name).text for name in NAMES), joined(live)) <= 0.1


@pytest.fixture
def offline() -> list[str]:
    """What everybody gets from these weights, without any of our code."""
    model = WhisperModel(str(BUNDLED), device="cpu")
    heard = (model.transcribe(clip(name).samples, language="en", beam_size=1) for name in NAMES)
    return ["".join(segment.text for segment in segments) for segments, _ in heard]


async def transcribed(server: Server, name: str, **input: Any) -> str:
    async with calling(server) as caller:
        await caller.configure(**input)
        await caller.speak(pcm16(name) + silence(1000))
        # It lets the client hear all that was said before.
        await caller.say("session.close")
        return joined(transcripts(await caller.hear_until("closed")))


def joined(texts: Iterable[str]) -> str:
    return " ".join(texts)
