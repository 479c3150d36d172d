"""A form on its way from the network to the disk: the file in it is never in memory whole."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from realtime_asr.dialects.openai_files import MOST_IN_FIELDS, field_text, twice
from realtime_asr.session.problem import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_PIECE: Final = 16 * 1024
"""Bytes, after which others get their turn: what looks like a boundary takes the parser long."""
_MOST_PARTS: Final = 2_000
_MOST_IN_HEADERS: Final = 16 * 1024
"""Bytes of one part's headers."""


class MalformedForm(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class OversizedForm(Exception):
    """Its file is larger than allowed, or all the rest is."""

    def __init__(self, read: int, largest: int) -> None:
        super().__init__(read, largest)
        self.read, self.largest = read, largest


@dataclass(slots=True)
class Form:
    """All that is no file, in order."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    has_file: bool = False
    has_file_name: bool = False
    """Where it has none, it may be a field that is called `file`."""


def kind_of(content_type: str) -> str:
    """Without its parameters."""
    return content_type.partition(";")[0].strip().lower()


async def receive_form(chunks: AsyncIterator[bytes], content_type: str, file: BinaryIO, largest: int) -> Form:
    """Writes the part called `file`, of `largest` bytes at the most, whatever its headers claim it to be.

    Raises MalformedForm and OversizedForm as soon as it can.
    """
    receiver = _Receiver(largest)
    try:
        parser = MultipartParser(_boundary(content_type), receiver.callbacks())
        async for chunk in chunks:
            for start in range(0, len(chunk), _PIECE):
                parser.write(chunk[start : start + _PIECE])
                await asyncio.sleep(0)
            if receiver.unwritten:
                data = b"".join(receiver.unwritten)
                receiver.unwritten.clear()
                await asyncio.to_thread(file.write, data)
    except FormParserError as error:
        raise _malformed("We could not parse the multipart form of your request.") from error
    if not receiver.ended:
        raise _malformed("The multipart form of your request ends before its last boundary.")
    return receiver.form


def _boundary(content_type: str) -> bytes:
    _, options = parse_options_header(content_type)
    if boundary := options.get(b"boundary"):
        return boundary
    raise _malformed("The content type of your request names no boundary for its multipart form.")


def _malformed(message: str) -> MalformedForm:
    return MalformedForm(Problem(None, message))


class _Receiver:
    """What the parser calls while it goes through a chunk; it may not wait, so the file's bytes do."""

    def __init__(self, largest: int) -> None:
        self.form = Form()
        self.unwritten: list[bytes] = []
        self.ended = False
        self._largest = largest
        self._parts = 0
        self._in_file = 0
        self._in_fields = 0
        self._in_headers = 0
        self._header, self._value = bytearray(), bytearray()
        self._name: str | None = None
        self._has_file_name = False
        self._text = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_to_header,
            "on_header_value": self._add_to_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _malformed(f"The multipart form of your request has more than {_MOST_PARTS} parts.")
        self._name, self._in_headers = None, 0

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _count_header(self, length: int) -> None:
        self._in_headers += length
        if self._in_headers > _MOST_IN_HEADERS:
            raise _malformed("A part of your multipart form has headers that are too long.")

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self._name = options.get(b"name", b"").decode(errors="replace") or None
            self._has_file_name = b"filename" in options
        self._header.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        if self._name is None:
            raise _malformed("A part of your multipart form has no name.")
        if self._name == "file":
            if self.form.has_file:
                raise MalformedForm(twice("file"))
            self.form.has_file, self.form.has_file_name = True, self._has_file_name

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == "file":
            self._in_file += end - start
            self._check(self._in_file, self._largest)
            self.unwritten.append(data[start:end])
        else:
            self._in_fields += end - start
            self._check(self._in_fields, MOST_IN_FIELDS)
            self._text += data[start:end]

    def _check(self, read: int, largest: int) -> None:
        if read > largest:
            raise OversizedForm(read, largest)

    def _end_part(self) -> None:
        if self._name is not None and self._name != "file":
            self.form.fields.append((self._name, field_text(bytes(self._text))))
        self._text.clear()

    def _end(self) -> None:
        self.ended = True
