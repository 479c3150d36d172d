"""A server in a process of its own that is treated badly, and what must be as before when that is over."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from tests.fakes import silence, speech
from tests.faults.proxy import Proxy, between
from tests.journeys.hearing import transcripts
from tests.journeys.server import COMMAND, Server, running
from tests.journeys.speaking import Caller, calling

WORDS: Final = "good morning all"
SECONDS: Final = 1.0
"""For handshakes, and for signs of life."""
POOL: Final = (os.cpu_count() or 1) + 4
"""Threads that may wait for more work of the kind they had."""


@contextmanager
def victim(folder: Path, *flags: str, command: Sequence[str | Path] = (COMMAND,)) -> Iterator[Server]:
    """It hears the same words in whatever is said."""
    impatient = ("--handshake-seconds", str(SECONDS), "--ping-seconds", str(SECONDS))
    script = ("--engine", "replay", "--replay-script", WORDS, "--vad", "energy", "--max-sessions", "0")
    # Of two flags the later counts. What the log would say at more than this, floods would repeat.
    with running(folder, *script, *impatient, "--log-level", "info", *flags, command=command) as server:
        yield server


def port(server: Server) -> int:
    found = urlsplit(server.base_url).port
    assert found is not None
    return found


@asynccontextmanager
async def beyond(server: Server) -> AsyncIterator[tuple[Server, Proxy]]:
    """The server, as it is reached through a bad network."""
    async with between(port(server)) as proxy:
        yield replace(server, base_url=f"http://127.0.0.1:{proxy.listening}/v1"), proxy


async def says(caller: Caller) -> list[str]:
    """What is heard in one turn of this caller's."""
    await caller.speak(speech(0.6) + silence(0.8))
    heard = await caller.hear_until("completed")
    return transcripts(heard)


async def health(server: Server) -> dict[str, Any]:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(server.base_url.replace("/v1", "/health"))
    found: dict[str, Any] = answer.json()
    return found


async def nobody_left(server: Server, within: float = 1.0) -> None:
    async with asyncio.timeout(within + 1):
        while (await health(server))["sessions"]:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.02)


@asynccontextmanager
async def unharmed(server: Server, within: float = 1.0) -> AsyncIterator[None]:
    """A session beside what happens inside goes on; afterwards nothing is left of it, within so many seconds."""
    await nobody_left(server, within)
    files, threads = belongings(server)
    async with calling(server) as bystander:
        assert [WORDS] == await says(bystander)
        yield
        assert [WORDS] == await says(bystander)
    await nobody_left(server, within)
    async with asyncio.timeout(5):
        while belongings(server)[0] > files:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    assert belongings(server)[1] <= threads + POOL
    assert "Traceback" not in server.log.read_text()


def belongings(server: Server) -> tuple[int, int]:
    """Open files, and threads."""
    process = Path("/proc", str(server.process.pid))
    return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))


def memory(server: Server) -> int:
    """Bytes of the process that are in memory."""
    status = Path("/proc", str(server.process.pid), "status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
