"""Streams a WAV file (24 kHz, mono, 16 bit) as a microphone would, and shows the text as it grows.

python examples/plain_websockets.py [BASE_URL] [WAV]
"""

import asyncio
import base64
import json
import os
import sys
import wave
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

DEMO = Path(__file__).parents[1] / "realtime_asr" / "models" / "bundled" / "demo.wav"
SESSION = {
    "type": "transcription",
    "audio": {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}}},
}


async def main(base_url: str = "http://127.0.0.1:8000/v1", path: str = str(DEMO)) -> None:
    url = base_url.replace("http", "ws", 1) + "/realtime?intent=transcription"
    key = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    async with connect(url, additional_headers=key) as socket, asyncio.TaskGroup() as tasks:
        tasks.create_task(speak(socket, path))
        await read(socket)


async def speak(socket: ClientConnection, path: str) -> None:
    await socket.send(json.dumps({"type": "session.update", "session": SESSION}))
    with wave.open(path) as clip:
        while pcm := clip.readframes(clip.getframerate() // 10):
            audio = base64.b64encode(pcm).decode()
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            await asyncio.sleep(0.1)
    # This server's own: it finishes what was said, then hangs up.
    await socket.send(json.dumps({"type": "session.close"}))


async def read(socket: ClientConnection) -> None:
    async for frame in socket:
        event = json.loads(frame)
        match event["type"].rsplit(".", 1)[-1]:
            case "delta":
                print(event["delta"], end="", flush=True)
            case "completed":
                print()
            case "error" | "failed":
                print(event["error"]["message"], file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
