"""Words with their times as segments one can read along, and these as SRT or WebVTT."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil
from typing import Final

from realtime_asr.transcript.hypothesis import Quality, Word, joined
from realtime_asr.transcript.sentences import is_finished

_RATE: Final = 16_000
"""As on all timelines here: text knows nothing of audio but this."""
_LONGEST: Final = 7 * _RATE
_MOST_CHARACTERS: Final = 84
"""Two lines of a subtitle, as broadcasters have them."""

_PAUSE: Final = _RATE // 2
"""After one of these even "Mr." ends a sentence, and a comma is as good a place to cut as this."""
_MARKS: Final = tuple(",;:—–，、；：")  # noqa: RUF001
_ABBREVIATION: Final = 3
"""Letters at the most: Mr., Mrs., St."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or what of it fits a caption. Positions are in samples."""

    start: int
    end: int
    text: str
    """As the words are written: with a space before the first where there is one."""
    words: tuple[Word, ...] = ()
    quality: Quality | None = None


def segments(words: Sequence[Word], quality: Quality | None = None) -> list[Segment]:
    """Of one turn; each word has its times."""
    return [
        Segment(_start(part[0]), max(map(_end, part)), joined(part), tuple(part), quality)
        for sentence in _sentences(words)
        for part in _fitting(sentence)
    ]


def srt(segments: Iterable[Segment]) -> str:
    cues = enumerate(_cues(segments), 1)
    return "".join(
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}\n\n"
        for number, (start, end, text) in cues
    )


def vtt(segments: Iterable[Segment]) -> str:
    cues = (
        f"{_clock(start, '.')} --> {_clock(end, '.')}\n{escape(text, quote=False)}\n\n"
        for start, end, text in _cues(segments)
    )
    return "WEBVTT\n\n" + "".join(cues)


# Cutting


def _sentences(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    start = 0
    for at, (word, after) in enumerate(pairwise(words), 1):
        # A full stop may stand alone, as in French before a question mark.
        if is_finished(joined(words[max(start, at - 2) : at])) and not _goes_on(word, after):
            yield words[start:at]
            start = at
    if words:
        yield words[start:]


def _goes_on(word: Word, after: Word) -> bool:
    """The full stop is one of an abbreviation."""
    text = word.text.strip()
    is_short = text[:1].isupper() and text.endswith(".") and len(word.key) <= _ABBREVIATION
    return after.text.strip()[:1].islower() or (is_short and _start(after) - _end(word) < _PAUSE)


def _fitting(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    while (most := _as_many_as_fit(words)) < len(words):
        # As long as the others will be, unless there is a better place nearby.
        share = len(words) / ceil(len(words) / most)
        places = range(max(1, most // 2), most + 1)
        cut = max(places, key=lambda at: _rest_after(words, at) / _PAUSE - abs(at - share) / most)
        yield words[:cut]
        words = words[cut:]
    yield words


def _as_many_as_fit(words: Sequence[Word]) -> int:
    """One at the least."""
    characters = 0
    for count, word in enumerate(words):
        characters += len(word.text)
        too_long = characters > _MOST_CHARACTERS or _end(word) - _start(words[0]) > _LONGEST
        if count and too_long:
            return count
    return len(words)


def _rest_after(words: Sequence[Word], count: int) -> int:
    """How long one rests there, the rest a mark asks for included."""
    word, after = words[count - 1 : count + 1]
    return min(_start(after) - _end(word), _PAUSE) + _PAUSE * word.text.endswith(_MARKS)


def _start(word: Word) -> int:
    assert word.start is not None, "asked for with its times"
    return word.start


def _end(word: Word) -> int:
    assert word.end is not None, "asked for with its times"
    return word.end


# Writing


def _cues(segments: Iterable[Segment]) -> Iterator[tuple[int, int, str]]:
    """In milliseconds, one after another as readers insist, each with a line that is not empty."""
    over = 0
    for segment in segments:
        if text := " ".join(segment.text.split()):
            start = max(over, segment.start * 1000 // _RATE)
            over = max(start + 1, segment.end * 1000 // _RATE)
            yield start, over, text


def _clock(milliseconds: int, point: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
