"""Two keys on one server: what one of them has in flight keeps its own clients waiting, and not the other's."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest
from websockets.asyncio.client import connect

from tests.decoders.files import WAV, encoded
from tests.fakes import speech, tone
from tests.journeys.marks import SCRIPTED
from tests.journeys.server import Server, running

pytestmark = SCRIPTED

WORDS: Final = "good morning all"
ONE: Final = "sk-one-0123456789abcdef"
OTHER: Final = "sk-other-0123456789abcdef"
MIB: Final = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    script = ("--engine", "replay", "--replay-script", WORDS, "--vad", "energy")
    limits = ("--key-in-flight-mib", "1", "--handshake-seconds", "60")
    keys = {"REALTIME_ASR_API_KEYS": f"{ONE},{OTHER}"}
    with running(tmp_path_factory.mktemp("keys"), *script, *limits, environment=keys) as server:
        yield server


FILE: Final = base64.b64encode(encoded(tone(16_000 * 60), WAV)).decode()
AUDIO: Final = base64.b64encode(speech(60.0)).decode()
APPEND: Final = json.dumps({"type": "input_audio_buffer.append", "audio": AUDIO}).encode()
POSTS: Final = {
    "/audio/transcriptions": ("application/json", json.dumps({"file": FILE}).encode()),
    "/audio/translations": ("application/x-www-form-urlencoded", urlencode({"file": FILE}).encode()),
    "/realtime/intent=transcription": ("application/json", APPEND),
}
"""Some megabytes each."""


Send = Callable[[Server, str, asyncio.Event], Coroutine[None, None, str]]
"""Half of a large message by the key's client, then the other half. What is heard in it."""


def posting(where: str) -> Send:
    kind, body = POSTS[where]

    async def post(server: Server, key: str, go_on: asyncio.Event) -> str:
        address = urlsplit(server.base_url + where)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        head = f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
        about = f"Authorization: Bearer {key}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + about).encode())
        writer.write(body[: len(body) // 2])
        await go_on.wait()
        writer.write(body[len(body) // 2 :])
        told = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
        writer.close()
        return str(told.get("text") or told.get("delta"))

    return post


async def appending(server: Server, key: str, go_on: asyncio.Event) -> str:
    async def halves() -> AsyncIterator[str]:
        yield APPEND[: len(APPEND) // 2].decode()
        await go_on.wait()
        yield APPEND[len(APPEND) // 2 :].decode()

    bearer = {"Authorization": f"Bearer {key}"}
    async with connect(f"{server.ws_url}/realtime", additional_headers=bearer, compression=None) as caller:
        await caller.send(halves())
        await caller.send('{"type":"input_audio_buffer.commit"}')
        while not (told := json.loads(await caller.recv()))["type"].endswith("completed"):
            """Whatever else it is told."""
    return str(told["transcript"])


DOORS: Final = (appending, *map(posting, POSTS))


@pytest.mark.parametrize(
    ("first", "late"), list(zip(DOORS, DOORS[1:] + DOORS[:1], strict=True)), ids=("append", *POSTS)
)
async def test_a_key_that_has_much_in_flight_waits_for_itself_alone(
    server: Server, first: Send, late: Send
) -> None:
    go_on, at_once = asyncio.Event(), asyncio.Event()
    at_once.set()

    halfway = asyncio.create_task(first(server, ONE, go_on))
    await until(lambda held: held > MIB, server)
    waiting = asyncio.create_task(late(server, ONE, at_once))
    others = [await late(server, OTHER, at_once) for _ in range(2)]
    answered = waiting.done()
    go_on.set()
    heard = await asyncio.gather(halfway, waiting)

    assert not answered
    assert [WORDS] * 4 == [said.strip() for said in (*others, *heard)]
    await until(lambda held: held == 0, server)


async def until(is_so: Callable[[int], bool], server: Server) -> None:
    """Of the bytes in flight."""
    address = server.base_url.replace("/v1", "/stats")
    bearer = {"Authorization": f"Bearer {OTHER}"}
    async with asyncio.timeout(20), httpx2.AsyncClient(headers=bearer) as client:
        while not is_so((await client.get(address)).json()["in_flight_bytes"]):  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
