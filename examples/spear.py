"""Transcribes a WAV file (24 kHz, mono, 16 bit) in the four steps of SPEAR's real-time worker.

    python examples/spear.py [BASE_URL] [WAV]

The worker, of https://github.com/lfedgeai/SPEAR, speaks OpenAI's beta API: make a session, open a socket with
the session's own secret, append audio, read what comes. It never says that a turn is over.
"""

import asyncio
import base64
import json
import os
import sys
import wave
from pathlib import Path

import httpx2
from websockets.asyncio.client import ClientConnection, connect

DEMO = Path(__file__).parents[1] / "realtime_asr" / "models" / "bundled" / "demo.wav"
WISH = {"input_audio_format": "pcm16", "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"}}
BLOCK = 10_240  # samples


async def main(base_url: str = "http://127.0.0.1:8000/v1", path: str = str(DEMO)) -> None:
    secret = await make_session(base_url)
    url = base_url.replace("http", "ws", 1) + "/realtime?intent=transcription"
    headers = {"Authorization": f"Bearer {secret}", "OpenAI-Beta": "realtime=v1"}
    async with connect(url, additional_headers=headers) as socket:
        await append(socket, path)
        await read(socket)


async def make_session(base_url: str) -> str:
    key = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    async with httpx2.AsyncClient(headers=key) as client:
        answer = await client.post(f"{base_url}/realtime/transcription_sessions", json=WISH)
    if answer.status_code != 200:
        sys.exit(answer.text)
    return str(answer.json()["client_secret"]["value"])


async def append(socket: ClientConnection, path: str) -> None:
    with wave.open(path) as clip:
        # A second of silence tells the voice detection that the turn is over.
        audio = clip.readframes(clip.getnframes()) + bytes(2 * clip.getframerate())
    for start in range(0, len(audio), 2 * BLOCK):
        block = base64.b64encode(audio[start : start + 2 * BLOCK]).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": block}))


async def read(socket: ClientConnection) -> None:
    async for frame in socket:
        event = json.loads(frame)
        match event["type"]:
            case "conversation.item.input_audio_transcription.delta":
                print(event["delta"], end="", flush=True)
            case "conversation.item.input_audio_transcription.completed":
                print()
                return
            case "error" | "conversation.item.input_audio_transcription.failed":
                sys.exit(event["error"]["message"])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
