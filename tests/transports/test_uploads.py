import asyncio
from collections.abc import AsyncIterator, Iterable
from io import BytesIO
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.dialects.openai_files import MOST_IN_FIELDS, twice
from realtime_asr.session.problem import Problem
from realtime_asr.transports.uploads import Form, MalformedForm, OversizedForm, receive_form

TYPE: Final = "multipart/form-data; boundary=frontier"
LARGEST: Final = 1000
AUDIO: Final = bytes(range(256)) + b"\r\n--front\r\n--frontier?"


def part(name: str, data: bytes, *headers: str, **options: str) -> bytes:
    said = "".join(f'; {key}="{value}"' for key, value in {"name": name, **options}.items())
    lines = "\r\n".join([f"Content-Disposition: form-data{said}", *headers])
    return b"--frontier\r\n" + lines.encode() + b"\r\n\r\n" + data + b"\r\n"


END: Final = b"--frontier--\r\n"
FILE: Final = part("file", AUDIO, "Content-Type: audio/wav", filename="speech.wav")
MODEL: Final = part("model", b"whisper-1")


async def coming(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def received(*chunks: bytes, content_type: str = TYPE, largest: int = LARGEST) -> tuple[Form, bytes]:
    file = BytesIO()
    form = await receive_form(coming(chunks), content_type, file, largest)
    return form, file.getvalue()


async def refusal(*chunks: bytes, content_type: str = TYPE) -> Problem:
    with pytest.raises(MalformedForm) as caught:
        await received(*chunks, content_type=content_type)
    return caught.value.problem


async def test_the_file_goes_to_the_disk_and_the_rest_is_remembered() -> None:
    form, file = await received(MODEL + FILE + part("include[]", b"logprobs") + END)

    assert Form([("model", "whisper-1"), ("include[]", "logprobs")], True, True) == form
    assert file == AUDIO


@given(st.lists(st.integers(1, 900), max_size=12))
async def test_how_a_form_is_cut_into_chunks_does_not_change_it(cuts: list[int]) -> None:
    whole = MODEL + FILE + part("prompt", "Straße".encode()) + END
    places = sorted({0, *cuts, len(whole)})

    chunks = [whole[start:stop] for start, stop in pairwise(places)]

    assert await received(whole) == await received(*chunks)


@pytest.mark.parametrize(
    "file", [part("file", AUDIO), part("file", AUDIO, filename=""), part("file", AUDIO, "Content-Type: text/plain")]
)  # fmt: skip
async def test_a_file_is_a_file_whatever_it_is_called(file: bytes) -> None:
    form, written = await received(file + END)

    assert written == AUDIO
    assert (b"filename" in file) == form.has_file_name


async def test_a_field_that_looks_like_a_file_is_a_field() -> None:
    form, _ = await received(part("model", b"whisper-1", filename="model.txt") + END)

    assert Form([("model", "whisper-1")]) == form


async def test_what_is_no_utf8_does_no_harm() -> None:
    form, _ = await received(part("prompt", b"\xff") + END)

    assert [("prompt", "\ufffd")] == form.fields


async def test_what_stands_after_the_end_is_nobodys_business() -> None:
    form, file = await received(FILE + END, b"and so on")

    assert (True, AUDIO) == (form.has_file, file)


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; charset=utf-8"]
)  # fmt: skip
async def test_a_form_needs_a_boundary(content_type: str) -> None:
    assert "no boundary" in (await refusal(FILE + END, content_type=content_type)).message


@pytest.mark.parametrize(
    "body",
    [
        b"\0" * 100,
        b"--backtier\r\n",
        b'--frontier\r\nContent-Disposition form-data; name="file"\r\n\r\n',
        b"--frontier\r\nContent-Disposition\x00: form-data\r\n\r\n",
        b"--frontier\r\nContent-Disposition: form-data\rX\r\n\r\n",
    ],
)
async def test_what_is_no_form_is_refused(body: bytes) -> None:
    assert Problem(None, "We could not parse the multipart form of your request.") == await refusal(body)


@pytest.mark.parametrize("body", [b"", b"--frontier\r\n", MODEL, FILE[:-30], FILE + END[:-5]])
async def test_a_form_cut_short_is_refused(body: bytes) -> None:
    assert "ends before its last boundary" in (await refusal(body)).message


async def test_a_part_needs_a_name() -> None:
    nameless = b"--frontier\r\nContent-Disposition: form-data\r\n\r\n?\r\n"

    assert "has no name" in (await refusal(nameless + END)).message


async def test_there_is_one_file() -> None:
    assert twice("file") == await refusal(FILE + FILE + END)


async def test_parts_without_number_are_refused() -> None:
    assert "more than 2000 parts" in (await refusal(part("keywords[]", b"w") * 10_000 + END)).message


@pytest.mark.parametrize(
    "header",
    [
        "X-Long: " + "x" * 1_000_000,
        "\r\n".join(["X-Many: x"] * 5_000),
        "\r\n".join(["X-Both: " + "x" * 3_000] * 7),
    ],
)
async def test_headers_without_end_are_refused(header: str) -> None:
    problem = await refusal(part("file", AUDIO, header) + END)

    assert (None, None) == (problem.code, problem.param)


@pytest.mark.parametrize("field", [MODEL * 500, b""])
async def test_a_file_may_be_as_large_as_allowed_and_no_larger(field: bytes) -> None:
    _, just = await received(field + part("file", b"x" * LARGEST) + END)
    with pytest.raises(OversizedForm) as caught:
        await received(field + part("file", b"x" * (LARGEST + 1)) + END)

    assert LARGEST == len(just)
    assert (LARGEST + 1, LARGEST) == (caught.value.read, caught.value.largest)


async def test_fields_together_may_not_be_large_either() -> None:
    with pytest.raises(OversizedForm) as caught:
        await received(part("prompt", b"x" * (MOST_IN_FIELDS // 2 + 1)) * 2 + END)

    assert MOST_IN_FIELDS == caught.value.largest


async def test_others_get_their_turn_while_a_large_chunk_is_parsed() -> None:
    """What looks like boundaries takes long."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    going = asyncio.create_task(others())
    _, file = await received(part("file", b"\r\n-" * 100_000) + END, largest=1_000_000)
    going.cancel()

    assert b"\r\n-" * 100_000 == file
    assert turns > 300_000 / 16_384


async def test_nothing_is_read_that_is_not_wanted_any_more() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield FILE.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        while True:
            yield b"x" * 100

    with pytest.raises(OversizedForm):
        await receive_form(endless(), TYPE, BytesIO(), LARGEST)
