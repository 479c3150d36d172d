"""What clients are told, as far as both of OpenAI's dialects agree."""

import base64
from collections.abc import Sequence
from math import exp
from typing import Annotated, Final, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field

from realtime_asr.audio.detection import Eagerness, SemanticVad, ServerVad, TurnDetection
from realtime_asr.audio.timeline import RATE, milliseconds, seconds
from realtime_asr.dialects.openai_shared import EXTRAS, Included
from realtime_asr.session.config import (
    Deltas,
    Extra,
    NoiseReduction,
    NoiseReductionKind,
    Responses,
    Transcription,
)
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    IdleTimedOut,
    ItemDeleted,
    ItemRetrieved,
    SessionClosed,
    SessionExpiring,
    SpeechStarted,
    SpeechStopped,
    Timing,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import ProblemKind
from realtime_asr.transcript.agreement import Delay
from realtime_asr.transcript.hypothesis import Word

OMITTED: Final = Field(exclude_if=lambda value: value is None)
"""Left out when None. Everything else is told as null: OpenAI does both, and clients rely on which."""


class Told(BaseModel):
    """Keys leave in the order of the fields."""

    model_config = ConfigDict(frozen=True)


class ServerFrame(Told):
    type: str
    event_id: str


class SpeechStartedFrame(ServerFrame):
    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    audio_start_ms: int
    item_id: str


class SpeechStoppedFrame(ServerFrame):
    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    audio_end_ms: int
    item_id: str


class TimeoutTriggeredFrame(ServerFrame):
    type: Literal["input_audio_buffer.timeout_triggered"] = "input_audio_buffer.timeout_triggered"
    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class CommittedFrame(ServerFrame):
    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    previous_item_id: str | None
    item_id: str


class ClearedFrame(ServerFrame):
    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class InputAudio(Told):
    type: Literal["input_audio"] = "input_audio"
    transcript: str | None = None
    audio: Annotated[str | None, OMITTED] = None
    format: Annotated[Literal["pcm16"] | None, OMITTED] = None


class UserItem(Told):
    id: str
    object: Annotated[Literal["realtime.item"] | None, OMITTED] = None
    type: Literal["message"] = "message"
    status: Literal["completed"] = "completed"
    role: Literal["user"] = "user"
    content: tuple[InputAudio] = (InputAudio(),)


class ItemRetrievedFrame(ServerFrame):
    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: UserItem


class ItemDeletedFrame(ServerFrame):
    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class Logprob(Told):
    """Of a word: `token` is all of it."""

    token: str
    logprob: float
    bytes: list[int]


class TimedWord(Told):
    """Ours. Its times are seconds since the session's first sample."""

    word: str
    start: float
    end: float
    probability: Annotated[float | None, OMITTED] = None


class Timings(Told):
    """Ours: where the time went. What the engine does not tell is left out."""

    from_speech_end_ms: int
    from_commit_ms: int
    queue_ms: Annotated[int | None, OMITTED] = None
    decode_ms: Annotated[int | None, OMITTED] = None
    passes: Annotated[int | None, OMITTED] = None


class Language(Told):
    code: str


class DurationUsage(Told):
    type: Literal["duration"] = "duration"
    seconds: int


class TranscriptProblem(Told):
    type: ProblemKind
    code: str | None
    message: str
    param: str | None


class DeltaFrame(ServerFrame):
    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    item_id: str
    content_index: Literal[0] = 0
    delta: str
    logprobs: Annotated[list[Logprob] | None, OMITTED] = None


class CompletedFrame(ServerFrame):
    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    item_id: str
    content_index: Literal[0] = 0
    transcript: str
    logprobs: Annotated[list[Logprob] | None, OMITTED] = None
    languages: Annotated[tuple[Language] | None, OMITTED] = None
    usage: DurationUsage
    words: Annotated[list[TimedWord] | None, OMITTED] = None
    timings: Annotated[Timings | None, OMITTED] = None


class FailedFrame(ServerFrame):
    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    item_id: str
    content_index: Literal[0] = 0
    error: TranscriptProblem


class ErrorBody(TranscriptProblem):
    event_id: str | None
    """The client's own, of the event at fault."""


class ErrorFrame(ServerFrame):
    type: Literal["error"] = "error"
    error: ErrorBody


class SessionExpiringFrame(ServerFrame):
    """Ours: sent to clients that asked for it when they connected."""

    type: Literal["session.expiring"] = "session.expiring"
    seconds_left: float


class SessionClosedFrame(ServerFrame):
    """OpenAI's own answer to `session.close`, which it has in translation sessions only."""

    type: Literal["session.closed"] = "session.closed"


AboutAudio = SpeechStarted | SpeechStopped | IdleTimedOut | AudioCommitted | AudioCleared
AboutText = TranscriptGrew | TranscriptCompleted | TranscriptFailed
AboutTheRest = ItemRetrieved | ItemDeleted | SessionExpiring | SessionClosed


def frame(event: AboutAudio | AboutText | AboutTheRest, event_id: str) -> ServerFrame:
    if isinstance(event, AboutAudio):
        return _audio_frame(event, event_id)
    if isinstance(event, AboutText):
        return _text_frame(event, event_id)
    return _other_frame(event, event_id)


def _audio_frame(event: AboutAudio, event_id: str) -> ServerFrame:
    match event:
        case SpeechStarted(item_id, at):
            return SpeechStartedFrame(event_id=event_id, audio_start_ms=milliseconds(at), item_id=item_id)
        case SpeechStopped(item_id, at):
            return SpeechStoppedFrame(event_id=event_id, audio_end_ms=milliseconds(at), item_id=item_id)
        case IdleTimedOut(item_id, start, stop):
            return TimeoutTriggeredFrame(
                event_id=event_id,
                audio_start_ms=milliseconds(start),
                audio_end_ms=milliseconds(stop),
                item_id=item_id,
            )
        case AudioCommitted(item_id, previous_id):
            return CommittedFrame(event_id=event_id, previous_item_id=previous_id, item_id=item_id)
        case AudioCleared():
            return ClearedFrame(event_id=event_id)
        case _:
            assert_never(event)


def _text_frame(event: AboutText, event_id: str) -> ServerFrame:
    match event:
        case TranscriptGrew(item_id, text, logprobs):
            return DeltaFrame(
                event_id=event_id, item_id=item_id, delta=text, logprobs=_logprobs(text, logprobs)
            )
        case TranscriptCompleted(item_id, transcript):
            return CompletedFrame(
                event_id=event_id,
                item_id=item_id,
                transcript=transcript,
                logprobs=_logprobs(transcript, event.logprobs),
                languages=(Language(code=event.language),) if event.language else None,
                usage=DurationUsage(seconds=-(-event.length // RATE)),
                words=_timed(event.words),
                timings=_timings(event.timing),
            )
        case TranscriptFailed(item_id, problem):
            body = TranscriptProblem(
                type=problem.kind, code=problem.code, message=problem.message, param=problem.param
            )
            return FailedFrame(event_id=event_id, item_id=item_id, error=body)
        case _:
            assert_never(event)


def _other_frame(event: AboutTheRest, event_id: str) -> ServerFrame:
    match event:
        case ItemRetrieved():
            return ItemRetrievedFrame(event_id=event_id, item=_retrieved(event))
        case ItemDeleted(item_id):
            return ItemDeletedFrame(event_id=event_id, item_id=item_id)
        case SessionExpiring(seconds_left):
            return SessionExpiringFrame(event_id=event_id, seconds_left=seconds_left)
        case SessionClosed():
            return SessionClosedFrame(event_id=event_id)
        case _:
            assert_never(event)


def _retrieved(event: ItemRetrieved) -> UserItem:
    content = InputAudio(transcript=event.transcript)
    if event.audio is not None:
        audio = base64.b64encode(event.audio).decode()
        content = InputAudio(transcript=event.transcript, audio=audio, format="pcm16")
    return UserItem(id=event.item_id, object="realtime.item", content=(content,))


def _logprobs(text: str, words: Sequence[Word] | None) -> list[Logprob] | None:
    """Joined, the tokens read as the text: that may have lost the space of its first word."""
    if words is None:
        return None
    tokens = [word.text for word in words]
    if not text.startswith(" "):
        tokens[:1] = [token.lstrip(" ") for token in tokens[:1]]
    return [
        Logprob(token=token, logprob=word.logprob, bytes=list(token.encode()))
        for token, word in zip(tokens, words, strict=True)
        if word.logprob is not None
    ]


def _timed(words: Sequence[Word] | None) -> list[TimedWord] | None:
    """Without those of which nobody knows when they were said."""
    if words is None:
        return None
    return [
        TimedWord(
            word=word.text.lstrip(" "),
            start=round(seconds(word.start), 3),
            end=round(seconds(word.end), 3),
            probability=None if word.logprob is None else round(exp(word.logprob), 4),
        )
        for word in words
        if word.start is not None and word.end is not None
    ]


def _timings(timing: Timing | None) -> Timings | None:
    if timing is None:
        return None
    effort = timing.effort
    return Timings(
        from_speech_end_ms=_ms(timing.completed - timing.speech_ended),
        from_commit_ms=_ms(timing.completed - timing.committed),
        queue_ms=None if effort is None else _ms(effort.waited),
        decode_ms=None if effort is None else _ms(effort.decoded),
        passes=None if effort is None else effort.passes,
    )


def _ms(length: float) -> int:
    return round(1000 * length)


class TranscriptionObject(Told):
    model: str
    language: str | None
    prompt: str | None
    languages: Annotated[tuple[str, ...] | None, OMITTED] = None
    keywords: Annotated[tuple[str, ...] | None, OMITTED] = None
    delay: Annotated[Delay | None, OMITTED] = None
    deltas: Annotated[Deltas | None, OMITTED] = None


class NoiseReductionObject(Told):
    type: NoiseReductionKind
    strength: Annotated[float | None, OMITTED] = None


class ServerVadObject(Told):
    type: Literal["server_vad"] = "server_vad"
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int
    idle_timeout_ms: Annotated[int | None, OMITTED] = None
    create_response: Annotated[bool | None, OMITTED] = None
    interrupt_response: Annotated[bool | None, OMITTED] = None


class SemanticVadObject(Told):
    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Eagerness
    create_response: Annotated[bool | None, OMITTED] = None
    interrupt_response: Annotated[bool | None, OMITTED] = None


DetectionObject = Annotated[ServerVadObject | SemanticVadObject, Field(discriminator="type")]
_INCLUDED: Final = {extra: name for name, extra in EXTRAS.items()}


def transcription_object(
    transcription: Transcription | None, *, unset: Literal[""] | None
) -> TranscriptionObject | None:
    """The dialects differ in how they say that there is no language and no prompt."""
    if transcription is None:
        return None
    return TranscriptionObject(
        model=transcription.model,
        language=transcription.language or unset,
        prompt=transcription.prompt or unset,
        languages=transcription.languages or None,
        keywords=transcription.keywords or None,
        delay=transcription.delay,
        deltas=transcription.deltas,
    )


def noise_reduction_object(noise_reduction: NoiseReduction | None) -> NoiseReductionObject | None:
    if noise_reduction is None:
        return None
    return NoiseReductionObject(type=noise_reduction.kind, strength=noise_reduction.strength)


def detection_object(
    detection: TurnDetection | None, responses: Responses
) -> ServerVadObject | SemanticVadObject | None:
    match detection:
        case ServerVad(threshold, padding, silence, idle):
            return ServerVadObject(
                threshold=threshold,
                prefix_padding_ms=padding,
                silence_duration_ms=silence,
                idle_timeout_ms=idle,
                create_response=responses.create,
                interrupt_response=responses.interrupt,
            )
        case SemanticVad(eagerness):
            return SemanticVadObject(
                eagerness=eagerness,
                create_response=responses.create,
                interrupt_response=responses.interrupt,
            )
        case None:
            return None
        case _:
            assert_never(detection)


def included(extras: tuple[Extra, ...] | None) -> tuple[Included, ...] | None:
    return None if extras is None else tuple(_INCLUDED[extra] for extra in extras)
