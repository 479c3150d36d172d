"""Who gets in, by which address, and what a session survives."""

import base64
import json
from typing import Any, Final

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official
from tests.journeys.hearing import assert_told_in_order, transcripts
from tests.journeys.server import KEY, Server
from tests.journeys.speaking import Caller, calling, pcm16, pieces, silence
from tests.speech import clip

LITERAL_PATH: Final = "/realtime/intent=transcription"
DELTA_KEYS: Final = {"type", "event_id", "item_id", "content_index", "delta", "logprobs"}


async def farewell(caller: Caller) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed):
        await caller.hear()
    return caller.socket.close_code or 0, caller.socket.close_reason or ""


async def assert_transcribes(caller: Caller, name: str = "window") -> None:
    await caller.speak(pcm16(name) + silence(1000))
    heard = await caller.hear_until("completed")
    assert [clip(name).text] == transcripts(heard)


@pytest.mark.parametrize(
    ("headers", "code", "reason"),
    [
        ({"Authorization": "Bearer sk-wrong"}, "invalid_api_key", "invalid_request_error.invalid_api_key"),
        ({}, None, "invalid_request_error"),
    ],
    ids=["wrong key", "no key"],
)
async def test_who_may_not_enter_is_told_why(
    guarded: Server, headers: dict[str, str], code: str | None, reason: str
) -> None:
    async with calling(guarded, additional_headers=headers) as stranger:
        told = await stranger.hear()

        assert ("error", code) == (told["type"], told["error"]["code"])
        assert (3000, reason) == await farewell(stranger)


async def test_the_key_opens_the_door(guarded: Server) -> None:
    async with calling(guarded, additional_headers={"Authorization": f"Bearer {KEY}"}) as caller:
        await assert_transcribes(caller)


async def test_an_unknown_intent_is_refused(server: Server) -> None:
    async with calling(server, "/realtime?intent=conversation") as caller:
        told = await caller.hear()

        assert ("invalid_value", "intent") == (told["error"]["code"], told["error"]["param"])
        assert (4000, "invalid_request_error.invalid_value") == await farewell(caller)


@pytest.mark.parametrize(
    "address",
    ["/realtime?intent=transcription&model=whisper-1", "/realtime?model=gpt-4o-transcribe", "/realtime"],
    ids=["intent and model", "model alone", "neither"],
)
async def test_every_usual_address_opens_a_session(server: Server, address: str) -> None:
    async with calling(server, address) as caller:
        greeting = await caller.hear()
        await assert_transcribes(caller)

    assert "session.created" == greeting["type"]


async def test_the_literal_path_of_the_rfc_is_a_websocket(server: Server) -> None:
    async with calling(server, LITERAL_PATH, Shape.BETA) as caller:
        greeting = await caller.hear()
        await assert_transcribes(caller)

    assert "transcription_session.created" == greeting["type"]
    assert_told_in_order(caller.heard, Shape.BETA)


async def test_the_literal_path_of_the_rfc_takes_a_post(server: Server) -> None:
    async with posting(server) as client:
        answer = await client.post(LITERAL_PATH, json=append(pcm16("morning")))

    told = answer.json()
    assert 200 == answer.status_code
    assert set(told) == DELTA_KEYS
    assert "conversation.item.input_audio_transcription.delta" == told["type"]
    assert clip("morning").text == told["delta"]


async def test_posts_with_one_secret_continue_one_session(server: Server) -> None:
    audio = pcm16("bridge")
    half = len(audio) // 4 * 2

    async with posting(server) as client:
        made = await client.post("/realtime/transcription_sessions", json={"turn_detection": None})
        client.headers["Authorization"] = f"Bearer {made.json()['client_secret']['value']}"
        answers = [
            await client.post(LITERAL_PATH, json=event)
            for event in (append(audio[:half]), append(audio[half:]), {"type": "input_audio_buffer.commit"})
        ]

    assert [200, 200, 200] == [answer.status_code for answer in answers]
    assert clip("bridge").text == "".join(answer.json()["delta"] for answer in answers)


async def test_a_post_may_ask_for_a_stream_of_events(server: Server) -> None:
    async with posting(server) as client:
        client.headers["Accept"] = "text/event-stream"
        answer = await client.post(LITERAL_PATH, json=append(pcm16("door")))

    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    for frame in frames:
        assert_official(frame, Shape.BETA)
    events = [json.loads(frame) for frame in frames]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert_told_in_order(events, Shape.BETA, by_voice=False)
    assert [clip("door").text] == transcripts(events)


@pytest.mark.parametrize("nonsense", [b"\x00\x01", "{", '{"type":"no.such.event"}', "[]"], ids=repr)
async def test_nonsense_is_answered_and_the_session_goes_on(server: Server, nonsense: str | bytes) -> None:
    async with calling(server) as caller:
        await caller.hear_until("created")
        await caller.socket.send(nonsense)
        told = await caller.hear()
        await assert_transcribes(caller)

    assert ("error", "invalid_request_error") == (told["type"], told["error"]["type"])


async def test_an_error_names_the_event_that_caused_it(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(turn_detection=None)
        await caller.hear_until("updated")
        await caller.append(next(pieces(silence(99), 99)))
        await caller.say("input_audio_buffer.commit", event_id="abc")
        told = await caller.hear()

    assert ("input_audio_buffer_commit_empty", "abc") == (told["error"]["code"], told["error"]["event_id"])


async def test_a_rejected_update_changes_nothing(server: Server) -> None:
    async with calling(server) as caller:
        await caller.configure(transcription={"model": "no-such-model"}, turn_detection=None)
        greeting, told = await caller.hear(), await caller.hear()
        await caller.configure(noise_reduction={"type": "near_field"})
        updated = await caller.hear()

    assert "error" == told["type"]
    before, after = greeting["session"]["audio"]["input"], updated["session"]["audio"]["input"]
    assert {**before, "noise_reduction": {"type": "near_field"}} == after


async def test_fifteen_mebibytes_of_audio_may_come_in_one_event(server: Server) -> None:
    speech = pcm16("window") + silence(1000)
    audio = bytes(15 * 1024 * 1024 - len(speech)) + speech

    async with calling(server) as caller:
        await caller.append(base64.b64encode(audio).decode())
        heard = await caller.hear_until("completed")

    assert [clip("window").text] == transcripts(heard)


async def test_a_message_beyond_all_measure_ends_its_session_and_no_other(server: Server) -> None:
    async with calling(server) as good, calling(server) as bad:
        await bad.hear()
        with pytest.raises(ConnectionClosed):
            # The server hangs up on hearing how long it is going to be.
            await bad.socket.send("x" * (24 * 1024 * 1024 + 1))
        assert 1009 == bad.socket.close_code
        await good.hear()
        await assert_transcribes(good)


def posting(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, timeout=30)


def append(audio: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}
