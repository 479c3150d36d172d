"""How what enters a session, and what comes out, is written down as JSON: each thing under its own name."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any, Final, get_args, get_type_hints

import numpy as np

from realtime_asr.audio.timeline import Samples
from realtime_asr.session.commands import Command
from realtime_asr.session.config import SessionConfig

Json = Any
"""What json.dumps takes."""


def noted(thing: object) -> Json:
    """Whole, so that `meant` makes an equal thing of it. Raises TypeError for what no session knows."""
    return _noted(thing, _whole)


def sketched(thing: object) -> Json:
    """Audio by its fingerprint only: enough to tell whether it is the same."""
    return _noted(thing, _fingerprint)


def meant(note: Json) -> Any:
    """Raises ValueError, TypeError or KeyError for what was never noted, and whatever else its makers do."""
    match note:
        case list():
            return tuple(map(meant, note))
        case dict():
            return _MADE_BY[note["is"]](**{part: meant(of) for part, of in note.items() if part != "is"})
        case _:
            return note


def _noted(thing: object, audio: Callable[[bytes], Mapping[str, Json]]) -> Json:
    match thing:
        case None | str() | int() | float():
            return thing
        case tuple() | list():
            return [_noted(each, audio) for each in thing]
        case bytes():
            return {"is": "audio", **audio(thing)}
        case np.ndarray():
            return {"is": "samples", **audio(thing.astype("<f4", copy=False).tobytes())}
        case frozenset():
            return {"is": "any of", "these": sorted(thing)}
        case _:
            return {"is": type(thing).__name__, **_parts(thing, audio)}


def _parts(thing: object, audio: Callable[[bytes], Mapping[str, Json]]) -> Mapping[str, Json]:
    if isinstance(thing, Enum):
        return {"value": thing.value}
    if is_dataclass(thing):
        return {part.name: _noted(getattr(thing, part.name), audio) for part in fields(thing)}
    raise TypeError(f"No session knows a {type(thing).__name__}.")


def _whole(payload: bytes) -> Mapping[str, Json]:
    return {"bytes": b64encode(payload).decode()}


def _fingerprint(payload: bytes) -> Mapping[str, Json]:
    return {"length": len(payload), "blake2b": blake2b(payload, digest_size=16).hexdigest()}


def _audio(bytes: str) -> bytes:
    return b64decode(bytes, validate=True)


def _samples(bytes: str) -> Samples:
    return np.frombuffer(_audio(bytes), "<f4").astype(np.float32)


def _any_of(these: tuple[str, ...]) -> frozenset[str]:
    return frozenset(these)


def _within(kind: Any) -> Iterator[type]:
    """The kinds with a name that such a thing is made of."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
        for part in get_type_hints(kind).values():
            yield from _within(part)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        yield kind
    else:
        for part in get_args(kind):
            yield from _within(part)


_MADE_BY: Final[Mapping[str, Callable[..., Any]]] = {
    "audio": _audio,
    "samples": _samples,
    "any of": _any_of,
    **{kind.__name__: kind for root in (Command, SessionConfig) for kind in _within(root)},
}
