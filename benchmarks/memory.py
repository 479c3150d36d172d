"""What sessions cost in memory, read off a server in a process of its own: `python -m benchmarks.memory`."""

import argparse
import asyncio
import base64
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection, connect

from realtime_asr.bench.process import usage
from tests.fakes import silence, speech
from tests.journeys.server import Server, running

REPLAY: Final = ("--engine", "replay", "--replay-script", "good morning all")
"""An engine without weights: what is measured is the gateway."""
KEPT_KIB: Final = 1.1 * 16_000 * 4 / 1024
"""Audio without speech that every session keeps, in which a turn may turn out to have begun."""


async def idle_kib(server: Server, *, connections: int) -> float:
    """Of one connection whose microphone nobody speaks into, beyond the audio it keeps."""
    async with AsyncExitStack() as calls:
        await _idle(server, 50, calls)
        before = resident_kib(server)
        await _idle(server, connections, calls)
        return (resident_kib(server) - before) / connections - KEPT_KIB


async def growth_kib(server: Server, *, after_minutes: int, minutes: int) -> int:
    """While somebody speaks for so many minutes, having spoken for a while."""
    async with AsyncExitStack() as calls:
        socket = await _call(server, calls)
        await _speak(socket, after_minutes)
        before = resident_kib(server)
        await _speak(socket, minutes)
        return resident_kib(server) - before


def resident_kib(server: Server) -> int:
    used = usage(server.process.pid)
    assert used is not None
    return used.resident_bytes // 1024


async def _idle(server: Server, count: int, calls: AsyncExitStack) -> None:
    for _ in range(count):
        socket = await _call(server, calls)
        for _ in range(30):
            await socket.send(_append(silence(0.1)))
        # Answered after the audio was heard.
        await socket.send('{"type": "conversation.item.retrieve", "item_id": "none"}')
        await _heard(socket, "error")


async def _speak(socket: ClientConnection, minutes: int) -> None:
    """A sentence and a pause, again and again, as fast as they are understood."""
    sentence = [_append(part) for part in (speech(1.0), speech(0.3) + silence(0.7), silence(1.0))]
    for _ in range(minutes * 20):
        sending = asyncio.gather(*(socket.send(frame) for frame in sentence))
        await _heard(socket, ".completed")
        await sending


async def _call(server: Server, calls: AsyncExitStack) -> ClientConnection:
    url = f"{server.ws_url}/realtime?intent=transcription"
    return await calls.enter_async_context(connect(url, compression=None))


async def _heard(socket: ClientConnection, ending: str) -> None:
    while not json.loads(await socket.recv())["type"].endswith(ending):
        pass


def _append(pcm: bytes) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})


async def main() -> None:
    for vad in ("energy", "silero"):
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), *REPLAY, "--vad", vad) as server:
            each = await idle_kib(server, connections=500)
        print(f"{vad}: an idle connection costs {each:.0f} KiB beyond {KEPT_KIB:.0f} KiB of kept audio")
    # A tone is speech to the scorer that knows loudness only.
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), *REPLAY, "--vad", "energy") as server:
        grown = await growth_kib(server, after_minutes=10, minutes=20)
    print(f"from 10 to 30 minutes of audio the process grows by {grown} KiB")


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__).parse_args()
    asyncio.run(main())
