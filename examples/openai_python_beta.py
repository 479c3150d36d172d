"""Transcribes a WAV file (24 kHz, mono, 16 bit) with the official Python client's beta API.

It makes a session first, and opens it with the session's own secret, as a browser or a phone would.

    pip install openai
    python examples/openai_python_beta.py [BASE_URL] [WAV]
"""

import asyncio
import base64
import os
import sys
import wave
from pathlib import Path

from openai import AsyncOpenAI

DEMO = Path(__file__).parents[1] / "realtime_asr" / "models" / "bundled" / "demo.wav"


async def main(base_url: str = "http://127.0.0.1:8000/v1", path: str = str(DEMO)) -> None:
    with wave.open(path) as clip:
        speech = clip.readframes(clip.getnframes())
    async with AsyncOpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "none")) as owner:
        session = await owner.beta.realtime.transcription_sessions.create(
            input_audio_format="pcm16",
            input_audio_transcription={"model": "whisper-1", "language": "en"},
            turn_detection={"type": "server_vad", "silence_duration_ms": 500},
        )
    async with (
        AsyncOpenAI(
            base_url=base_url,
            # Without it this API connects over TLS, whatever the base URL says.
            websocket_base_url=base_url.replace("http", "ws", 1),
            api_key=session.client_secret.value,
        ) as client,
        client.beta.realtime.connect(
            model="gpt-4o-realtime-preview", extra_query={"intent": "transcription"}
        ) as connection,
    ):
        # A second of silence tells the voice detection that the turn is over.
        audio = base64.b64encode(speech + bytes(48_000)).decode()
        await connection.input_audio_buffer.append(audio=audio)
        async for event in connection:
            if event.type == "conversation.item.input_audio_transcription.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "conversation.item.input_audio_transcription.completed":
                print()
                return
            elif event.type in ("error", "conversation.item.input_audio_transcription.failed"):
                sys.exit(event.error.message)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
