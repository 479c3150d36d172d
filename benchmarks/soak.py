"""Visitors of every kind, and whether the server is afterwards as it was: `python -m benchmarks.soak`.

The server is a process of its own, with an engine that needs no model: what is watched is the gateway. Told
are the visits, how memory grew after a while of warming up, and what was left when all were gone; whatever
should not be ends the command with 1.
"""

import argparse
import asyncio
import base64
import io
import json
import sys
import tempfile
import wave
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Final

import httpx
import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.footprint import Footprint, footprint
from benchmarks.memory import REPLAY
from realtime_asr.dialects.negotiate import Shape
from tests.fakes import silence, speech
from tests.journeys.server import Server, running

_PIECE: Final = 4_800
"""Bytes of 100 ms."""
_FASTER: Final = 10
"""Than anybody speaks."""
_VISIT_SECONDS: Final = 60.0
_SAMPLE_SECONDS: Final = 1.0
_WARM: Final = 0.5
"""Of the time: caches fill, and the allocator learns what is needed."""

SLOPE_MIB: Final = 1.0
"""By which memory may grow in an hour, where so long was watched that it can be told."""
_TELLING_MINUTES: Final = 60.0
GROWTH_MIB: Final = 16.0

Visit = Callable[[Server, Random], Awaitable[None]]

_NOTHING: Final = Footprint(0, 0, 0)


class Wrong(Exception):
    """What no visitor should meet."""


@dataclass(slots=True)
class Soak:
    """What was seen."""

    minutes: float
    visits: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    resident: list[tuple[float, int]] = field(default_factory=list)
    """After so many seconds so many KiB, from when it was warm."""
    before: Footprint = _NOTHING
    after: Footprint = _NOTHING
    """When nobody was there."""

    @property
    def slope_mib(self) -> float:
        """In an hour."""
        if len(self.resident) < 2:
            return 0.0
        seconds, kib = np.transpose(self.resident)
        return float(np.polyfit(seconds, kib, 1)[0]) * 3600 / 1024

    @property
    def growth_mib(self) -> float:
        """From the first quarter to the last, as they were in the middle."""
        kib = [each for _, each in self.resident]
        quarter = len(kib) // 4
        return float(np.median(kib[-quarter:]) - np.median(kib[:quarter])) / 1024 if quarter else 0.0

    def breaches(self) -> Sequence[str]:
        told = [f"{name}: {times} times" for name, times in self.wrong.items()]
        if self.minutes >= _TELLING_MINUTES and self.slope_mib >= SLOPE_MIB:
            told.append(f"memory grows by {self.slope_mib:.1f} MiB an hour")
        if self.growth_mib > GROWTH_MIB:
            told.append(f"memory grew by {self.growth_mib:.1f} MiB")
        if self.after.files > self.before.files:
            told.append(f"{self.after.files - self.before.files} files are left open")
        return told

    def __str__(self) -> str:
        visits = ", ".join(f"{times} {name}" for name, times in sorted(self.visits.items()))
        meanwhile = [kib / 1024 for _, kib in self.resident[:: max(len(self.resident) // 10, 1)]]
        return (
            f"{self.minutes:g} minutes: {visits}\n"
            f"memory: {self.slope_mib:+.2f} MiB an hour, {self.growth_mib:+.2f} MiB all in all, "
            f"{self.after.resident_kib // 1024} MiB in the end\n"
            f"meanwhile, in MiB: {' '.join(f'{mib:.1f}' for mib in meanwhile)}\n"
            f"files: {self.before.files} before, {self.after.files} after; "
            f"threads: {self.before.threads} before, {self.after.threads} after"
        )


async def soak(server: Server, *, minutes: float, visitors: int, seed: int = 0) -> Soak:
    seen = Soak(minutes)
    # The first of everything opens what stays open.
    for visit in VISITS.values():
        await visit(server, Random(seed))
    seen.before = await _when_empty(server)
    until = monotonic() + minutes * 60
    async with asyncio.TaskGroup() as group:
        for number in range(visitors):
            group.create_task(_come_and_go(server, Random(seed + number), until, seen))
        group.create_task(_watch(server, until, seen))
    seen.after = await _when_empty(server, seen.before.files)
    return seen


async def _come_and_go(server: Server, chance: Random, until: float, seen: Soak) -> None:
    while monotonic() < until:
        name, visit = chance.choice(list(VISITS.items()))
        try:
            async with asyncio.timeout(_VISIT_SECONDS):
                await visit(server, chance)
        except (Wrong, OSError, TimeoutError, ConnectionClosed, httpx.HTTPError) as error:
            seen.wrong[f"{name}: {type(error).__name__}: {error}"] += 1
        seen.visits[name] += 1


async def _watch(server: Server, until: float, seen: Soak) -> None:
    began = monotonic()
    warm = began + (until - began) * _WARM
    while (now := monotonic()) < until:
        if now >= warm:
            seen.resident.append((now - began, footprint(server.process.pid).resident_kib))
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _when_empty(server: Server, files: int | None = None) -> Footprint:
    """Once no session is open, and no more files than these; or after a while, whatever is."""
    until = monotonic() + _VISIT_SECONDS
    while monotonic() < until:
        # A connection for each look, which the next one finds closed.
        async with httpx.AsyncClient(base_url=server.base_url.removesuffix("/v1")) as client:
            health = (await client.get("/health")).json()
        held = footprint(server.process.pid)
        if not health["sessions"] and (files is None or held.files <= files):
            break
        await asyncio.sleep(0.1)
    return held


# Visits


async def _speaks(server: Server, chance: Random, shape: Shape) -> None:
    """Some sentences and pauses, then a farewell."""
    headers = {"OpenAI-Beta": "realtime=v1"} if shape is Shape.BETA else {}
    async with _connected(server, headers) as socket:
        for _ in range(chance.randint(1, 3)):
            await _say(socket, speech(chance.uniform(0.5, 2.0)) + silence(1.0))
        await socket.send('{"type": "session.close"}')
        check_story(await _rest_of(socket))


async def _speaks_ga(server: Server, chance: Random) -> None:
    await _speaks(server, chance, Shape.GA)


async def _speaks_beta(server: Server, chance: Random) -> None:
    await _speaks(server, chance, Shape.BETA)


async def _is_silent(server: Server, chance: Random) -> None:
    async with _connected(server) as socket:
        await _say(socket, silence(chance.uniform(1.0, 5.0)))


async def _breaks_off(server: Server, chance: Random) -> None:
    """In the middle of a sentence."""
    async with _connected(server) as socket:
        await _say(socket, speech(chance.uniform(0.5, 2.0)))
        socket.transport.abort()


async def _talks_nonsense(server: Server, chance: Random) -> None:
    async with _connected(server) as socket:
        for _ in range(chance.randint(1, 20)):
            await socket.send(chance.choice(('{"type"', "[]", '{"type": "nonsense"}', '{"type": 1}')))
        await socket.send('{"type": "session.close"}')
        told = Counter(event["type"] for event in await _rest_of(socket))
    if not told["error"] or told["error"] + 2 != told.total():
        raise Wrong(f"told {dict(told)}")


async def _posts(server: Server, chance: Random) -> None:
    audio = base64.b64encode(speech(chance.uniform(0.5, 2.0))).decode()
    event = {"type": "input_audio_buffer.append", "audio": audio}
    async with httpx.AsyncClient(base_url=server.base_url, timeout=_VISIT_SECONDS) as client:
        _expect_ok(await client.post("/realtime/intent=transcription", json=event))


async def _uploads(server: Server, chance: Random) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(24_000)
        recording.writeframes((speech(1.0) + silence(1.0)) * chance.randint(1, 5))
    fields = {"model": "whisper-1", "response_format": chance.choice(("json", "text", "srt", "verbose_json"))}
    async with httpx.AsyncClient(base_url=server.base_url, timeout=_VISIT_SECONDS) as client:
        upload = {"file": ("speech.wav", file.getvalue())}
        _expect_ok(await client.post("/audio/transcriptions", data=fields, files=upload))


VISITS: Final[Mapping[str, Visit]] = {
    "speak": _speaks_ga,
    "speak beta": _speaks_beta,
    "are silent": _is_silent,
    "break off": _breaks_off,
    "talk nonsense": _talks_nonsense,
    "post": _posts,
    "upload": _uploads,
}


def _connected(server: Server, headers: Mapping[str, str] | None = None) -> connect:
    address = f"{server.ws_url}/realtime?intent=transcription"
    return connect(address, additional_headers=headers, compression=None, close_timeout=5)


async def _say(socket: ClientConnection, pcm: bytes) -> None:
    for at in range(0, len(pcm), _PIECE):
        audio = base64.b64encode(pcm[at : at + _PIECE]).decode()
        await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        await asyncio.sleep(0.1 / _FASTER)


async def _rest_of(socket: ClientConnection) -> Sequence[Mapping[str, Any]]:
    """All that was told, up to the close."""
    events = [json.loads(frame) async for frame in socket]
    if socket.close_code != 1000:
        raise Wrong(f"closed with {socket.close_code}")
    return events


def _expect_ok(answer: httpx.Response) -> None:
    if answer.status_code != 200:
        raise Wrong(f"answered {answer.status_code}")


def check_story(events: Sequence[Mapping[str, Any]]) -> None:
    """Something was said, and each item ended once, after it was committed, in its text. Raises Wrong."""
    committed: list[str] = []
    ended: list[str] = []
    for event in events:
        match str(event["type"]).rsplit(".", 1)[-1]:
            case "error":
                raise Wrong(f"error {event['error']['code']}")
            case "committed":
                committed.append(event["item_id"])
            case "completed" if event["item_id"] in committed:
                ended.append(event["item_id"])
            case "completed" | "failed":
                raise Wrong(f"an item {event['type']} out of turn")
            case _:
                pass
    if not committed or committed != ended:
        raise Wrong(f"{len(committed)} items committed, {len(ended)} ended")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--visitors", type=int, default=8, help="at the same time")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), *SERVER) as server:
        work = soak(server, minutes=asked.minutes, visitors=asked.visitors, seed=asked.seed)
        seen = asyncio.run(work)
    print(seen)
    for breach in seen.breaches():
        print(f"BREACH {breach}")
    return 1 if seen.breaches() else 0


SERVER: Final = (
    *(*REPLAY, "--vad", "energy", "--max-sessions", "0", "--log-level", "info"),
    # More than there are visitors: who goes leaves a place a moment later.
    *("--max-files", "64"),
)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
