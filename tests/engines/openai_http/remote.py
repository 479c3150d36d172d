"""A file endpoint on this machine that keeps what it is posted, and answers as it is told."""

import asyncio
import io
import json
import wave
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from python_multipart import parse_form

from realtime_asr.audio.formats import Encoding, decode
from realtime_asr.audio.timeline import Samples

PATIENCE = 30


@dataclass(frozen=True, slots=True, eq=False)
class Posted:
    path: str
    headers: Mapping[str, str]
    """By their names in small letters."""
    fields: Mapping[str, Sequence[str]]
    file: tuple[str, bytes]

    def field(self, name: str) -> str:
        [value] = self.fields[name]
        return value

    @property
    def samples(self) -> Samples:
        with wave.open(io.BytesIO(self.file[1])) as recording:
            assert (1, 2, 16_000) == recording.getparams()[:3]
            return decode(recording.readframes(recording.getnframes()), Encoding.PCM16)

    @property
    def level(self) -> float:
        return round(float(np.abs(self.samples).max()), 1)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Script = Callable[[Posted], Answer | None]
"""None hangs up without an answer."""


def verbose(text: str, **more: Any) -> Answer:
    return Answer(body=json.dumps({"task": "transcribe", "duration": 1.0, "text": text, **more}).encode())


def loudness(posted: Posted) -> Answer:
    """How loud it is, and how many milliseconds long."""
    return verbose(f"{posted.level} for {len(posted.samples) // 16}", language="english")


def answers(*script: Answer | None, then: Script = loudness) -> Script:
    coming = iter(script)
    return lambda posted: next(coming, then(posted))


@dataclass(slots=True)
class Remote:
    answer: Script = loudness
    looked_at: Answer = field(default_factory=Answer)
    """What /models answers."""
    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    looks: list[Mapping[str, str]] = field(default_factory=list)
    """The headers of each."""
    takes: float = 0.0
    """Seconds before each answer."""
    hung_up: int = 0
    """Clients that were gone before they had their answer."""
    _free: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _connections: dict[asyncio.Task[Any], asyncio.StreamWriter] = field(default_factory=dict)

    def hold(self) -> None:
        """Nobody gets an answer until it is let go."""
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not happened():
                self._news.clear()
                await self._news.wait()

    async def until_posted(self, posts: int) -> None:
        await self.until(lambda: len(self.posted) >= posts)

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def leave(self) -> None:
        """At once, whoever waits."""
        assert self._server is not None
        self._server.close()
        for writer in self._connections.values():
            writer.transport.abort()
        await asyncio.gather(*self._connections)

    async def come_back(self) -> None:
        await self.listen(int(self.url.split(":")[2].split("/")[0]))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            while answer := await self._answered(reader):
                writer.write(_written(answer))
                await writer.drain()

    async def _answered(self, reader: asyncio.StreamReader) -> Answer | None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        method, path, _ = first.split()
        if method == "GET":
            self.looks.append(headers)
            self._news.set()
            return self.looked_at if path == "/v1/models" else Answer(404)
        body = await reader.readexactly(int(headers["content-length"]))
        self.posted.append(posted := _read(path, headers, body))
        self._news.set()
        return self.answer(posted) if await self._waits(reader) else None

    async def _may_answer(self) -> None:
        await self._free.wait()
        await asyncio.sleep(self.takes)

    async def _waits(self, reader: asyncio.StreamReader) -> bool:
        """Whether the client is still there when it may have its answer."""
        gone, free = asyncio.ensure_future(reader.read(1)), asyncio.ensure_future(self._may_answer())
        try:
            await asyncio.wait((gone, free), return_when=asyncio.FIRST_COMPLETED)
            is_gone = gone.done()
        finally:
            for each in (gone, free):
                each.cancel()
            await asyncio.gather(gone, free, return_exceptions=True)
        self.hung_up += is_gone
        self._news.set()
        return not is_gone


@asynccontextmanager
async def remote(answer: Script = loudness) -> AsyncIterator[Remote]:
    there = Remote(answer)
    there.let_go()
    await there.listen()
    try:
        yield there
    finally:
        await there.leave()


def _read(path: str, headers: Mapping[str, str], body: bytes) -> Posted:
    fields: defaultdict[str, list[str]] = defaultdict(list)
    files: list[tuple[str, bytes]] = []

    def keep(file: Any) -> None:
        file.file_object.seek(0)
        files.append((file.file_name.decode(), file.file_object.read()))

    parse_form(
        {"Content-Type": headers["content-type"].encode(), "Content-Length": str(len(body)).encode()},
        io.BytesIO(body),
        lambda each: fields[(each.field_name or b"").decode()].append((each.value or b"").decode()),
        keep,
    )
    [file] = files
    return Posted(path, headers, fields, file)


def _written(answer: Answer) -> bytes:
    told = {"Content-Length": str(len(answer.body)), **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {answer.status} .\r\n{head}\r\n".encode() + answer.body
