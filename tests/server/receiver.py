"""A receiver of webhooks that keeps what it is posted."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[str], int | None]
"""The status for a transcript; None for no answer at all."""


@dataclass(frozen=True, slots=True)
class Posted:
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def text(self) -> str:
        return str(self.event["data"]["transcript"])


@dataclass(slots=True)
class Receiver:
    answer: Answer
    address: str = ""
    posted: list[Posted] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.posted]

    async def until(self, posts: int) -> None:
        async with asyncio.timeout(30):
            while len(self.posted) < posts:
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError):
            while await reader.readline():
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.posted.append(Posted(headers, body))
                self._news.set()
                if status := self.answer(self.posted[-1].text):
                    head = f"HTTP/1.1 {status} .\r\nLocation: {self.address}\r\nContent-Length: 2\r\n\r\n"
                    writer.write(head.encode() + b"ok")


@asynccontextmanager
async def receiving(answer: Answer = lambda _: 200) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/heard"
    try:
        yield receiver
    finally:
        server.close()


def answers(*statuses: int | None) -> Answer:
    """One after the other, then 200."""
    coming = iter(statuses)
    return lambda _: next(coming, 200)
