"""Whether a frame is one the official SDK's types allow."""

import copy
import json
from typing import Any, get_args

from openai.types.beta.realtime.realtime_server_event import RealtimeServerEvent as BetaServerEvent
from openai.types.beta.realtime.transcription_session import TranscriptionSession
from openai.types.realtime.realtime_server_event import RealtimeServerEvent as GaServerEvent
from pydantic import BaseModel

from realtime_asr.dialects.negotiate import Shape

EXTENSIONS = {"session.expiring", "session.closed"}
"""Ours: the SDK has no types for them."""
_COMPLETED = "conversation.item.input_audio_transcription.completed"
_OURS = {"item.input_audio_transcription.word_times", "item.input_audio_transcription.timings"}
"""What else can be included, and then is on `completed`."""


def assert_official(frame: str, shape: Shape) -> None:
    """Raises unless the frame is valid, taken exactly as it stands on the wire of a connection of this shape."""
    event = json.loads(frame)
    assert isinstance(event.get("event_id"), str), "every server event has an id"
    if event["type"] in EXTENSIONS:
        return
    types = _TYPES[_spoken(event, shape)]
    assert event["type"] in types, f"{event['type']} is no event of {shape}"
    read = types[event["type"]].model_validate_json(json.dumps(_forgiven(event)), strict=True)
    assert not read.model_extra, f"{event['type']} has no {', '.join(read.model_extra)}"


def _spoken(event: dict[str, Any], shape: Shape) -> Shape:
    """An answer mirrors its request, whatever its connection speaks otherwise."""
    if not event["type"].endswith("session.updated"):
        return shape
    return Shape.GA if "audio" in event["session"] else Shape.BETA


def _forgiven(event: dict[str, Any]) -> dict[str, Any]:
    """The types ask for more than the wire ever gave, or less than we do.

    Beta's: a secret on the socket, too, and one of three models, but no rate. GA's: one of our four rates.
    Neither has times, of words or of ours.
    """
    forgiven = copy.deepcopy(event)
    if forgiven["type"] == _COMPLETED:
        forgiven.pop("words", None)
        forgiven.pop("timings", None)
    match forgiven:
        case {"session": {"include": [*names]} as session}:
            session["include"] = [name for name in names if name not in _OURS]
    match forgiven.get("session"):
        case {"audio": {"input": {"format": {"rate": 8_000 | 16_000 | 48_000} as pcm}}}:
            pcm["rate"] = 24_000
        case {"input_audio_transcription": transcription}:
            forgiven["session"]["client_secret"] = {"value": "", "expires_at": 0}
            forgiven["session"].pop("input_audio_sample_rate", None)
            if transcription:
                assert isinstance(transcription["model"], str)
                transcription["model"] = "whisper-1"
    return forgiven


class _Created(BaseModel):
    """The one event beta's types leave out."""

    type: str
    event_id: str
    session: TranscriptionSession


def _by_type(union: Any) -> dict[str, type[BaseModel]]:
    members = get_args(get_args(union)[0])
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in members}


_GA, _BETA = _by_type(GaServerEvent), _by_type(BetaServerEvent)
# Beta's types never learned of idle timeouts and detected languages.
_IDLE = "input_audio_buffer.timeout_triggered"
_TYPES = {
    Shape.GA: _GA,
    Shape.BETA: _BETA
    | {_IDLE: _GA[_IDLE], _COMPLETED: _GA[_COMPLETED], "transcription_session.created": _Created},
}
