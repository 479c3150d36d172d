"""The file endpoints: what goes up, and every way in which the text comes down."""

import json
from typing import Any, Final

from pydantic import BaseModel

from realtime_asr.audio.timeline import samples
from realtime_asr.dialects import openai_file_answers as answers
from realtime_asr.dialects import openai_files as files
from realtime_asr.session.events import TranscriptCompleted
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Quality, Word
from realtime_asr.transcript.request import Task
from tools.describe.schemas import Json, Schemas

FILE_MODELS: Final[tuple[type[BaseModel], ...]] = (
    files.TranscriptionFields,
    files.TranslationFields,
    files.EnclosedTranscription,
    files.EnclosedTranslation,
    answers.Transcription,
    answers.VerboseTranscription,
    answers.DiarizedTranscription,
    answers.Translation,
    answers.TextDelta,
    answers.SpeakerSegment,
    answers.TextDone,
    answers.StreamedError,
    answers.TooLarge,
)
TOO_LARGE: Final[Json] = answers.too_large(26_214_401, 26_214_400).model_dump(mode="json")


def file_operations(schemas: Schemas) -> dict[str, Json]:
    """By their paths, each with the answer where all went well."""
    return {
        "/v1/audio/transcriptions": _transcription(schemas, "createTranscription"),
        "/v1/audio/translations": _translation(schemas, "createTranslation"),
        "/openai/v1/audio/transcriptions": _transcription(schemas, "createTranscriptionAzure"),
        "/openai/v1/audio/translations": _translation(schemas, "createTranslationAzure"),
    }


def _transcription(schemas: Schemas, operation: str) -> Json:
    json_answers = schemas.any_of(
        (answers.Transcription, answers.VerboseTranscription, answers.DiarizedTranscription)
    )
    return {
        "operationId": operation,
        "summary": "Writes down what is said in a recording.",
        "description": _ABOUT_STREAMS,
        "requestBody": _request(schemas, files.TranscriptionFields, files.EnclosedTranscription),
        "responses": {
            "200": _answer(
                {
                    "application/json": _media(json_answers, json.loads(_written("json"))),
                    "text/plain": _media(_TEXT, _written("srt")),
                    "text/event-stream": _media(_EVENTS, _streamed()),
                }
            )
        },
    }


def _translation(schemas: Schemas, operation: str) -> Json:
    json_answers = schemas.any_of((answers.Translation, answers.VerboseTranscription))
    return {
        "operationId": operation,
        "summary": "Writes down in English what is said in a recording.",
        "requestBody": _request(schemas, files.TranslationFields, files.EnclosedTranslation),
        "responses": {
            "200": _answer(
                {
                    "application/json": _media(json_answers, json.loads(_written("json", "translate"))),
                    "text/plain": _media(_TEXT, _written("vtt", "translate")),
                }
            )
        },
    }


def _request(schemas: Schemas, form: type[BaseModel], enclosed: type[BaseModel]) -> Json:
    file = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    form_schema = {"allOf": [schemas[form], file], "description": _ABOUT_FORMS}
    text = {"type": "string", "description": "In base64, or as a data URL."}
    text_schema = {"allOf": [schemas[form], {**file, "properties": {"file": text}}]}
    return {
        "required": True,
        "content": {
            "multipart/form-data": _media(form_schema, {"file": "RIFF…", **_FIELDS}),
            "application/json": _media(schemas[enclosed], {"file": "UklGRg==", **_FIELDS}),
            "application/x-www-form-urlencoded": _media(text_schema, {"file": "UklGRg==", **_FIELDS}),
        },
    }


def _answer(content: Json) -> Json:
    return {
        "description": "The text, as `response_format` asks for it.",
        "headers": {"x-request-id": {"$ref": "#/components/headers/x-request-id"}},
        "content": content,
    }


def _media(schema: Json, example: Any) -> Json:
    return {"schema": schema, "example": example}


_ABOUT_FORMS: Final = (
    "Arrays come as parts called `name[]` or `name`, with commas between their items, or as JSON; "
    "`chunking_strategy` as parts called `chunking_strategy[…]`, or as JSON."
)
_ABOUT_STREAMS: Final = (
    "With `stream` the answer is a stream of events, whatever the format: a `transcript.text.delta` for each "
    "turn, with `diarized_json` a `transcript.text.segment` besides, then one `transcript.text.done`, or an "
    "`error` where the text cannot be finished. Nobody is told apart: `diarized_json` has one speaker, and "
    "says `diarized: false`."
)
_TEXT: Final[Json] = {"type": "string", "description": "With the formats `text`, `srt` and `vtt`."}
_EVENTS: Final[Json] = {
    "type": "string",
    "description": "Each `data` is a TextDelta, SpeakerSegment, TextDone or StreamedError.",
}
_FIELDS: Final[Json] = {"model": "whisper-1"}


# Examples, told by the code that tells clients

_WORDS: Final = (
    Word(" The", -0.02, samples(470), samples(590), (383,)),
    Word(" kettle", -0.05, samples(590), samples(1_010), (42_002,)),
    Word(" is", -0.01, samples(1_070), samples(1_190), (318,)),
    Word(" on.", -0.03, samples(1_190), samples(1_520), (319, 13)),
)
_TURN: Final = TranscriptCompleted(
    "item_1", "The kettle is on.", samples(1_720), "en", _WORDS, _WORDS, quality=Quality(no_speech=0.01)
)
_LENGTH: Final = 2.14


def _asked(format: str, task: Task) -> files.FileRequest:
    asked = files.read_form([*_FIELDS.items(), ("response_format", format)], task, strict=True)
    assert not isinstance(asked, Problem), asked
    return asked


def _written(format: str, task: Task = "transcribe") -> str:
    transcript = answers.Transcript()
    transcript.add(_TURN, samples(420))
    return answers.written(transcript, _asked(format, task), _LENGTH)


def _streamed() -> str:
    transcript, asked = answers.Transcript(), _asked("json", "transcribe")
    added = transcript.add(_TURN, samples(420))
    assert added is not None, "something was said"
    return "".join([*answers.grown(added, asked), answers.done(transcript, asked, _LENGTH)])
