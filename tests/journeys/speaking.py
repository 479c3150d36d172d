"""What clients say: clips as bytes for the wire, in pieces, as fast or as slowly as one likes."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np
import soxr
from websockets.asyncio.client import ClientConnection, connect

from realtime_asr.audio.formats import Encoding, decode, encode_pcm16
from realtime_asr.audio.timeline import RATE, Samples
from realtime_asr.dialects.negotiate import Shape
from tests.journeys.hearing import Ear
from tests.journeys.server import Server
from tests.speech.clips import clip

WIRE_RATE: Final = 24_000


def pcm16(name: str, rate: int = WIRE_RATE) -> bytes:
    """A clip as PCM16 at this rate."""
    return encode_pcm16(_resampled(name, rate))


def g711(name: str, encoding: Encoding) -> bytes:
    """A clip as over the telephone: each sample becomes the byte that decodes nearest to it."""
    table = decode(bytes(range(256)), encoding)
    order = np.argsort(table)
    between = (table[order][1:] + table[order][:-1]) / 2
    return bytes(order[np.searchsorted(between, _resampled(name, 8_000))].astype(np.uint8))


def silence(milliseconds: int, rate: int = WIRE_RATE) -> bytes:
    return bytes(2 * rate * milliseconds // 1000)


def pieces(audio: bytes, milliseconds: int = 100, bytes_per_second: int = 2 * WIRE_RATE) -> Iterator[str]:
    """In base64, as appends carry them."""
    step = bytes_per_second * milliseconds // 1000
    for start in range(0, len(audio), step):
        yield base64.b64encode(audio[start : start + step]).decode()


async def live(append: Callable[[str], Awaitable[None]], audio: bytes) -> None:
    """As a microphone gives it, 100 ms at a time."""
    now = asyncio.get_running_loop().time
    due = now()
    for piece in pieces(audio):
        due += 0.1
        await asyncio.sleep(due - now())
        await append(piece)


class Caller(Ear):
    """A client without any library: it says JSON and hears JSON."""

    def __init__(self, socket: ClientConnection, shape: Shape) -> None:
        super().__init__(socket.recv, shape)
        self.socket = socket

    async def say(self, type: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **fields}))

    async def configure(self, **input: Any) -> None:
        await self.say("session.update", session={"type": "transcription", "audio": {"input": input}})

    async def speak(
        self, audio: bytes, milliseconds: int = 100, bytes_per_second: int = 2 * WIRE_RATE
    ) -> None:
        for piece in pieces(audio, milliseconds, bytes_per_second):
            await self.append(piece)

    async def append(self, piece: str) -> None:
        await self.say("input_audio_buffer.append", audio=piece)

    async def commit(self) -> None:
        await self.say("input_audio_buffer.commit")


@asynccontextmanager
async def calling(
    server: Server, address: str = "/realtime?intent=transcription", shape: Shape = Shape.GA, **options: Any
) -> AsyncIterator[Caller]:
    async with connect(server.ws_url + address, ssl=server.tls, **options) as socket:
        yield Caller(socket, shape)


def _resampled(name: str, rate: int) -> Samples:
    return np.asarray(soxr.resample(clip(name).samples, RATE, rate), np.float32)
