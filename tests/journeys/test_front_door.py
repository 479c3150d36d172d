"""Who gets in, and by which address."""

import base64
import json
from typing import Any, Final

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from realtime_asr.dialects.negotiate import Shape
from tests.dialects.official import assert_official
from tests.journeys.hearing import BY_CLIENT, assert_reads, assert_told_in_order, reads
from tests.journeys.server import KEY, Server
from tests.journeys.speaking import Caller, calling, pcm16, silence

LITERAL_PATH: Final = "/realtime/intent=transcription"
DELTA_KEYS: Final = {"type", "event_id", "item_id", "content_index", "delta", "logprobs"}


def in_header(key: str) -> dict[str, Any]:
    return {"additional_headers": {"Authorization": f"Bearer {key}"}}


def in_subprotocol(key: str) -> dict[str, Any]:
    return {"subprotocols": ["realtime", f"openai-insecure-api-key.{key}", "openai-organization.any"]}


async def farewell(caller: Caller) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed):
        await caller.hear()
    return caller.socket.close_code or 0, caller.socket.close_reason or ""


async def assert_transcribes(caller: Caller, name: str = "window") -> None:
    await caller.speak(pcm16(name) + silence(1000))
    heard = await caller.hear_until("completed")
    assert_reads(heard, name)


@pytest.mark.parametrize(
    ("shown", "code", "reason"),
    [
        (in_header("sk-wrong"), "invalid_api_key", "invalid_request_error.invalid_api_key"),
        (in_subprotocol("ek_wrong"), "invalid_api_key", "invalid_request_error.invalid_api_key"),
        ({}, None, "invalid_request_error"),
    ],
    ids=["wrong key", "wrong secret", "no key"],
)
async def test_who_may_not_enter_is_told_why(
    guarded: Server, shown: dict[str, Any], code: str | None, reason: str
) -> None:
    async with calling(guarded, **shown) as stranger:
        told = await stranger.hear()

        assert ("error", code) == (told["type"], told["error"]["code"])
        assert (3000, reason) == await farewell(stranger)


@pytest.mark.parametrize(
    ("shown", "selected"),
    [(in_header(KEY), None), (in_subprotocol(KEY), "realtime")],
    ids=["as programs do", "as browsers do"],
)
async def test_the_key_opens_the_door(guarded: Server, shown: dict[str, Any], selected: str | None) -> None:
    async with calling(guarded, **shown) as caller:
        await assert_transcribes(caller)

    assert selected == caller.socket.subprotocol


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
    assert reads("morning", told["delta"])


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
    assert reads("bridge", "".join(answer.json()["delta"] for answer in answers))


async def test_a_post_may_ask_for_a_stream_of_events(server: Server) -> None:
    async with posting(server) as client:
        client.headers["Accept"] = "text/event-stream"
        answer = await client.post(LITERAL_PATH, json=append(pcm16("door")))

    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    for frame in frames:
        assert_official(frame, Shape.BETA)
    events = [json.loads(frame) for frame in frames]
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert_told_in_order(events, Shape.BETA, BY_CLIENT)
    assert_reads(events, "door")


def posting(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, timeout=30)


def append(audio: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(audio).decode()}
