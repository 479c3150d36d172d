"""The demonstration: a clip streamed through the front door as a browser would, in real time."""

import asyncio
import base64
import json
import urllib.request
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

CLIP: Final = Path(__file__).parents[2] / "models" / "bundled" / "demo.wav"
_STEP_SECONDS: Final = 0.1
_SESSION: Final = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24_000},
            "transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
        }
    },
}


@dataclass(slots=True)
class Latencies:
    """In seconds since the clip began to play."""

    first_text: float | None = None
    speech_stopped: float | None = None
    completed: float | None = None

    def sentences(self) -> list[str]:
        told = []
        if self.first_text is not None:
            told.append(f"first words after {self.first_text:.2f} s of the clip")
        if self.completed is not None and self.speech_stopped is not None:
            told.append(
                f"final text {(self.completed - self.speech_stopped) * 1000:.0f} ms after the turn ended"
            )
        return told


async def show(base_url: str, say: Callable[[str], None], *, api_key: str | None = None) -> Latencies:
    """Plays the clip to the server and says what comes back, as it comes."""
    secret = await asyncio.to_thread(_mint, base_url, api_key)
    say(f"POST {base_url}/realtime/client_secrets\n  -> {secret[:12]}…\n")
    url = base_url.replace("http", "ws", 1) + "/realtime?intent=transcription"
    async with connect(url, subprotocols=_subprotocols(secret)) as socket:
        say(f"GET {url}\n  -> {json.loads(await socket.recv())['type']}\n\n")
        async with _playing(socket) as began:
            return await _watch(socket, say, began)


def snippets(base_url: str) -> str:
    """Ready to paste."""
    return _SNIPPETS.format(base_url=base_url, ws_url=base_url.replace("http", "ws", 1))


async def _watch(socket: ClientConnection, say: Callable[[str], None], began: float) -> Latencies:
    latencies = Latencies()
    with suppress(ConnectionClosed):
        async for frame in socket:
            event = json.loads(frame)
            now = monotonic() - began
            match event["type"].rsplit(".", 1)[-1]:
                case "delta":
                    latencies.first_text = latencies.first_text or now
                    say(event["delta"])
                case "speech_stopped":
                    latencies.speech_stopped = now
                case "completed":
                    latencies.completed = now
                    say(f"\n\nFinal: {event['transcript']}\n")
                    return latencies
                case "error" | "failed":
                    raise ConnectionError(event["error"]["message"])
                case _:
                    pass
    raise ConnectionError("The server hung up before the final text.")


@asynccontextmanager
async def _playing(socket: ClientConnection) -> AsyncIterator[float]:
    began = monotonic()
    playing = asyncio.create_task(_play(socket, began))
    try:
        yield began
    finally:
        playing.cancel()


async def _play(socket: ClientConnection, began: float) -> None:
    """The clip at the speed it was spoken, then silence, as from a microphone nobody speaks into."""
    with wave.open(str(CLIP)) as clip:
        step = int(clip.getframerate() * _STEP_SECONDS)
        due = began
        while True:
            due += _STEP_SECONDS
            await asyncio.sleep(due - monotonic())
            pcm = clip.readframes(step) or bytes(2 * step)
            audio = base64.b64encode(pcm).decode()
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))


def _mint(base_url: str, api_key: str | None) -> str:
    request = urllib.request.Request(  # noqa: S310  our own server, on loopback
        f"{base_url}/realtime/client_secrets",
        data=json.dumps({"session": _SESSION}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {api_key}"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310  as above
        return str(json.load(answer)["value"])


def _subprotocols(secret: str) -> list[Subprotocol]:
    """How a browser, which cannot set headers, shows its secret."""
    return [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{secret}")]


_SNIPPETS: Final = """\
curl
  curl {base_url}/realtime/client_secrets -H 'Content-Type: application/json' \\
    -d '{{"session": {{"type": "transcription"}}}}'

Python (pip install openai)
  import asyncio, base64, wave
  from openai import AsyncOpenAI

  async def main():
      client = AsyncOpenAI(base_url="{base_url}", api_key="none")
      async with client.realtime.connect(extra_query={{"intent": "transcription"}}) as connection:
          clip = wave.open("speech.wav")  # 24 kHz, mono, 16 bit
          audio = clip.readframes(clip.getnframes()) + bytes(48_000)
          await connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())
          async for event in connection:
              print(event.type, getattr(event, "delta", getattr(event, "transcript", "")))
              if event.type.endswith("transcription.completed"):
                  break

  asyncio.run(main())

JavaScript (in a browser, with the "value" that curl printed)
  const socket = new WebSocket("{ws_url}/realtime?intent=transcription",
                               ["realtime", "openai-insecure-api-key." + value]);
  socket.onmessage = (message) => console.log(JSON.parse(message.data));
  // then: socket.send(JSON.stringify({{type: "input_audio_buffer.append", audio: base64OfPcm16At24kHz}}));
"""
