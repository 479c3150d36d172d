"""espeak-ng through ctypes: text in, audio out, and when each word and phoneme began."""

import ctypes
import ctypes.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS, _BUFFER_MS, _PHONEME_EVENTS = 2, 500, 1
_UTF8, _BY_CHARACTER = 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_WORD, _PHONEME = 1, 7


@dataclass(frozen=True, slots=True)
class Manner:
    """How to speak. Pitch and its range go from 0 to 100."""

    voice: str
    words_per_minute: int = 165
    pitch: int = 50
    pitch_range: int = 50


@dataclass(slots=True)
class Speech:
    """What espeak said, at its own sample rate; times are in seconds."""

    rate: int
    chunks: list[NDArray[np.int16]] = field(default_factory=list)
    words: list[tuple[int, float]] = field(default_factory=list)
    """Each begun word's first character in the text. Words spoken as one are reported once."""
    phones: list[tuple[str, float]] = field(default_factory=list)

    @property
    def samples(self) -> NDArray[np.float32]:
        return np.concatenate(self.chunks).astype(np.float32) / np.float32(32768)


class UnknownVoice(LookupError):
    pass


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The library keeps one state for the whole process, so one of these is enough."""

    def __init__(self) -> None:
        """Raise OSError where the library is not installed."""
        self._library = ctypes.CDLL(ctypes.util.find_library("espeak-ng") or "libespeak-ng.so.1")
        self._rate = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, None, _PHONEME_EVENTS)
        self._speech = Speech(self._rate)
        self._callback = _Callback(self._heard)  # kept: the library holds no reference of its own
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, manner: Manner) -> Speech:
        if self._library.espeak_SetVoiceByName(manner.voice.encode()):
            raise UnknownVoice(manner.voice)
        for parameter, value in (
            (_RATE, manner.words_per_minute),
            (_PITCH, manner.pitch),
            (_RANGE, manner.pitch_range),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._speech = Speech(self._rate)
        encoded = text.encode() + b"\0"
        self._library.espeak_Synth(encoded, len(encoded), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        return self._speech

    def _heard(self, samples: Any, count: int, events: Any) -> int:
        if count > 0 and samples:
            self._speech.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in _until_end(events):
            at = event.audio_position / 1000
            if event.type == _WORD:
                self._speech.words.append((event.text_position - 1, at))
            elif event.type == _PHONEME:
                self._speech.phones.append((event.id.string.decode(errors="replace"), at))
        return 0


def _until_end(events: Any) -> Iterator[Any]:
    index = 0
    while events[index].type:
        yield events[index]
        index += 1
