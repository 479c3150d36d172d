"""Inputs made from others by small accidents: what fuzzes where no fuzzing engine is installed."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

_WORDS: Final = (
    *(b"null", b"true", b"[]", b"{}", b'"', b"\\ud800", b"\\u0000", b"NaN", b"1e999", b"-1", b"0.5", b"\xff"),
    *(b"\r\n", b"--b", b"--b--", b"name=", b"[]=", b",", b"=", b".", b"\x00", b"\x7f\xff", b"\x80\x00"),
    *(b"9" * 40, b"x" * 600, b"[" * 300, b'{"a":' * 300, bytes(64), b"\xff" * 64),
)
_AT_ONCE: Final = 4
_RARELY: Final = 50
_SMALL: Final = 16 * 1024
_LARGE: Final = (10_000, 100_000, 1_000_000)
"""Bytes to which a few inputs swell: what is dear is so many times over, and takes long to try."""


def mutated(corpus: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Without end, and the same for the same seed."""
    chance = Random(seed)
    small = [data for data in corpus if len(data) <= _SMALL]
    while True:
        swells = not chance.randrange(_RARELY)
        data = chance.choice(corpus if swells else small)
        for _ in range(chance.randint(1, _AT_ONCE)):
            data = chance.choice(_ACCIDENTS)(data, corpus, chance)
        yield _swell(data, chance) if swells else data


def _flip(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes(byte ^ 1 << chance.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]


def _overwrite(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    start, stop = _span(data, chance)
    return data[:start] + chance.randbytes(stop - start) + data[stop:]


def _lose(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    start, stop = _span(data, chance)
    return data[:start] + data[stop:]


def _repeat(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    start, stop = _span(data, chance)
    return data[:stop] + data[start:stop] * chance.randint(1, 8) + data[stop:]


def _swell(data: bytes, chance: Random) -> bytes:
    start, stop = _span(data, chance)
    times = chance.choice(_LARGE) // max(stop - start, 1)
    return data[:stop] + data[start:stop] * times + data[stop:]


def _insert(data: bytes, _: Sequence[bytes], chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_WORDS) + data[at:]


def _splice(data: bytes, corpus: Sequence[bytes], chance: Random) -> bytes:
    other = chance.choice(corpus)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _span(data: bytes, chance: Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.choice((1, 2, 4, 16, 256)))


_ACCIDENTS: Final[Sequence[Callable[[bytes, Sequence[bytes], Random], bytes]]] = (
    *(_flip, _overwrite, _lose, _repeat, _insert, _splice),
)
