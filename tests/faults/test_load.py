"""Many connections that do nothing, many that come and go, and one that keeps the engine busy: what they cost,
and what they leave behind.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import httpx2
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.footprint import Footprint, allow_files, footprint
from benchmarks.memory import REPLAY
from tests.decoders.files import WAV, encoded
from tests.faults.asking import HEALTH_SECONDS, asking, slowest_health
from tests.faults.machine import within
from tests.journeys.server import Server, running
from tests.speech.clips import clip

MANY: Final = 1_000
AT_ONCE: Final = 50
IDLE_KIB: Final = 64
"""What a connection may cost that was greeted and said nothing yet."""
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
        await within(HEALTH_SECONDS, partial(slowest_health, server))

    assert (after.resident_kib - before.resident_kib) / MANY <= IDLE_KIB
    assert MANY <= after.files - before.files <= MANY + AT_ONCE


async def test_a_thousand_connections_that_break_leave_nothing_behind(server: Server) -> None:
    await at_once(broken_off(server) for _ in range(MANY // 2))
    before = await at_rest(server)

    await at_once(broken_off(server) for _ in range(MANY))
    after = await at_rest(server, before.files, before.threads)

    assert after.resident_kib - before.resident_kib <= GROWTH_KIB


async def test_a_busy_engine_keeps_nobody_waiting_who_asks_how_it_is(tmp_path: Path) -> None:
    """There are other threads for what a model does, and they let go of the one that answers."""
    long = encoded(np.tile(clip("window").samples, 120), WAV)
    with running(tmp_path, "--log-level", "info") as server:
        async with httpx2.AsyncClient(base_url=server.base_url, timeout=PATIENCE_SECONDS) as client:
            upload = client.post("/audio/transcriptions", files={"file": long}, data={"model": "whisper-1"})
            heard = asyncio.create_task(upload)
            async with asking(server) as ask:
                while b'"sessions":0' in (await ask())[1]:
                    """It comes up still."""
            await within(HEALTH_SECONDS, partial(slowest_health, server, times=100))
            was_busy = not heard.done()
            heard.cancel()
            await asyncio.wait([heard])

    assert was_busy


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
    async with asking(server) as ask:
        while True:
            (_, told), held = await ask(), footprint(server.process.pid)
            if b'"sessions":0' in told and rests(held):
                return held
            assert perf_counter() < last, (told, held)
