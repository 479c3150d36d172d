"""That only what is said counts: not how it was cut into messages, and hardly how it was encoded."""

from typing import Any

import pytest

from realtime_asr.audio.formats import Encoding
from tests.journeys.hearing import Event, by_item, short_name, transcripts
from tests.journeys.server import Server
from tests.journeys.speaking import calling, g711, pcm16, silence
from tests.speech import clip, word_error_rate


@pytest.fixture(scope="module")
def speech() -> bytes:
    return pcm16("bridge") + silence(1000) + pcm16("window") + silence(1000)


async def test_how_audio_is_cut_into_messages_changes_nothing(server: Server, speech: bytes) -> None:
    in_one_piece = await told(server, speech, milliseconds=60_000)

    assert 2 == len(in_one_piece)
    assert in_one_piece == await told(server, speech, milliseconds=10)
    assert in_one_piece == await told(server, speech, milliseconds=100)


@pytest.mark.parametrize(
    ("format", "bytes_per_second", "audio", "quiet"),
    [
        ({"type": "audio/pcm", "rate": 16000}, 32_000, pcm16("window", 16_000), b"\0"),
        ({"type": "audio/pcmu"}, 8_000, g711("window", Encoding.ULAW), b"\xff"),
        ({"type": "audio/pcma"}, 8_000, g711("window", Encoding.ALAW), b"\xd5"),
    ],
    ids=["16 kHz", "µ-law", "A-law"],
)
async def test_other_encodings_give_the_same_words(
    server: Server, format: dict[str, Any], bytes_per_second: int, audio: bytes, quiet: bytes
) -> None:
    async with calling(server) as caller:
        await caller.configure(format=format)
        await caller.speak(audio + quiet * bytes_per_second, bytes_per_second=bytes_per_second)
        heard = await caller.hear_until("completed")

    assert word_error_rate(clip("window").text, transcripts(heard)[0]) <= 0.1


async def told(server: Server, speech: bytes, milliseconds: int) -> list[list[Event]]:
    """Each item's story without what is drawn by chance, and without when text became certain."""
    async with calling(server) as caller:
        await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 500})
        await caller.speak(speech, milliseconds)
        items = by_item(await caller.hear_until("completed", times=2))
    number = {item_id: place for place, item_id in enumerate(items)}
    return [
        [_named(event, number) for event in story if short_name(event) != "delta"] for story in items.values()
    ]


def _named(event: Event, number: dict[str, int]) -> Event:
    ids = {key: number.get(event[key]) for key in ("item_id", "previous_item_id") if key in event}
    item = {"item": {**event["item"], "id": number[event["item"]["id"]]}} if "item" in event else {}
    return {**event, **ids, **item, "event_id": None}
