"""What a file endpoint answers, as the text of one pass: words, their times, and whether to believe them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Annotated, Final
from unicodedata import normalize

from pydantic import AfterValidator, BaseModel, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from realtime_asr.audio.timeline import samples, seconds
from realtime_asr.engines.checking import checked
from realtime_asr.engines.engine import EngineError, Text
from realtime_asr.engines.openai_http.hearing import Recording
from realtime_asr.transcript.credibility import NOTHING_SAID, Evidence, Incredible, Reason, judge
from realtime_asr.transcript.hypothesis import Quality, Word, spelt
from realtime_asr.transcript.language_names import code_of, english_name

_REMOTES_OWN: Final = "unlikely"
"""A doubt that it had before us: it tried other texts, and how it counts probabilities nobody knows."""


def _finite(figure: float | None) -> float | None:
    """One that can be reckoned with. Python reads NaN and infinity where JSON has neither."""
    return figure if figure is not None and abs(figure) < _LARGE else None


_LARGE: Final = 1e6
_Figure = Annotated[float | None, AfterValidator(_finite)]


def _readable(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """A text is worth having, whatever comes with it."""
    try:
        return read(value)
    except ValidationError:
        return None


_Beside = WrapValidator(_readable)


class _Word(BaseModel):
    word: str
    start: _Figure = None
    end: _Figure = None


class _Segment(BaseModel):
    text: str = ""
    words: Annotated[list[_Word] | None, _Beside] = None
    """Where whisper.cpp has them."""
    temperature: _Figure = None
    avg_logprob: _Figure = None
    no_speech_prob: _Figure = None


class _Answer(BaseModel):
    """As much of it as most endpoints agree on. In plain JSON there is only the text."""

    text: str
    language: Annotated[str | None, _Beside] = None
    words: Annotated[list[_Word] | None, _Beside] = None
    segments: Annotated[list[_Segment] | None, _Beside] = None


def read(body: bytes, recording: Recording, prompt: str, false_phrases: frozenset[str]) -> Text:
    """`prompt` is all the text that was sent with the recording. Raises EngineError."""
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError:
        # Not chained: it quotes what was said.
        raise EngineError("The engine's answer cannot be read.") from None
    length = recording.length
    # As a whole first: nobody wants to look at each word of a book.
    _sound(Text((Word(answer.text),)), length)
    doubt = _doubt(answer, recording, prompt, false_phrases)
    words = () if doubt in NOTHING_SAID else _timed(spelt(answer.text), _told(answer), length)
    found = code_of(english_name((answer.language or "").lower()))
    return _sound(Text(tuple(words), recording.request.language or found, doubt, _quality(answer)), length)


def _sound(text: Text, length: int) -> Text:
    seen = checked(text, length)
    if isinstance(seen, EngineError):
        raise seen
    return seen


def _quality(answer: _Answer) -> Quality:
    parts = answer.segments or []
    return Quality(
        max((part.temperature for part in parts if part.temperature is not None), default=0.0),
        min((part.no_speech_prob for part in parts if part.no_speech_prob is not None), default=None),
    )


def _doubt(
    answer: _Answer, recording: Recording, prompt: str, false_phrases: frozenset[str]
) -> Reason | None:
    parts = answer.segments or []
    likely = [(part.avg_logprob, len(part.text) + 1) for part in parts if part.avg_logprob is not None]
    verdict = judge(
        Evidence(
            answer.text,
            seconds(recording.length),
            mean_logprob=fmean(*zip(*likely, strict=True)) if likely else 0.0,
            no_speech_probability=_quality(answer).no_speech or 0.0,
            voice=recording.voice,
            # What was said before is nothing to be an echo of: people repeat themselves.
            prompt=recording.request.hints if prompt else "",
            false_phrases=false_phrases,
        )
    )
    doubt = verdict.reason if isinstance(verdict, Incredible) else None
    return None if doubt == _REMOTES_OWN else doubt


def _told(answer: _Answer) -> list[_Word]:
    inside = (word for part in answer.segments or () for word in part.words or ())
    return answer.words or list(inside)


def _timed(words: Sequence[Word], told: Iterable[_Word], length: int) -> Sequence[Word]:
    """Some endpoints leave out marks and spaces, some tell of parts of words: letters say what is whose."""
    letters = [(letter, part) for part in told for letter in _letters(part.word)]
    if [letter for letter, _ in letters] != [letter for word in words for letter in _letters(word.text)]:
        return words
    timed, at = list[Word](), 0
    end: int | None = 0
    for word in words:
        mine = letters[at : at + len(_letters(word.text))]
        at += len(mine)
        if mine:
            start, end = _sample(mine[0][1].start, length), _sample(mine[-1][1].end, length)
        else:
            start = end  # a mark is no sound
        timed.append(replace(word, start=start, end=end))
    return timed


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, normalize("NFKC", text).casefold()))


def _sample(moment: float | None, length: int) -> int | None:
    return None if moment is None else min(samples(1_000 * moment), length)
