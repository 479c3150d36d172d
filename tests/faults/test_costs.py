"""What one message of a client may cost the others: little time, whatever is in it, and memory within bounds."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import httpx2
import pytest
from websockets.asyncio.client import connect

from tests.decoders.files import WAV, encoded
from tests.fakes import tone
from tests.faults.machine import within
from tests.faults.victim import memory, port, unharmed, victim
from tests.journeys.server import Server

MIB: Final = 1024 * 1024
SECONDS: Final = 0.4
"""What anybody may wait for an answer meanwhile. Each of these messages once took one second to a hundred."""
ASKER: Final = Path(__file__).with_name("asker.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with victim(tmp_path_factory.mktemp("costs")) as server:
        yield server


def event(type: str, members: str) -> str:
    return f'{{"type":"{type}",{members}}}'


def append(members: str) -> str:
    return event("input_audio_buffer.append", members)


def update(members: str) -> str:
    return event("session.update", f'"session":{{{members}}}')


ARRAYS: Final = "[" + "[]," * 5_000_000 + "0]"
LANGUAGES: Final = "[" + '"e",' * 300_000 + '"e"]'
EVENTS: Final = {
    "languages": update(f'"audio":{{"input":{{"transcription":{{"languages":{LANGUAGES}}}}}}}'),
    "what to include": update('"include":[' + "1," * 3_000_000 + "1]"),
    "arrays": event("input_audio_buffer.clear", f'"a":{ARRAYS}'),
    "arrays beside audio": append(f'"audio":"AAAA","a":{ARRAYS}'),
    "arrays as audio": append(f'"audio":{ARRAYS}'),
    "keys": event("input_audio_buffer.clear", ",".join(f'"{key}":0' for key in range(1_000_000))),
    "a number": append('"audio":1.' + "3" * 20_000_000),
    "escapes": append('"audio":"' + "\\u0041" * 3_500_000 + '"'),
    "foreign letters": append('"audio":"' + "語" * 7_000_000 + '"'),
    "quotes": append('"audio":"' + '\\"' * 10_000_000 + '"'),
    "an id": append('"audio":"","event_id":"' + "x" * 20_000_000 + '"'),
    "15 MiB of audio": append('"audio":"' + "A" * 20 * MIB + '"'),
    "just too little to be too much": update('"x":[' + "[]," * 9_990 + '"' + "x" * 200_000 + '"]'),
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
async def test_no_event_keeps_others_waiting(server: Server, event: str) -> None:
    async def meanwhile() -> float:
        async with connect(f"{server.ws_url}/realtime", compression=None, ping_interval=None) as caller:
            await caller.recv()
            async with asking(server) as asked:
                await caller.send(event)
                await caller.send('{"type":"input_audio_buffer.commit"}')
                await caller.recv()
        return asked[0]

    await within(SECONDS, meanwhile)


def form(name: str, value: bytes) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="'
    file = head + b'file"; filename="a.wav"\r\n\r\n' + encoded(tone(16_000), WAV)
    return file + b"\r\n" + head + name.encode() + b'"\r\n\r\n' + value + b"\r\n--b--\r\n"


JSON: Final = "application/json"
URLENCODED: Final = "application/x-www-form-urlencoded"
FORM: Final = "multipart/form-data; boundary=b"
EVENT: Final = "/realtime/intent=transcription"
FILES: Final = "/audio/transcriptions"
POSTS: Final = {
    "an event": (EVENT, JSON, EVENTS["arrays beside audio"].encode()),
    "an event that is no UTF-8": (EVENT, JSON, b"\xff" * 20_000_000),
    "arrays beside a file": (FILES, JSON, b'{"file":"AAAA","x":' + ARRAYS.encode() + b"}"),
    "arrays for OPEA": ("/asr", JSON, b'{"audio":"AAAA","x":' + ARRAYS.encode() + b"}"),
    "a file in lines": (FILES, JSON, json.dumps({"file": "A A\n" * 4_000_000}).encode()),
    "a language": (FILES, JSON, json.dumps({"file": "AAAA", "language": "-" * 20_000_000}).encode()),
    "languages": (FILES, FORM, form("languages", LANGUAGES.encode() * 3)),
    "commas": (FILES, FORM, form("languages", b"e," * 2_000_000)),
    "a sample that is no UTF-8": (FILES, FORM, form("known_speaker_references[]", b"\xff" * 4_000_000)),
    "what looks like boundaries": (FILES, FORM, form("prompt", b"\r\n-" * 1_300_000)),
    "what nearly is a form": (FILES, FORM, b"--b\r\n" * 2_000_000),
    "percent signs": (FILES, URLENCODED, b"file=" + b"%41" * 1_000_000),
    "ampersands": (FILES, URLENCODED, b"&" * 20_000_000),
}


@pytest.mark.parametrize(("where", "kind", "body"), POSTS.values(), ids=POSTS)
async def test_no_request_keeps_others_waiting(server: Server, where: str, kind: str, body: bytes) -> None:
    async def meanwhile() -> float:
        async with httpx2.AsyncClient(timeout=60) as client, asking(server) as asked:
            with suppress(httpx2.NetworkError):
                # Refused before it is all there: its end may be a reset.
                await client.post(server.base_url + where, content=body, headers={"Content-Type": kind})
        return asked[0]

    await within(SECONDS, meanwhile)


async def test_what_once_took_longest_leaves_a_session_beside_it_in_peace(server: Server) -> None:
    # A word takes several steps, and each may have to wait for another of these events.
    late = 2 * SECONDS
    async with unharmed(server, late=late), connect(f"{server.ws_url}/realtime", compression=None) as caller:
        for event in EVENTS.values():
            await caller.send(event)
        await caller.send('{"type":"input_audio_buffer.commit"}')
        told = [json.loads(await caller.recv()) for _ in EVENTS]

    assert {"error", "session.created", "session.updated"} == {event["type"] for event in told}


@asynccontextmanager
async def asking(server: Server) -> AsyncIterator[list[float]]:
    """After it, how long somebody else waited at the most."""
    longest: list[float] = []
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, ASKER, "127.0.0.1", str(port(server)), stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    await process.stdout.readline()
    yield longest
    told, _ = await process.communicate(b"")
    longest.append(float(told))


# Memory

APPEND: Final = '{"type":"input_audio_buffer.append","audio":"%s"}' % ("/" * 20 * MIB)
FORMATS: Final = {"pcm16": 400, "g711_ulaw": 800}
"""How many MiB more the server may take for 15 MiB: the samples of G.711 are 120, and are cut and passed on."""


@pytest.mark.parametrize(("format", "most"), FORMATS.items(), ids=FORMATS)
async def test_large_audio_takes_memory_in_proportion(tmp_path: Path, format: str, most: int) -> None:
    with victim(tmp_path) as server:
        before = memory(server)
        async with watched(server) as peak:
            await send_much(server, format, times=1)

    assert (peak[0] - before) / MIB <= most


async def test_many_who_send_much_take_hardly_more_than_one(tmp_path: Path) -> None:
    with victim(tmp_path, "--in-flight-mib", "32", "--handshake-seconds", "20") as server:
        before = memory(server)
        async with watched(server) as peak:
            await asyncio.gather(*(send_much(server, "pcm16", times=2) for _ in range(8)))

    assert (peak[0] - before) / MIB <= 2 * FORMATS["pcm16"]


async def send_much(server: Server, format: str, times: int) -> None:
    address = f"{server.ws_url}/realtime/intent=transcription"
    async with connect(address, compression=None, ping_interval=None, open_timeout=60) as caller:
        session = {"input_audio_format": format, "turn_detection": None}
        await caller.send(json.dumps({"type": "transcription_session.update", "session": session}))
        for _ in range(times):
            await caller.send(APPEND)
        await caller.send('{"type":"input_audio_buffer.clear"}')
        while json.loads(await caller.recv())["type"] != "input_audio_buffer.cleared":
            """Whatever else it is told."""


@asynccontextmanager
async def watched(server: Server) -> AsyncIterator[list[int]]:
    """How many bytes the server took at the most."""
    peak = [0]

    async def watch() -> None:
        while True:
            peak[0] = max(peak[0], memory(server))
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    yield peak
    watching.cancel()
