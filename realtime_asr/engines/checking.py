"""What a model answers, before anybody relies on it: cleaned where that can be done, else an error."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, get_args

from realtime_asr.audio.timeline import RATE
from realtime_asr.engines.engine import EngineError, Text
from realtime_asr.transcript.credibility import Reason
from realtime_asr.transcript.hypothesis import Quality, Word, joined

_LONGEST: Final = 20_000
"""Characters: several times what the fastest speaker says in a window, or Whisper writes in a loop."""
_PER_SECOND: Final = 40
"""The same for what is longer than a window."""
_CODE: Final = re.compile("[a-zA-Z-]{2,16}")
_LARGE: Final = 1e9


def checked(answer: object, length: int) -> Text | EngineError:
    """Text that can be read and sent, times that can be true, and numbers that are numbers. `length` is that
    of its audio, in samples.
    """
    if isinstance(answer, EngineError):
        return answer
    if not isinstance(answer, Text) or not _is_readable(answer.words):
        return EngineError("The model's answer cannot be read.")
    if sum(len(word.text) for word in answer.words) > max(_LONGEST, _PER_SECOND * length // RATE):
        return EngineError("The model wrote more than anybody can have said.")
    words = [_plain(word) for word in answer.words if word.text]
    return Text(
        tuple(_timed(words, length)),
        answer.language if _is_code(answer.language) else None,
        answer.doubt if answer.doubt in get_args(Reason) else None,
        _measured(answer.quality),
    )


def _is_readable(words: object) -> bool:
    return (
        isinstance(words, tuple)
        and all(isinstance(word, Word) and isinstance(word.text, str) for word in words)
        and _is_text(joined(words))
    )


def _is_text(text: str) -> bool:
    """Half of a character, which Python allows, is none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(word: Word) -> Word:
    is_likely = word.logprob is None or _is_number(word.logprob)
    is_spelt = isinstance(word.tokens, tuple) and all(isinstance(token, int) for token in word.tokens)
    return word if is_likely and is_spelt else Word(word.text, None, word.start, word.end)


def _timed(words: Sequence[Word], end: int) -> Sequence[Word]:
    """Turns are cut where words end: unless the times of all of them can be true, none is known."""
    untold = all(word.start is None and word.end is None for word in words)
    if untold or _are_in_order(words, end):
        return words
    return [replace(word, start=None, end=None) for word in words]


def _are_in_order(words: Sequence[Word], end: int) -> bool:
    begun = 0
    for word in words:
        if not (isinstance(word.start, int) and isinstance(word.end, int)):
            return False
        if not begun <= word.start <= word.end <= end:
            return False
        begun = word.start
    return True


def _measured(quality: object) -> Quality | None:
    if not isinstance(quality, Quality) or not _is_number(quality.temperature):
        return None
    return quality if _is_number(quality.no_speech) else replace(quality, no_speech=None)


def _is_number(value: object) -> bool:
    """Neither infinite nor none at all, which JSON has no words for."""
    return isinstance(value, int | float) and abs(value) < _LARGE


def _is_code(language: object) -> bool:
    return isinstance(language, str) and _CODE.fullmatch(language) is not None
