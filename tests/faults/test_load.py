"""Many connections that do nothing, and many that come and go: what they cost, and what they leave behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.footprint import Footprint, allow_files, footprint
from benchmarks.memory import REPLAY
from tests.journeys.server import Server, running

MANY: Final = 1_000
AT_ONCE: Final = 50
IDLE_KIB: Final = 64
"""What a connection may cost that was greeted and said nothing yet."""
HEALTH_SECONDS: Final = 0.05
GROWTH_KIB: Final = 16 * 1024
PATIENCE_SECONDS: Final = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    allow_files(2 * MANY)
    flags = (*REPLAY, "--vad", "energy", "--max-sessions", "0", "--log-level", "info")
    with running(tmp_path_factory.mktemp("load"), *flags) as server:
        yield server


async def test_a_thousand_idle_sessions_cost_little_and_keep_nobody_waiting(server: Server) -> None:
    async with AsyncExitStack() as calls:
        for _ in range(AT_ONCE):
            await calls.enter_async_context(greeted(server))
        before = footprint(server.process.pid)
        await at_once(calls.enter_async_context(greeted(server)) for _ in range(MANY))
        after = footprint(server.process.pid)
        slowest = [await slowest_health(server)]
        if slowest[0] > HEALTH_SECONDS:
            # The machine may have been busy with something else.
            slowest.append(await slowest_health(server))

    assert (after.resident_kib - before.resident_kib) / MANY <= IDLE_KIB
    assert MANY <= after.files - before.files <= MANY + AT_ONCE
    assert min(slowest) <= HEALTH_SECONDS


async def test_a_thousand_connections_that_break_leave_nothing_behind(server: Server) -> None:
    await at_once(broken_off(server) for _ in range(MANY // 2))
    before = await at_rest(server)

    await at_once(broken_off(server) for _ in range(MANY))
    after = await at_rest(server, before.files, before.threads)

    assert after.resident_kib - before.resident_kib <= GROWTH_KIB


@asynccontextmanager
async def greeted(server: Server) -> AsyncIterator[ClientConnection]:
    address = f"{server.ws_url}/realtime?intent=transcription"
    async with connect(address, compression=None, open_timeout=PATIENCE_SECONDS, close_timeout=1) as socket:
        await socket.recv()
        yield socket


async def broken_off(server: Server) -> None:
    """Reset, as where a machine goes down."""
    async with greeted(server) as socket:
        await socket.send('{"type": "input_audio_buffer.append", "audio": "' + "AAAA" * 1_600 + '"}')
        socket.transport.abort()


async def at_once(works: Iterable[Awaitable[object]]) -> None:
    """All of them, some at a time: a thousand handshakes together would be another test."""
    places = asyncio.Semaphore(AT_ONCE)

    async def in_place(work: Awaitable[object]) -> None:
        async with places:
            await work

    await asyncio.gather(*map(in_place, works))


async def at_rest(server: Server, files: int | None = None, threads: int | None = None) -> Footprint:
    """Once no session is open, and no more files and threads than these."""

    def rests(held: Footprint) -> bool:
        return (files is None or held.files <= files) and (threads is None or held.threads <= threads)

    last = perf_counter() + PATIENCE_SECONDS
    async with health(server) as ask:
        while True:
            told, held = await ask(), footprint(server.process.pid)
            if b'"sessions":0' in told and rests(held):
                return held
            assert perf_counter() < last, (told, held)


async def slowest_health(server: Server, times: int = 300) -> float:
    """But for the slowest one in a hundred."""
    took = []
    async with health(server) as ask:
        for _ in range(times):
            began = perf_counter()
            await ask()
            took.append(perf_counter() - began)
    return sorted(took)[times * 99 // 100 - 1]


@asynccontextmanager
async def health(server: Server) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Asks on one connection, without a client that takes longer than the server."""
    where = urlsplit(server.base_url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)

    async def ask() -> bytes:
        writer.write(f"GET /health HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return await reader.readexactly(length)

    try:
        yield ask
    finally:
        writer.close()
        await writer.wait_closed()
