"""Whether a frame is one the official SDK's types allow."""

import json
from typing import Any, get_args

from openai.types.beta.realtime.realtime_server_event import RealtimeServerEvent as BetaServerEvent
from openai.types.beta.realtime.transcription_session import TranscriptionSession
from openai.types.realtime.realtime_server_event import RealtimeServerEvent as GaServerEvent
from pydantic import BaseModel

from realtime_asr.dialects.negotiate import Shape

EXTENSIONS = {"session.expiring", "session.closed"}
"""Ours: the SDK has no types for them."""


def assert_official(frame: str, shape: Shape) -> None:
    """Raises unless the frame is valid, taken exactly as it stands on the wire."""
    event = json.loads(frame)
    assert isinstance(event.get("event_id"), str), "every server event has an id"
    if event["type"] not in EXTENSIONS:
        assert event["type"] in _TYPES[shape], f"{event['type']} is no event of {shape}"
        _TYPES[shape][event["type"]].model_validate_json(json.dumps(_forgiven(event)), strict=True)


def _forgiven(event: dict[str, Any]) -> dict[str, Any]:
    """Beta's types ask for more than its wire ever gave: a secret on the socket, one of three models."""
    session = event.get("session")
    if isinstance(session, dict) and "input_audio_format" in session:
        session = {**session, "client_secret": {"value": "", "expires_at": 0}}
        if session["input_audio_transcription"]:
            assert isinstance(session["input_audio_transcription"]["model"], str)
            session["input_audio_transcription"] = {
                **session["input_audio_transcription"],
                "model": "whisper-1",
            }
        event = {**event, "session": session}
    return event


class _Created(BaseModel):
    """The one event beta's types leave out."""

    type: str
    event_id: str
    session: TranscriptionSession


def _by_type(union: Any) -> dict[str, type[BaseModel]]:
    members = get_args(get_args(union)[0])
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in members}


_GA, _BETA = _by_type(GaServerEvent), _by_type(BetaServerEvent)
_BOTH_WAYS = {
    # Each answer mirrors its request, on whatever connection; and beta's types never learned of idle timeouts.
    "transcription_session.updated": _BETA["transcription_session.updated"],
    "input_audio_buffer.timeout_triggered": _GA["input_audio_buffer.timeout_triggered"],
}
_TYPES = {
    Shape.GA: _GA | _BOTH_WAYS,
    Shape.BETA: _BETA | _BOTH_WAYS | {"transcription_session.created": _Created},
}
