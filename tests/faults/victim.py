"""A server in a process of its own that is treated badly, and what must be as before when that is over."""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from tests.fakes import silence, speech
from tests.faults.machine import patience
from tests.faults.proxy import Proxy, between
from tests.journeys.hearing import transcripts
from tests.journeys.server import COMMAND, Server, running
from tests.journeys.speaking import Caller, calling

WORDS: Final = "good morning all"
SPOKEN: Final = speech(0.6) + silence(0.8)
TURN: Final = {"type": "input_audio_buffer.append", "audio": base64.b64encode(SPOKEN).decode()}
"""A turn, as one message."""
ALONE_SECONDS: Final = 0.6
"""A bystander speaks before anything happens."""
LATE_SECONDS: Final = 0.25
"""By so much its words may come later then: a fault that holds up a server does so for longer."""
UNSPEAKABLE: Final = ("morning", TURN["audio"][:64], "Traceback", "broke", "Exception")
"""In a log."""
SECONDS: Final = 1.0
"""For handshakes, and for signs of life."""
POOL: Final = (os.cpu_count() or 1) + 4
"""Threads that may wait for more work of the kind they had."""


@contextmanager
def victim(folder: Path, *flags: str, command: Sequence[str | Path] = (COMMAND,)) -> Iterator[Server]:
    """It hears the same words in whatever is said. Its log holds none of them, and no fault of ours."""
    impatient = ("--handshake-seconds", str(SECONDS), "--ping-seconds", str(SECONDS))
    script = ("--engine", "replay", "--replay-script", WORDS, "--vad", "energy", "--max-sessions", "0")
    # Of two flags the later counts. What the log would say at more than this, floods would repeat.
    with running(folder, *script, *impatient, "--log-level", "info", *flags, command=command) as server:
        yield server
    log = server.log.read_text()
    assert not [word for word in UNSPEAKABLE if word in log], log


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
    await caller.speak(SPOKEN)
    heard = await caller.hear_until("completed")
    return transcripts(heard)


async def health(server: Server) -> dict[str, Any]:
    async with httpx2.AsyncClient() as client:
        answer = await client.get(server.base_url.replace("/v1", "/health"))
    found: dict[str, Any] = answer.json()
    return found


async def nobody_left(server: Server, within: float = 1.0) -> None:
    """Seconds in which others want a core count as less."""
    waited, looked = 0.0, time.monotonic()
    while (await health(server))["sessions"]:
        assert waited <= within, f"still open after {within} s"
        await asyncio.sleep(0.02)
        stretch, before, looked = patience(), looked, time.monotonic()
        waited += (looked - before) / stretch


@asynccontextmanager
async def unharmed(server: Server, within: float = 1.0, late: float = LATE_SECONDS) -> AsyncIterator[None]:
    """Sessions beside what happens inside go on, and hear their words no later than so; afterwards nothing is
    left of it, within so many seconds.
    """
    await nobody_left(server, within)
    files, threads = belongings(server)
    async with calling(server) as caller, beside(server, late):
        assert [WORDS] == await says(caller)
        yield
        assert [WORDS] == await says(caller)
    await nobody_left(server, within)
    async with asyncio.timeout(5):
        while belongings(server)[0] > files:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.05)
    assert belongings(server)[1] <= threads + POOL


@asynccontextmanager
async def beside(server: Server, late: float) -> AsyncIterator[None]:
    """Somebody else speaks all the time, and of its waiting for words no more is due to what happens inside
    than a tenth, and so many seconds that clocks and other work may take.
    """
    before = patience()
    async with speaking(server) as times:
        await asyncio.sleep(ALONE_SECONDS)
        began = time.monotonic()
        yield
        ended = time.monotonic()
    alone = slowest(took for at, took in times if at < began)
    waited = slowest(took for at, took in times if began <= at < ended)
    assert waited <= 1.1 * alone + late * max(before, patience()), f"{waited} s, and {alone} s before"


@asynccontextmanager
async def speaking(server: Server) -> AsyncIterator[list[tuple[float, float]]]:
    """When each turn of a bystander's began, and how soon its first word came: known after the block."""
    address = f"{server.ws_url}/realtime?intent=transcription"
    script, pipe = Path(__file__).with_name("bystander.py"), asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, script, address, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    process.stdin.write(json.dumps(TURN).encode() + b"\n")
    times: list[tuple[float, float]] = []
    try:
        yield times
    finally:
        told, _ = await process.communicate(b"")
    times += [(at, took) for at, took in json.loads(told)]


def slowest(times: Iterable[float]) -> float:
    """But for the slowest one in a hundred."""
    ordered = sorted(times)
    return ordered[len(ordered) * 99 // 100 - 1] if len(ordered) >= 100 else max(ordered, default=0.0)


def belongings(server: Server) -> tuple[int, int]:
    """Open files, and threads."""
    process = Path("/proc", str(server.process.pid))
    return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))


def memory(server: Server) -> int:
    """Bytes of the process that are in memory."""
    status = Path("/proc", str(server.process.pid), "status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
