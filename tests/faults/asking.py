"""How soon a server answers when asked how it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from tests.faults.victim import slowest
from tests.journeys.server import Server

HEALTH_SECONDS: Final = 0.05
"""It may take, whatever else goes on."""


async def slowest_health(server: Server, times: int = 300) -> float:
    async with asking(server) as ask:
        took = []
        for _ in range(times):
            began = perf_counter()
            status, _ = await ask()
            took.append(perf_counter() - began)
            assert 200 == status
    return slowest(took)


@asynccontextmanager
async def asking(
    server: Server, path: str = "/health"
) -> AsyncIterator[Callable[[], Awaitable[tuple[int, bytes]]]]:
    """On one connection, without a client that takes longer than the server. Told are status and body."""
    where = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)

    async def ask() -> tuple[int, bytes]:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)

    try:
        yield ask
    finally:
        writer.close()
        await writer.wait_closed()
