"""The official Python client, as it is today."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.realtime.realtime_transcription_session_create_response import (
    RealtimeTranscriptionSessionCreateResponse,
)

from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import (
    BY_CLIENT,
    Ear,
    assert_reads,
    assert_times_make_sense,
    assert_told_in_order,
    short_name,
    transcripts,
)
from tests.journeys.server import Server
from tests.journeys.speaking import WIRE_RATE, live, pcm16, pieces, silence
from tests.speech.clips import clip, word_error_rate

VAD: Final = {"type": "server_vad", "silence_duration_ms": 500}


class Client(Ear):
    """The connection of the client, and what it hears."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        super().__init__(connection.recv_bytes, Shape.GA)
        self.connection = connection

    async def configure(self, turn_detection: Any) -> None:
        settings: Any = {"transcription": {"model": "whisper-1"}, "turn_detection": turn_detection}
        session: Any = {"type": "transcription", "audio": {"input": settings}}
        await self.connection.session.update(session=session)

    async def append(self, piece: str) -> None:
        await self.connection.input_audio_buffer.append(audio=piece)

    async def speak(self, audio: bytes) -> None:
        for piece in pieces(audio):
            await self.append(piece)


@asynccontextmanager
async def connected(server: Server, api_key: str = "any") -> AsyncIterator[Client]:
    async with (
        AsyncOpenAI(base_url=server.base_url, api_key=api_key) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        yield Client(connection)


async def test_turns_cut_by_the_voice_are_told_in_the_order_of_the_specification(server: Server) -> None:
    async with connected(server) as client:
        await client.configure(VAD)
        await client.speak(pcm16("bridge") + silence(1000) + pcm16("door") + silence(1000))
        await client.hear_until("completed", times=2)

    assert ["session.created", "session.updated"] == [event["type"] for event in client.heard[:2]]
    assert_told_in_order(client.heard, Shape.GA)
    assert_times_make_sense(client.heard)
    assert_reads(client.heard, "bridge", "door")


async def test_text_arrives_while_the_speaker_is_still_speaking(server: Server) -> None:
    speech = pcm16("window") + pcm16("bridge")
    last_second = len(speech) - 2 * WIRE_RATE

    async with connected(server) as client, asyncio.TaskGroup() as tasks:
        await client.configure({**VAD, "silence_duration_ms": 1500})
        tasks.create_task(client.hear_until("completed"))
        await live(client.append, speech[:last_second])
        early = [event for event in client.heard if short_name(event) == "delta"]
        await live(client.append, speech[last_second:] + silence(2000))

    assert len(early) >= 3
    assert_told_in_order(client.heard, Shape.GA)


async def test_a_client_may_say_itself_where_a_turn_ends(server: Server) -> None:
    async with connected(server) as client:
        await client.configure(None)
        await client.speak(pcm16("morning"))
        await client.connection.input_audio_buffer.commit()
        await client.hear_until("completed")

    assert_told_in_order(client.heard, Shape.GA, BY_CLIENT)
    assert_reads(client.heard, "morning")


async def test_an_error_reaches_the_client_and_the_session_goes_on(server: Server) -> None:
    async with connected(server) as client:
        await client.configure(None)
        await client.connection.input_audio_buffer.commit(event_id="too-early")
        await client.hear_until("updated")
        told = await client.hear()
        await client.speak(pcm16("bridge"))
        await client.connection.input_audio_buffer.commit()
        await client.hear_until("completed")

    error = told["error"]
    assert ("input_audio_buffer_commit_empty", "too-early") == (error["code"], error["event_id"])
    assert_reads(client.heard, "bridge")


async def test_a_client_secret_brings_its_configuration_to_the_socket(server: Server) -> None:
    patient: Any = {
        "type": "transcription",
        "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 1200}}},
    }
    async with AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
        secret = await client.realtime.client_secrets.create(session=patient)

    async with connected(server, api_key=secret.value) as holder:
        await holder.speak(pcm16("bridge") + silence(600) + pcm16("door") + silence(1800) + pcm16("window"))
        await holder.speak(silence(1500))
        await holder.hear_until("completed", times=2)

    assert isinstance(secret.session, RealtimeTranscriptionSessionCreateResponse)
    assert 1200 == holder.heard[0]["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"]
    assert_told_in_order(holder.heard, Shape.GA)
    said = f"{clip('bridge').text} {clip('door').text} {clip('window').text}"
    assert word_error_rate(said, " ".join(transcripts(holder.heard))) <= 0.1
