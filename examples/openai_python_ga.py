"""Transcribes a WAV file (24 kHz, mono, 16 bit) with the official Python client.

pip install openai
python examples/openai_python_ga.py [BASE_URL] [WAV]
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
        audio = base64.b64encode(clip.readframes(clip.getnframes())).decode()
    async with (
        AsyncOpenAI(base_url=base_url, api_key=os.environ.get("OPENAI_API_KEY", "none")) as client,
        client.realtime.connect(extra_query={"intent": "transcription"}) as connection,
    ):
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}},
            }
        )
        await connection.input_audio_buffer.append(audio=audio)
        await connection.input_audio_buffer.commit()
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
