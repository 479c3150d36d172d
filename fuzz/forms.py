"""Requests to transcribe a file: forms however they are cut, their fields, and objects of JSON."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterable
from typing import Final, get_args

from realtime_asr.dialects.openai_files import (
    Enclosed,
    FileRequest,
    read_enclosed,
    read_form,
    read_urlencoded,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import Task
from realtime_asr.transports.uploads import Form, MalformedForm, OversizedForm, receive_form

BOUNDARY: Final = "b"
_LARGEST: Final = 1_000


def check(data: bytes) -> None:
    whole = asyncio.run(_received([data]))
    # Byte by byte, if there are not too many.
    step = 1 + len(data) // 10_000
    cut = asyncio.run(_received(data[at : at + step] for at in range(0, len(data), step)))
    # Some of what stands before the first boundary is forgiven only where it comes in one piece.
    assert whole == cut or None in (whole, cut)
    fields = [("response_format", data.decode(errors="replace"))]
    if whole is not None:
        fields, file = whole
        assert len(file) <= _LARGEST
    for task in get_args(Task):
        _check_request(read_form(fields, task, strict=False), read_form(fields, task, strict=True))
        for read in (read_enclosed, read_urlencoded):
            _check_request(read(data, task, strict=False), read(data, task, strict=True))


async def _received(chunks: Iterable[bytes]) -> tuple[list[tuple[str, str]], bytes] | None:
    file = io.BytesIO()
    try:
        form = await receive_form(_each(chunks), f"multipart/form-data; boundary={BOUNDARY}", file, _LARGEST)
    except (MalformedForm, OversizedForm):
        return None
    assert isinstance(form, Form)
    assert form.has_file or not file.getvalue()
    return form.fields, file.getvalue()


async def _each(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _check_request(
    request: FileRequest | Enclosed | Problem, strictly: FileRequest | Enclosed | Problem
) -> None:
    assert isinstance(strictly, Problem) or strictly == request
    asked = request.request if isinstance(request, Enclosed) else request
    if isinstance(asked, FileRequest):
        assert 0 <= asked.temperature <= 1
        assert asked.granularities <= {"word", "segment"}
        assert asked.task == "transcribe" or asked.language == "en"
