"""That only what is said counts: not how it was cut into messages, and hardly how it was encoded."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from realtime_asr.audio.formats import Encoding
from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import Event, assert_reads, by_item, short_name, transcripts
from tests.journeys.server import Server, running
from tests.journeys.speaking import calling, g711, pcm16, silence
from tests.speech.clips import word_error_rate


@dataclass(frozen=True, slots=True)
class Wire:
    name: str
    format: dict[str, Any]
    bytes_per_second: int
    encode: Callable[[str], bytes]


PCM_24K = Wire("24 kHz", {"type": "audio/pcm", "rate": 24000}, 48_000, pcm16)
PCM_16K = Wire("16 kHz", {"type": "audio/pcm", "rate": 16000}, 32_000, partial(pcm16, rate=16_000))
ULAW = Wire("µ-law", {"type": "audio/pcmu"}, 8_000, partial(g711, encoding=Encoding.ULAW))
ALAW = Wire("A-law", {"type": "audio/pcma"}, 8_000, partial(g711, encoding=Encoding.ALAW))


async def test_how_audio_is_cut_into_messages_changes_nothing(server: Server) -> None:
    # Longer turns are settled while they grow: which words then depends on when there was time for a pass.
    speech = pcm16("bridge") + silence(1000) + pcm16("door") + silence(1000)

    in_one_piece = await told(server, speech, milliseconds=60_000)

    assert 2 == len(in_one_piece)
    assert in_one_piece == await told(server, speech, milliseconds=10)
    assert in_one_piece == await told(server, speech, milliseconds=100)


@pytest.mark.parametrize("other_wire", [PCM_16K, ULAW, ALAW], ids=lambda wire: wire.name)
async def test_other_encodings_give_the_same_words(server: Server, other_wire: Wire) -> None:
    usual, other = [
        " ".join([await heard(server, wire, name) for name in ("bridge", "window", "monday")])
        for wire in (PCM_24K, other_wire)
    ]

    # A telephone carries nothing above 4 kHz, where many consonants are told apart.
    assert word_error_rate(usual, other) <= 0.1


BETA: Final = {"OpenAI-Beta": "realtime=v1"}
AT_16K: Final = {"input_audio_format": "pcm16", "input_audio_sample_rate": 16_000}


@pytest.mark.parametrize(
    ("address", "update"),
    [
        ("/realtime?intent=transcription&sample_rate=16000", {"input_audio_format": "pcm16"}),
        ("/realtime/intent=transcription?sample_rate=16000", {}),
        ("/realtime?intent=transcription", AT_16K),
    ],
    ids=["address", "literal path", "update"],
)
async def test_a_client_of_the_rfc_may_say_that_it_sends_16_khz(
    server: Server, address: str, update: dict[str, Any]
) -> None:
    async with calling(server, address, Shape.BETA, additional_headers=BETA) as caller:
        await caller.say("transcription_session.update", session={**update, "turn_detection": None})
        await caller.speak(pcm16("bridge", 16_000), bytes_per_second=32_000)
        await caller.commit()
        heard = await caller.hear_until("completed")

    assert [16_000] == [
        event["session"]["input_audio_sample_rate"] for event in heard if short_name(event) == "updated"
    ]
    assert_reads(heard, "bridge")


async def test_a_secret_carries_the_rate(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.base_url) as client:
        made = (await client.post("/realtime/transcription_sessions", json=AT_16K)).json()
    secret = {"Authorization": f"Bearer {made['client_secret']['value']}"}

    async with calling(server, shape=Shape.BETA, additional_headers=secret) as caller:
        await caller.speak(pcm16("bridge", 16_000) + silence(1000, 16_000), bytes_per_second=32_000)
        heard = await caller.hear_until("completed")

    assert 16_000 == made["input_audio_sample_rate"] == heard[0]["session"]["input_audio_sample_rate"]
    assert_reads(heard, "bridge")


async def test_a_server_may_take_16_khz_from_all_who_say_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--audio-rate", "16000") as server:
        async with calling(server) as caller:
            await caller.speak(pcm16("bridge", 16_000) + silence(1000, 16_000), bytes_per_second=32_000)
            heard = await caller.hear_until("completed")

    assert {"type": "audio/pcm", "rate": 16_000} == heard[0]["session"]["audio"]["input"]["format"]
    assert_reads(heard, "bridge")


async def heard(server: Server, wire: Wire, name: str) -> str:
    async with calling(server) as caller:
        await caller.configure(format=wire.format, turn_detection=None)
        await caller.speak(wire.encode(name), bytes_per_second=wire.bytes_per_second)
        await caller.commit()
        return transcripts(await caller.hear_until("completed"))[0]


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
    """With the number of an item in place of its id."""
    ids = {key: number.get(event[key]) for key in event if key.endswith("item_id")}
    named: Event = {**event, **ids, "event_id": None}
    if "item" in named:
        named["item"] = {**named["item"], "id": number[named["item"]["id"]]}
    return named
