"""The official Python client with OpenAI's beta API, as older programs still use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from openai import AsyncOpenAI
from openai.resources.beta.realtime.realtime import AsyncRealtimeConnection

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import (
    BY_CLIENT,
    Ear,
    assert_reads,
    assert_times_make_sense,
    assert_told_in_order,
)
from tests.journeys.server import KEY, Server
from tests.journeys.speaking import pcm16, pieces, silence

VAD: Final = {"type": "server_vad", "silence_duration_ms": 500}


class Client(Ear):
    """The connection of the client, and what it hears."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        super().__init__(connection.recv_bytes, Shape.BETA)
        self.connection = connection

    async def configure(self, turn_detection: Any) -> None:
        session: Any = {
            "input_audio_format": "pcm16",
            "input_audio_transcription": {"model": "whisper-1", "language": "en", "prompt": ""},
            "turn_detection": turn_detection,
        }
        await self.connection.transcription_session.update(session=session)

    async def speak(self, audio: bytes) -> None:
        for piece in pieces(audio):
            await self.connection.input_audio_buffer.append(audio=piece)


@asynccontextmanager
async def connected(openai: AsyncOpenAI) -> AsyncIterator[Client]:
    # This API cannot leave the model out.
    opening = openai.beta.realtime.connect(
        model="gpt-4o-realtime-preview", extra_query={"intent": "transcription"}
    )
    async with openai, opening as connection:
        yield Client(connection)


def plain(server: Server) -> AsyncOpenAI:
    # It takes https for granted, whatever the base URL says, unless told otherwise.
    return AsyncOpenAI(base_url=server.base_url, websocket_base_url=server.ws_url, api_key="any")


async def test_turns_cut_by_the_voice_are_told_in_the_order_of_the_specification(server: Server) -> None:
    async with connected(plain(server)) as client:
        await client.configure(VAD)
        await client.speak(pcm16("window") + silence(1000) + pcm16("monday") + silence(1000))
        await client.hear_until("completed", times=2)

    opening = [event["type"] for event in client.heard[:2]]
    assert ["transcription_session.created", "transcription_session.updated"] == opening
    assert_told_in_order(client.heard, Shape.BETA)
    assert_times_make_sense(client.heard)
    assert_reads(client.heard, "window", "monday")


async def test_a_client_may_say_itself_where_a_turn_ends(server: Server) -> None:
    async with connected(plain(server)) as client:
        await client.configure(None)
        await client.speak(pcm16("door"))
        await client.connection.input_audio_buffer.commit()
        await client.hear_until("completed")

    assert_told_in_order(client.heard, Shape.BETA, BY_CLIENT)
    assert_reads(client.heard, "door")


async def test_over_tls_a_session_is_made_first_and_opened_with_its_secret(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(guarded.authority))
    patient: Any = {"type": "server_vad", "silence_duration_ms": 700}

    async with AsyncOpenAI(base_url=guarded.base_url, api_key=KEY) as owner:
        made = await owner.beta.realtime.transcription_sessions.create(turn_detection=patient)
    secret = made.client_secret.value
    async with connected(AsyncOpenAI(base_url=guarded.base_url, api_key=secret)) as client:
        await client.speak(pcm16("bridge") + silence(1000))
        await client.hear_until("completed")

    assert secret.startswith("ek_")
    assert 700 == client.heard[0]["session"]["turn_detection"]["silence_duration_ms"]
    assert_told_in_order(client.heard, Shape.BETA)
    assert_reads(client.heard, "bridge")


async def test_over_tls_the_key_itself_opens_sessions_too(
    guarded: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(guarded.authority))

    async with connected(AsyncOpenAI(base_url=guarded.base_url, api_key=KEY)) as client:
        await client.configure(None)
        await client.speak(pcm16("morning"))
        await client.connection.input_audio_buffer.commit()
        await client.hear_until("completed")

    assert_told_in_order(client.heard, Shape.BETA, BY_CLIENT)
    assert_reads(client.heard, "morning")
