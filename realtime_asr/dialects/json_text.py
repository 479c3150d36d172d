"""JSON as strangers send it: what can be understood in two ways is refused, and what would take long.

No other thread runs while JSON is parsed, so that must not take long. All that is long in an honest message
is audio in base64: such texts are cut out and parsed one by one, and what is left has to be small.
"""

from collections.abc import Iterator
from typing import Final
from uuid import uuid4

import jiter

LARGEST: Final = 256 * 1024
"""Bytes of a message without its long texts."""
MOST_VALUES: Final = 10_000
"""In all of a message; commas and brackets in short texts count as values too."""
_LONG: Final = 16 * 1024
_MOST_ESCAPES: Final = 1_000_000
"""Of a long text. Base64 in lines has one in 76 characters, PHP escapes every slash."""
_MARK: Final = uuid4().hex
"""Stands in the message for a text that was cut out. No client knows it."""


class TooLarge(ValueError):
    """Says in words for the client what there is too much of."""


def read_json(text: bytes) -> object:
    """Raises ValueError, in words for the client, for what is no JSON by the narrowest reading.

    That has no key twice in an object, no NaN, no half of a surrogate pair, no number of more than 4300
    digits, no more than 200 levels, and no more than MOST_VALUES values.
    """
    if len(text) <= LARGEST:
        return _parsed(text)
    rest, cut = _without_long_texts(text)
    found = _restored(_parsed(rest), cut)
    if cut:
        raise TooLarge(f"a key of more than {_LONG} bytes")
    return found


def _parsed(text: bytes) -> object:
    if len(text) > LARGEST:
        raise TooLarge(f"more than {LARGEST} bytes besides long texts")
    # Each value follows one of these, if it is not the only one.
    if any(_has_more(text, mark, MOST_VALUES) for mark in (b",", b"[", b"{")):
        raise ValueError(f"more than {MOST_VALUES} values")
    return _from_json(text)


def _from_json(text: bytes) -> object:
    try:
        return jiter.from_json(text, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        # It may name a key, which may be long.
        raise ValueError(str(error)[:200]) from None


def _without_long_texts(text: bytes) -> tuple[bytes, dict[str, str]]:
    """Marks instead of them, and what the marks stand for."""
    kept: list[bytes] = []
    cut: dict[str, str] = {}
    done = 0
    for start, stop in _long_texts(text):
        mark = f"{_MARK}{len(cut)}"
        kept += (text[done:start], mark.encode())
        cut[mark] = _long_text(text[start - 1 : stop + 1])
        done = stop
    return b"".join((*kept, text[done:])), cut


def _long_texts(text: bytes) -> Iterator[tuple[int, int]]:
    """Where there is nothing but text from one quote to the next, for long."""
    at = _LONG
    while at < len(text) and (stop := text.find(b'"', at)) >= 0:
        start = text.rfind(b'"', 0, at) + 1
        if stop - start > _LONG and _is_whole(text, start, stop):
            yield start, stop
        # What is long has a place so far on in it.
        at = stop + _LONG


def _is_whole(text: bytes, start: int, stop: int) -> bool:
    """Is no quote at its ends part of a text, and the first not the end of one?"""
    escaped = b"\\" in (text[start - 2 : start - 1], text[stop - 1 : stop])
    behind = text[start : start + 64].lstrip()[:1] in (b"", b",", b":", b"]", b"}")
    return start > 0 and not escaped and not behind


def _long_text(quoted: bytes) -> str:
    if len(quoted) > LARGEST and (not quoted.isascii() or _has_more(quoted, b"\\", _MOST_ESCAPES)):
        raise TooLarge(f"a text of more than {LARGEST} bytes that is no base64")
    found = _from_json(quoted)
    assert isinstance(found, str), "it is in quotes"
    return found


def _restored(value: object, cut: dict[str, str]) -> object:
    """Takes what it puts back away from `cut`."""
    match value:
        case str():
            return cut.pop(value, value)
        case list():
            return [_restored(each, cut) for each in value]
        case dict():
            return {name: _restored(each, cut) for name, each in value.items()}
        case _:
            return value


def _has_more(text: bytes, mark: bytes, most: int) -> bool:
    at = -1
    for _ in range(most + 1):
        at = text.find(mark, at + 1)
        if at < 0:
            return False
    return True
