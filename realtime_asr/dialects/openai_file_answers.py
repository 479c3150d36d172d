"""What clients are told of a recording: its text in all the ways to write it down, whole or as it grows."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean
from typing import Annotated, Final, Literal, assert_never

from realtime_asr.audio.timeline import seconds
from realtime_asr.dialects.openai_files import FileRequest
from realtime_asr.dialects.openai_frames import (
    OMITTED,
    DurationUsage,
    Language,
    Logprob,
    Told,
    TranscriptProblem,
)
from realtime_asr.session.events import TranscriptCompleted
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.captions import Segment, segments, srt, vtt
from realtime_asr.transcript.hypothesis import Quality, Word
from realtime_asr.transcript.language_names import english_name
from realtime_asr.transcript.request import Task


class Transcription(Told):
    """`languages` are those found out, when none was named."""

    text: str
    logprobs: Annotated[list[Logprob] | None, OMITTED] = None
    languages: Annotated[list[Language] | None, OMITTED] = None
    usage: DurationUsage


class Translation(Told):
    text: str


class TranscriptionWord(Told):
    """Its times are seconds from the beginning, like all here."""

    word: str
    start: float
    end: float


class TranscriptionSegment(Told):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class VerboseTranscription(Told):
    task: Task
    language: str
    duration: float
    text: str
    words: Annotated[list[TranscriptionWord] | None, OMITTED] = None
    segments: Annotated[list[TranscriptionSegment] | None, OMITTED] = None
    usage: DurationUsage


class SpeakerSegment(Told):
    """Also an event of a stream."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    text: str
    speaker: Literal["A"] = "A"


class DiarizedTranscription(Told):
    """`diarized` is ours: false says that nobody was told apart, and all is put down to one speaker."""

    task: Task
    duration: float
    text: str
    segments: list[SpeakerSegment]
    diarized: Literal[False] = False
    usage: DurationUsage


class TextDelta(Told):
    """All of them joined read as the text."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str
    logprobs: Annotated[list[Logprob] | None, OMITTED] = None
    segment_id: Annotated[str | None, OMITTED] = None


class TextDone(Told):
    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    logprobs: Annotated[list[Logprob] | None, OMITTED] = None
    languages: Annotated[list[Language] | None, OMITTED] = None
    diarized: Annotated[Literal[False] | None, OMITTED] = None
    usage: DurationUsage


class StreamedError(Told):
    """Ends a stream instead."""

    error: TranscriptProblem


class TooLarge(Told):
    error: TranscriptProblem
    usage: DurationUsage


@dataclass(frozen=True, slots=True)
class Addition:
    """What a turn adds to the text, with the gap before it."""

    text: str
    logprobs: list[Logprob]
    segments: list[tuple[str, Segment]]
    """By their names."""


@dataclass(slots=True)
class Transcript:
    """A recording's text, turn by turn."""

    text: str = ""
    logprobs: list[Logprob] = field(default_factory=list)
    segments: list[tuple[str, Segment]] = field(default_factory=list)
    languages: Counter[str] = field(default_factory=Counter)
    """In how much of the audio each is spoken."""

    def add(self, turn: TranscriptCompleted, start: int) -> Addition | None:
        """`start` is where the turn begins, in samples. None where nothing was said."""
        if not turn.transcript:
            return None
        gap = _gap(self.text, turn.transcript)
        spoken = _segments(turn, start)
        named = [(f"seg_{number:04}", one) for number, one in enumerate(spoken, len(self.segments) + 1)]
        added = Addition(gap + turn.transcript, _logprobs(gap, turn.logprobs or ()), named)
        self.text += added.text
        self.logprobs += added.logprobs
        self.segments += named
        if turn.language:
            self.languages[turn.language] += turn.length
        return added


def written(transcript: Transcript, request: FileRequest, length: float) -> str:
    """`length` is the recording's, in seconds."""
    match request.format:
        case "json":
            return _plain(transcript, request, length).model_dump_json()
        case "verbose_json":
            return _verbose(transcript, request, length).model_dump_json()
        case "diarized_json":
            return _diarized(transcript, request, length).model_dump_json()
        case "text":
            return transcript.text + "\n"
        case "srt":
            return srt(_captions(transcript))
        case "vtt":
            return vtt(_captions(transcript))
        case _:
            assert_never(request.format)


def grown(added: Addition, request: FileRequest) -> Iterator[str]:
    """The events that tell of it."""
    if request.format == "diarized_json":
        yield from _spoken(added)
    else:
        yield _event(TextDelta(delta=added.text, logprobs=added.logprobs if request.logprobs else None))


def done(transcript: Transcript, request: FileRequest, length: float) -> str:
    return _event(
        TextDone(
            text=transcript.text,
            logprobs=transcript.logprobs if request.logprobs else None,
            languages=_found(transcript, request),
            diarized=False if request.format == "diarized_json" else None,
            usage=_usage(length),
        )
    )


def broken(problem: Problem) -> str:
    """The event that ends a stream before its time."""
    return _event(StreamedError(error=_told(problem)))


def too_large(read: int, largest: int) -> TooLarge:
    message = f"413: Maximum content size limit ({largest}) exceeded ({read} bytes read)"
    return TooLarge(error=_told(Problem(None, message, kind="server_error")), usage=_usage(0))


def _event(told: Told) -> str:
    return f"data: {told.model_dump_json()}\n\n"


def _told(problem: Problem) -> TranscriptProblem:
    return TranscriptProblem(
        type=problem.kind, code=problem.code, message=problem.message, param=problem.param
    )


def _usage(length: float) -> DurationUsage:
    return DurationUsage(seconds=ceil(length))


# One turn after another

_WITHOUT_SPACES: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
)
"""Thai, Lao, Burmese, Khmer, Chinese and Japanese, with their punctuation."""


def _gap(before: str, after: str) -> str:
    """What stands between two turns."""
    if not before or (_WITHOUT_SPACES.match(before[-1]) and _WITHOUT_SPACES.match(after[0])):
        return ""
    return " "


def _logprobs(gap: str, words: Sequence[Word]) -> list[Logprob]:
    tokens = [word.text for word in words]
    tokens[:1] = [gap + token.lstrip() for token in tokens[:1]]
    return [
        Logprob(token=token, logprob=word.logprob, bytes=list(token.encode()))
        for token, word in zip(tokens, words, strict=True)
        if word.logprob is not None
    ]


def _segments(turn: TranscriptCompleted, start: int) -> list[Segment]:
    words = turn.words or ()
    if words and len(words) == len(turn.logprobs or ()):
        return segments(words, turn.quality)
    # Of some words nobody knows when they were said: then all we know is when the turn was.
    return [Segment(start, start + turn.length, turn.transcript, (), turn.quality)]


def _spoken(added: Addition) -> Iterator[str]:
    first, *rest = added.segments
    gap = added.text[: len(added.text) - len(added.text.lstrip())]
    texts = [gap + first[1].text.lstrip(), *(segment.text for _, segment in rest)]
    texts[-1] = texts[-1].rstrip()
    for (name, segment), text in zip(added.segments, texts, strict=True):
        yield _event(TextDelta(delta=text, segment_id=name))
        yield _event(_speaker_segment(name, segment))


# The whole


def _plain(transcript: Transcript, request: FileRequest, length: float) -> Transcription | Translation:
    if request.task == "translate":
        return Translation(text=transcript.text)
    return Transcription(
        text=transcript.text,
        logprobs=transcript.logprobs if request.logprobs else None,
        languages=_found(transcript, request),
        usage=_usage(length),
    )


def _found(transcript: Transcript, request: FileRequest) -> list[Language] | None:
    if request.language is not None:
        return None
    return [Language(code=code) for code in transcript.languages]


def _verbose(transcript: Transcript, request: FileRequest, length: float) -> VerboseTranscription:
    wanted, spoken = request.granularities, [segment for _, segment in transcript.segments]
    heard = request.language or next((code for code, _ in transcript.languages.most_common(1)), None)
    return VerboseTranscription(
        task=request.task,
        language=english_name(heard),
        duration=round(length, 3),
        text=transcript.text,
        words=[_word(word) for segment in spoken for word in segment.words] if "word" in wanted else None,
        segments=[_segment(at, one) for at, one in enumerate(spoken)] if "segment" in wanted else None,
        usage=_usage(length),
    )


def _word(word: Word) -> TranscriptionWord:
    return TranscriptionWord(word=word.text.strip(), start=_at(word.start or 0), end=_at(word.end or 0))


def _segment(number: int, segment: Segment) -> TranscriptionSegment:
    quality = segment.quality or Quality()
    text = segment.text.encode()
    logprobs = [word.logprob for word in segment.words if word.logprob is not None]
    return TranscriptionSegment(
        id=number,
        seek=round(100 * seconds(segment.start)),
        start=_at(segment.start),
        end=_at(segment.end),
        text=segment.text,
        tokens=[token for word in segment.words for token in word.tokens],
        temperature=quality.temperature,
        avg_logprob=round(fmean(logprobs or [0.0]), 4),
        compression_ratio=round(len(text) / len(zlib.compress(text)), 4),
        no_speech_prob=round(quality.no_speech or 0.0, 4),
    )


def _diarized(transcript: Transcript, request: FileRequest, length: float) -> DiarizedTranscription:
    return DiarizedTranscription(
        task=request.task,
        duration=round(length, 3),
        text=transcript.text,
        segments=[_speaker_segment(name, segment) for name, segment in transcript.segments],
        usage=_usage(length),
    )


def _speaker_segment(name: str, segment: Segment) -> SpeakerSegment:
    return SpeakerSegment(id=name, start=_at(segment.start), end=_at(segment.end), text=segment.text.strip())


def _captions(transcript: Transcript) -> list[Segment]:
    return [segment for _, segment in transcript.segments]


def _at(position: int) -> float:
    return round(seconds(position), 3)
