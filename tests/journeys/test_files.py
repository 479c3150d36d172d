"""Files of any size and kind, and clients that send too much, too many at once, or go too soon."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import cycle
from time import monotonic
from typing import Any, Final

import httpx
import numpy as np
import pytest

from realtime_asr.audio.timeline import RATE, Samples
from realtime_asr.bench.words import plain
from tests.decoders.files import OPUS, WAV, Kind, encoded
from tests.faults.machine import within
from tests.journeys.hearing import reads
from tests.journeys.server import Server, running
from tests.speech.clips import FOLDER, clip, word_error_rate

PATIENCE: Final = httpx.Timeout(180)
MP3: Final[Kind] = ("mp3", "libmp3lame", 24_000)
TEN_MINUTES: Final = 10 * 60 * RATE
MINUTES: Final = 5
"""Of a file that nobody waits for; there are more turns than minutes in it."""
CLEAR: Final = ("morning", "door", "bridge", "monday", "pause")
"""In the sixth clip the bundled model hears a few words twice, or once, at the slightest difference."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Takes one file at a time, and none that is large."""
    flags = ("--max-files", "1", "--max-file-mib", "4")
    with running(tmp_path_factory.mktemp("small"), *flags) as server:
        yield server


def asking(server: Server, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.base_url, **{"timeout": PATIENCE, **options})


async def answer(client: httpx.AsyncClient, file: Any, **fields: str) -> httpx.Response:
    data = {"model": "whisper-1", **fields}
    return await client.post("/audio/transcriptions", files={"file": file}, data=data)


def text_of(answered: httpx.Response) -> str:
    assert answered.status_code == 200, answered.text
    return str(answered.json()["text"])


def speech(name: str) -> bytes:
    return (FOLDER / f"{name}.wav").read_bytes()


# Long files


def ten_minutes() -> tuple[str, Samples]:
    """Clips with pauses of many lengths, and what is said in them."""
    chance = np.random.default_rng(7)
    whole = np.zeros(TEN_MINUTES, np.float32)
    texts: list[str] = []
    at = RATE
    for name in cycle(CLEAR):
        spoken = clip(name)
        if at + len(spoken.samples) > TEN_MINUTES - RATE:
            return " ".join(texts), whole
        whole[at : at + len(spoken.samples)] = spoken.samples
        texts.append(spoken.text)
        at += len(spoken.samples) + int(RATE * chance.uniform(0.8, 4))
    raise AssertionError("there are clips")


async def test_ten_minutes_have_the_same_words_in_every_encoding(server: Server) -> None:
    said, samples = ten_minutes()

    files = await asyncio.gather(*(asyncio.to_thread(encoded, samples, kind) for kind in (WAV, MP3, OPUS)))
    assert all(files)

    async with asking(server) as client:
        wav, mp3, opus = await asyncio.gather(*(answer(client, file) for file in files))

    assert word_error_rate(said, text_of(wav)) <= 0.05
    assert plain(text_of(wav)) == plain(text_of(mp3)) == plain(text_of(opus))
    assert {600} == {told.json()["usage"]["seconds"] for told in (wav, mp3, opus)}


async def test_what_was_said_is_told_while_the_rest_is_still_heard(server: Server) -> None:
    _, samples = ten_minutes()
    data = {"model": "whisper-1", "stream": "true"}

    async with (
        asking(server) as client,
        client.stream(
            "POST", "/audio/transcriptions", files={"file": encoded(samples, WAV)}, data=data
        ) as told,
    ):
        first = await anext(told.aiter_lines())
        busy = await sessions(server)

    assert first.startswith('data: {"type":"transcript.text.delta"')
    assert busy > 0
    await until_all_is_free(server)


async def test_two_files_at_once_share_nothing(server: Server) -> None:
    async with asking(server) as client:
        told = await asyncio.gather(answer(client, speech("bridge")), answer(client, speech("monday")))

    assert [True, True] == [
        reads(name, text_of(one)) for name, one in zip(("bridge", "monday"), told, strict=True)
    ]


# How files come up


async def test_a_file_may_come_in_chunks_of_any_size(server: Server) -> None:
    async with asking(server) as client:
        request = client.build_request("POST", "/audio/transcriptions", files={"file": speech("bridge")}, data={"model": "whisper-1"})  # fmt: skip
        body = request.read()

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 777):
                yield body[start : start + 777]

        kind = {"content-type": request.headers["content-type"]}
        told = await client.post("/audio/transcriptions", content=chunks(), headers=kind)

    assert reads("bridge", text_of(told))


async def test_a_file_too_large_is_refused(small: Server) -> None:
    async with asking(small) as client:
        told = await answer(client, bytes(9 * 1024 * 1024))

    assert 413 == told.status_code
    assert {"error", "usage"} == told.json().keys()


async def test_a_file_too_large_is_refused_before_it_is_all_there(small: Server) -> None:
    """Its client says nothing of how long it will be, and reads while it writes."""
    port = httpx.URL(small.base_url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: files\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    head = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    writer.write(b"%x\r\n%b\r\n" % (len(head), head))
    told = asyncio.create_task(reader.readuntil(b"\r\n"))
    async with asyncio.timeout(60):
        while not told.done():
            writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
            await writer.drain()
            await asyncio.wait((told,), timeout=0.01)
    writer.close()

    assert b"HTTP/1.1 413" == (await told)[:12]


# Who goes too soon


async def sessions(server: Server) -> int:
    async with httpx.AsyncClient() as client:
        health = await client.get(server.base_url.replace("/v1", "/health"))
    return int(health.json()["sessions"])


async def until_all_is_free(server: Server) -> None:
    async with asyncio.timeout(30):
        while await sessions(server):
            """It is told as often as it is asked."""


async def test_an_upload_that_breaks_off_frees_its_place(small: Server) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + speech("bridge")
        raise ConnectionAbortedError

    async with asking(small) as client:
        with suppress(ConnectionAbortedError):
            kind = {"content-type": "multipart/form-data; boundary=x"}
            await client.post("/audio/transcriptions", content=half(), headers=kind)

        assert reads("bridge", text_of(await answered_in_the_end(client)))


@pytest.mark.parametrize("stream", ["false", "true"])
async def test_who_does_not_wait_for_the_text_frees_the_place(small: Server, stream: str) -> None:
    _, samples = ten_minutes()
    long = encoded(samples[: MINUTES * 60 * RATE], ("ogg", "libopus", 8_000))

    async with asking(small) as client:

        async def freed() -> float:
            """How long after its client went the place was taken still."""
            asked = asyncio.create_task(answer(client, long, stream=stream))
            async with asyncio.timeout(60):
                while not await sessions(small):
                    """It comes up still."""
            before = await finals(small)
            asked.cancel()
            with suppress(asyncio.CancelledError):
                await asked
            gone = monotonic()
            await until_all_is_free(small)
            took = monotonic() - gone
            assert await finals(small) - before < MINUTES
            return took

        await within(1, freed)
        assert reads("bridge", text_of(await answered_in_the_end(client)))


async def finals(server: Server) -> int:
    """Made so far, of whatever turns."""
    async with httpx.AsyncClient() as client:
        health = await client.get(server.base_url.replace("/v1", "/health"))
    return int(health.json()["models"]["bundled"]["finals"])


async def answered_in_the_end(client: httpx.AsyncClient) -> httpx.Response:
    """There is one place only: whoever asks while it is taken has to come back."""
    async with asyncio.timeout(60):
        while (told := await answer(client, speech("bridge"))).status_code == 429:
            assert int(told.headers["retry-after"]) >= 1
    return told
