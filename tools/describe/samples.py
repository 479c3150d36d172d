"""Examples of what goes over the wire: our own values, told by the code that tells clients."""

import json
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from typing import Final

from pydantic import BaseModel, ValidationError

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.timeline import samples
from realtime_asr.dialects import openai_beta as beta
from realtime_asr.dialects import openai_ga as ga
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_frames import ServerFrame
from realtime_asr.dialects.openai_realtime import SERVER_FRAMES, OpenAIRealtime, session_object
from realtime_asr.dialects.openai_shared import (
    AppendFrame,
    ClearFrame,
    CloseFrame,
    CommitFrame,
    DeleteFrame,
    RetrieveFrame,
)
from realtime_asr.session.config import SessionConfig, Transcription
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    Event,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    ItemRetrieved,
    Rejected,
    SessionClosed,
    SessionCreated,
    SessionExpiring,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    Timing,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Effort, Word
from tools.describe.schemas import Json


def ids(prefix: str) -> Callable[[], str]:
    """The same every time, and looking like those of the server."""
    numbers = count(1)
    return lambda: prefix + sha256(f"{prefix}{next(numbers)}".encode()).hexdigest()[:21]


_ITEM: Final = ids("item_")()
_SESSION: Final = ids("sess_")()
_CONFIG: Final = SessionConfig(
    Transcription("whisper-1", language="en"),
    chosen_detection=ServerVad(silence_duration_ms=400),
    include=("word_times", "timings"),
)
_WORDS: Final = (
    Word(" The", -0.02, samples(470), samples(590)),
    Word(" kettle", -0.05, samples(590), samples(1_010)),
    Word(" is", -0.01, samples(1_070), samples(1_190)),
    Word(" on.", -0.03, samples(1_190), samples(1_520)),
)
_TIMING: Final = Timing(1.52, 1.92, 1.934, Effort(waited=0.0, decoded=0.611, passes=4))
_PCM16: Final = "AADoA9AHuAvQB+gDAAAY/DD4SPQw+Bj8"

GA_SETTINGS: Final[Json] = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24_000},
            "transcription": {"model": "whisper-1", "language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
        }
    },
    "include": ["item.input_audio_transcription.word_times", "item.input_audio_transcription.timings"],
}
BETA_SETTINGS: Final[Json] = {
    "input_audio_format": "pcm16",
    "input_audio_transcription": {"model": "whisper-1", "language": "en"},
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
    "include": ["item.input_audio_transcription.word_times", "item.input_audio_transcription.timings"],
}
CLIENT: Final[dict[type[BaseModel], Json]] = {
    ga.SessionUpdateFrame: {"type": "session.update", "event_id": "mine-1", "session": GA_SETTINGS},
    beta.FlatSessionUpdateFrame: {"type": "session.update", "session": {"turn_detection": None}},
    beta.TranscriptionSessionUpdateFrame: {"type": "transcription_session.update", "session": BETA_SETTINGS},
    AppendFrame: {"type": "input_audio_buffer.append", "audio": _PCM16},
    CommitFrame: {"type": "input_audio_buffer.commit", "event_id": "mine-2"},
    ClearFrame: {"type": "input_audio_buffer.clear"},
    RetrieveFrame: {"type": "conversation.item.retrieve", "item_id": _ITEM},
    DeleteFrame: {"type": "conversation.item.delete", "item_id": _ITEM},
    CloseFrame: {"type": "session.close"},
}

_SAID: Final[tuple[Event, ...]] = (
    SessionCreated(_CONFIG),
    SpeechStarted(_ITEM, samples(420)),
    TranscriptGrew(_ITEM, "The kettle"),
    SpeechStopped(_ITEM, samples(2_140)),
    AudioCommitted(_ITEM, None),
    ItemAdded(_ITEM, None),
    TranscriptGrew(_ITEM, " is on."),
    TranscriptCompleted(_ITEM, "The kettle is on.", samples(1_720), "en", words=_WORDS, timing=_TIMING),
    TranscriptFailed(_ITEM, Problem(None, "The engine stopped.", kind="server_error")),
    IdleTimedOut(_ITEM, samples(2_140), samples(8_140)),
    AudioCleared(),
    ItemRetrieved(_ITEM, "The kettle is on.", audio=None),
    ItemDeleted(_ITEM),
    Rejected(Problem("invalid_event", "The 'type' field is missing.", ref="mine-2")),
    SessionExpiring(60.0),
    SessionClosed(),
)


def _told(shape: Shape, *updates: str) -> list[Json]:
    """Everything there is to tell, as a connection of this shape tells it."""
    dialect = OpenAIRealtime(_SESSION, 1_800_003_600, ids("event_"), shape)
    events = (*_SAID, *(SessionUpdated(_CONFIG, via) for via in updates))
    return [json.loads(frame) for event in events for frame in dialect.encode(event)]


def _first(model: type[ServerFrame], frames: list[Json]) -> Json:
    return next(frame for frame in frames if _is_one(model, frame))


def _is_one(model: type[ServerFrame], frame: Json) -> bool:
    try:
        model.model_validate(frame)
    except ValidationError:
        return False
    return True


_FRAMES: Final = [*_told(Shape.GA, ga.UPDATE), *_told(Shape.BETA, beta.UPDATE, beta.FLAT_UPDATE)]
SERVER: Final[dict[type[BaseModel], Json]] = {model: _first(model, _FRAMES) for model in SERVER_FRAMES}

SECRET: Final[Json] = {"value": "ek_example", "expires_at": 1_800_000_600}


def minted(shape: Shape) -> Json:
    """The session that a client secret stands for."""
    return session_object(_CONFIG, shape, session_id=_SESSION, expires_at=0)
