"""OpenAI's file endpoints: a recording comes up, its text goes down, whole or turn by turn."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import BinaryIO, Final

from starlette.routing import Route

from realtime_asr.dialects.base64_text import decoded_leniently
from realtime_asr.dialects.faults import excerpt
from realtime_asr.dialects.openai_files import (
    MISSING_FILE,
    MOST_IN_FIELDS,
    FileRequest,
    read_enclosed,
    read_form,
    read_urlencoded,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import Task
from realtime_asr.transports.file_desk import IN_MEMORY, FileDesk, Upload
from realtime_asr.transports.uploads import receive_form

FORM: Final = "multipart/form-data"
_TASKS: Final[Mapping[str, Task]] = {"transcriptions": "transcribe", "translations": "translate"}
_PATHS: Final = {
    f"{root}/audio/{name}": task for root in ("/v1", "/openai/v1") for name, task in _TASKS.items()
}
FORM_PATHS: Final = _PATHS.keys()
"""Where forms may come."""


def file_routes(desk: FileDesk) -> list[Route]:
    return [
        Route(path, desk.door(partial(_read, task=task)), methods=["POST"]) for path, task in _PATHS.items()
    ]


async def _read(upload: Upload, file: BinaryIO, *, task: Task) -> FileRequest | Problem:
    if upload.kind == FORM:
        return await _read_form(upload, file, task)
    match upload.kind:
        case "application/json":
            found = await asyncio.to_thread(read_enclosed, await upload.whole(), task, strict=upload.strict)
            return await upload.unwrap(found, file)
        case "application/x-www-form-urlencoded":
            found = await asyncio.to_thread(read_urlencoded, await upload.whole(), task, strict=upload.strict)
            return await upload.unwrap(found, file)
        case kind:
            return _unsupported(kind)


async def _read_form(upload: Upload, file: BinaryIO, task: Task) -> FileRequest | Problem:
    chunks = upload.chunks(upload.largest + MOST_IN_FIELDS + IN_MEMORY)
    form = await receive_form(chunks, upload.content_type, file, upload.largest)
    if not form.has_file:
        return MISSING_FILE
    if not form.has_file_name:
        await asyncio.to_thread(_decode, file)
    return await asyncio.to_thread(read_form, form.fields, task, strict=upload.strict)


def _decode(file: BinaryIO) -> None:
    """OPEA's clients write the file in base64 into a field that is called like it."""
    file.seek(0)
    try:
        audio = decoded_leniently(file.read().decode("latin-1"))
    except ValueError:
        return
    file.seek(0)
    file.truncate()
    file.write(audio)


def _unsupported(kind: str) -> Problem:
    message = (
        f"Unsupported content type: '{excerpt(kind)}'. This API method only accepts 'multipart/form-data' "
        "and 'application/json' requests."
    )
    return Problem(None, message)
