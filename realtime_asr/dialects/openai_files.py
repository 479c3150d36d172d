"""What clients ask of a recording: the fields of a form, or the members of a JSON object."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote_to_bytes

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.formats import AudioFormat
from realtime_asr.dialects.base64_text import decoded_leniently
from realtime_asr.dialects.faults import array_too_long, excerpt, problem, text_too_long
from realtime_asr.dialects.json_text import LARGEST, read_json
from realtime_asr.dialects.openai_shared import LanguageCode, Listed, Name, Sent, typed, validated
from realtime_asr.session.config import (
    UNSET,
    Extra,
    Patch,
    ServerDefault,
    ServerVadPatch,
    SessionConfig,
    TranscriptionPatch,
    Unset,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import Task

TranslationFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
TranscriptionFormat = Literal[TranslationFormat, "diarized_json"]
Granularity = Literal["word", "segment"]

MOST_IN_FIELDS: Final = 4 * 1024 * 1024
"""Bytes of a form without its file: samples of known speakers are the largest."""
MISSING_FILE: Final = Problem("missing_required_parameter", "Missing required parameter: 'file'.", "file")


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A recording's text: what to listen for, and how to write it down."""

    task: Task
    patch: Patch
    """Of the configuration a session starts with."""
    language: str | None
    """Of the text, where that is known beforehand."""
    temperature: float
    format: TranscriptionFormat
    granularities: frozenset[Granularity]
    logprobs: bool
    stream: bool

    def configured(self, config: SessionConfig, audio: AudioFormat) -> SessionConfig:
        """What the patch led to, as the recording needs it: nobody is there who could end turns."""
        assert config.transcription is not None, "the patch asks for one"
        chosen = config.chosen_detection
        return replace(
            config,
            transcription=replace(config.transcription, task=self.task, temperature=self.temperature),
            format=audio,
            chosen_detection=ServerVad() if isinstance(chosen, ServerDefault) else chosen,
        )


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A request in JSON, with the recording inside."""

    request: FileRequest
    audio: bytes


class _Fields(Sent, ABC):
    model: Name
    prompt: Annotated[str | None, Field(max_length=32_768)] = None
    temperature: Annotated[float, Field(ge=0, le=1)] = 0.0

    @abstractmethod
    def request(self) -> FileRequest: ...


class TranslationFields(_Fields):
    response_format: TranslationFormat = "json"

    def request(self) -> FileRequest:
        return FileRequest(
            task="translate",
            patch=Patch(
                transcription=TranscriptionPatch(self.model or UNSET, prompt=self.prompt),
                include=_extras(self.response_format, logprobs=False),
            ),
            language="en",
            temperature=self.temperature,
            format=self.response_format,
            granularities=frozenset({"segment"}),
            logprobs=False,
            stream=False,
        )


class ChunkingStrategy(Sent):
    """How turns are told apart. What is left out is as for realtime sessions."""

    type: Literal["server_vad"]
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=30_000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0, le=60_000)] = 200

    def patch(self) -> ServerVadPatch:
        return ServerVadPatch(**self.model_dump(exclude_unset=True, exclude={"type"}))


def _known(sent: object, info: ValidationInfo) -> object:
    """Whatever else there is to include, we have none of it: no reason to refuse the rest."""
    return (
        [item for item in sent if item == "logprobs"] if isinstance(sent, list) and not info.context else sent
    )


def _automatic(sent: object) -> object:
    return None if sent == "auto" else sent


class TranscriptionFields(_Fields):
    response_format: TranscriptionFormat = "json"
    language: LanguageCode | None = None
    languages: Annotated[Listed[LanguageCode], Field(min_length=1, max_length=100)] = ()
    keywords: Annotated[Listed[Name], Field(max_length=1_000)] = ()
    include: Annotated[Listed[Literal["logprobs"]], BeforeValidator(_known)] = ()
    timestamp_granularities: Listed[Granularity] = ("segment",)
    stream: bool = False
    chunking_strategy: Annotated[
        ChunkingStrategy | None,
        Field(description="Or `auto`, which is the default."),
        BeforeValidator(_automatic, json_schema_input_type=ChunkingStrategy | Literal["auto"]),
        typed("server_vad"),
    ] = None
    known_speaker_names: Annotated[Listed[str], Field(max_length=4)] = ()
    known_speaker_references: Annotated[
        Listed[str],
        Field(max_length=4, description="Accepted like the names: nobody is told apart here."),
    ] = ()

    def request(self) -> FileRequest:
        logprobs = bool(self.include)
        return FileRequest(
            task="transcribe",
            patch=Patch(
                transcription=TranscriptionPatch(
                    self.model or UNSET, self.language or UNSET, self.languages, self.prompt, self.keywords
                ),
                detection=self.chunking_strategy.patch() if self.chunking_strategy else UNSET,
                include=_extras(self.response_format, logprobs=logprobs),
            ),
            language=self.language,
            temperature=self.temperature,
            format=self.response_format,
            granularities=frozenset(self.timestamp_granularities or ("segment",)),
            logprobs=logprobs,
            stream=self.stream,
        )


def _extras(format: TranscriptionFormat, *, logprobs: bool) -> tuple[Extra, ...] | Unset:
    """They take the model some time, so only what is going to be told."""
    if format not in ("json", "text"):
        return ("logprobs", "word_times")
    return ("logprobs",) if logprobs else UNSET


class InputAudio(Sent):
    """As chat completions have it."""

    data: str
    format: Annotated[str | None, Field(description="Accepted, never needed.")] = None


class _Enclosing(_Fields, ABC):
    """Ours: a form in JSON. One of the three holds the recording, in base64."""

    file: Annotated[str | None, Field(description="In base64, or as a data URL.")] = None
    audio: Annotated[str | None, Field(description="The same, as OPEA's orchestrator says it.")] = None
    input_audio: InputAudio | None = None

    def recordings(self) -> dict[str, str]:
        """By where they are."""
        inside = self.input_audio.data if self.input_audio else None
        sent = {"file": self.file, "audio": self.audio, "input_audio.data": inside}
        return {where: text for where, text in sent.items() if text is not None}


class EnclosedTranscription(TranscriptionFields, _Enclosing):
    pass


class EnclosedTranslation(TranslationFields, _Enclosing):
    pass


_FORMS: Final[Mapping[Task, type[_Fields]]] = {
    "transcribe": TranscriptionFields,
    "translate": TranslationFields,
}
_OBJECTS: Final[Mapping[Task, type[_Enclosing]]] = {
    "transcribe": EnclosedTranscription,
    "translate": EnclosedTranslation,
}


def read_form(fields: Iterable[tuple[str, str]], task: Task, *, strict: bool) -> FileRequest | Problem:
    """Fields by their names as they came: an array as `name[]`, `name`, with commas or as JSON."""
    sent = _gathered(fields)
    if isinstance(sent, Problem):
        return sent
    try:
        return validated(_FORMS[task], _complete(sent, strict=strict), strict=strict).request()
    except ValidationError as error:
        return problem(error)


def read_urlencoded(body: bytes, task: Task, *, strict: bool) -> Enclosed | Problem:
    """Ours, and OPEA's: a form that is all text, with the recording in base64."""
    parts = body.split(b"&", _MOST_FIELDS)
    if len(parts) > _MOST_FIELDS:
        return Problem(None, f"The form of your request has more than {_MOST_FIELDS} fields.")
    recordings = [part[len(_FILE) :] for part in parts if part.startswith(_FILE) and part != _FILE]
    if len(recordings) != 1:
        return twice("file") if recordings else MISSING_FILE
    fields = [part.partition(b"=") for part in parts if not part.startswith(_FILE)]
    if sum(len(name) + len(value) for name, _, value in fields) > MOST_IN_FIELDS:
        return Problem(None, f"The fields of your request have more than {MOST_IN_FIELDS} bytes.")
    texts = [(_unquoted(name), _unquoted(value)) for name, _, value in fields if value]
    asked = read_form(texts, task, strict=strict)
    # Shells do not escape the plus, which then reads as a space.
    return enclosed(asked, _unquoted(recordings[0]).replace(" ", "+"), "file")


def field_text(data: bytes) -> str:
    """What is no UTF-8 is told as such, but takes long to: not in what nobody is going to read."""
    return data.decode("latin-1") if len(data) > LARGEST else data.decode(errors="replace")


def _unquoted(text: bytes) -> str:
    """A piece at a time, so that other threads get their turn."""
    pieces, start = [], 0
    while start < len(text):
        stop = start + _PIECE
        # No escape is cut in two.
        cut = text.rfind(b"%", stop - 2, stop)
        stop = stop if cut < 0 else cut
        pieces.append(unquote_to_bytes(text[start:stop].replace(b"+", b" ")))
        start = stop
    return field_text(b"".join(pieces))


def read_enclosed(body: bytes, task: Task, *, strict: bool) -> Enclosed | Problem:
    try:
        sent = read_json(body)
    except ValueError as error:
        return Problem(None, f"We could not parse the JSON body of your request: {error}.")
    if isinstance(sent, dict):
        # Null is as good as nothing.
        given = {name: value for name, value in sent.items() if value is not None}
        sent = _complete(given, strict=strict)
    try:
        asked = validated(_OBJECTS[task], sent, strict=strict)
    except ValidationError as error:
        return problem(error)
    recordings = asked.recordings()
    if len(recordings) != 1:
        return twice(list(recordings)[-1].partition(".")[0]) if recordings else MISSING_FILE
    ((where, text),) = recordings.items()
    return enclosed(asked.request(), text, where)


def enclosed(asked: FileRequest | Problem, text: str, where: str) -> Enclosed | Problem:
    """A request and its recording, which is at `where` in what was sent."""
    if isinstance(asked, Problem):
        return asked
    try:
        return Enclosed(asked, decoded_leniently(text))
    except ValueError:
        message = (
            f"Invalid '{where}'. Expected audio in base64, or a data URL of it, but got an invalid value."
        )
        return Problem("invalid_value", message, where)


def twice(name: str) -> Problem:
    name = excerpt(name)
    message = (
        f"Duplicate parameter: '{name}'. You provided multiple values for this parameter, whereas only one "
        "is allowed."
    )
    return Problem("duplicate_parameter", message, name)


def _complete(sent: dict[str, Any], *, strict: bool) -> dict[str, Any]:
    """Who names no model gets ours, as in OPEA's services, unless we are strict."""
    return sent if strict else {"model": "", **sent}


_FILE: Final = b"file="
_MOST_FIELDS: Final = 2_000
_MOST_ITEMS: Final = 1_000
"""Of the longest list."""
_PIECE: Final = 64 * 1024
_LONG_FIELD: Final = "known_speaker_references"
_LISTS: Final = frozenset(
    {
        "include",
        "keywords",
        "known_speaker_names",
        _LONG_FIELD,
        "languages",
        "timestamp_granularities",
    }
)
_NO_TEXTS: Final = frozenset({"chunking_strategy", "temperature"})
_BRACKETED: Final = re.compile(r"(\w+)\[(\w*)\]")


def _gathered(fields: Iterable[tuple[str, str]]) -> dict[str, Any] | Problem:
    """What a form says, as the JSON it would be."""
    sent: dict[str, Any] = {}
    lengths: Counter[str] = Counter()
    for name, text in fields:
        found = _BRACKETED.fullmatch(name)
        base, key = found.groups() if found else (name, "")
        lengths[base] += len(text)
        if lengths[base] > LARGEST and base != _LONG_FIELD:
            return text_too_long(excerpt(base), LARGEST, lengths[base])
        if base in _LISTS:
            listed = sent.setdefault(base, [])
            listed.extend(_items(base, text, bare=found is None))
            if len(listed) > _MOST_ITEMS:
                return array_too_long(base, _MOST_ITEMS)
        elif not text:
            continue  # so do forms that nobody filled in
        elif key and isinstance(nested := sent.setdefault(base, {}), dict) and key not in nested:
            nested[key] = _json(text)
        elif base in sent:
            return twice(base)
        else:
            sent[base] = _value(base, text)
    return sent


def _items(name: str, text: str, *, bare: bool) -> list[Any]:
    if text.startswith("[") and isinstance(listed := _json(text), list):
        return listed
    # Behind brackets a comma belongs to the item, and in data URLs always.
    parts = text.split(",") if bare and name != _LONG_FIELD else [text]
    return [part.strip() for part in parts if part.strip()]


def _value(name: str, text: str) -> Any:
    if name == "stream":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return _json(text) if name in _NO_TEXTS else text


def _json(text: str) -> Any:
    try:
        return read_json(text.encode())
    except ValueError:
        return text
