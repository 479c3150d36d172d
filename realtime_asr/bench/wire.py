"""The protocol, as a client speaks and hears it: OpenAI's, as it is and as it was until May 2026."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from realtime_asr.bench.facts import Heard, Kind
from realtime_asr.bench.plan import BadPlan, Plan
from realtime_asr.bench.speech import WIRE_RATE

_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_AUDIO: Final = "input_audio_buffer."
_TEXT: Final = "conversation.item.input_audio_transcription."
_KINDS: Final[Mapping[str, Kind]] = {
    f"{_AUDIO}speech_started": "speech_started",
    f"{_AUDIO}speech_stopped": "speech_stopped",
    f"{_AUDIO}committed": "committed",
    f"{_TEXT}delta": "delta",
    f"{_TEXT}completed": "completed",
    f"{_TEXT}failed": "failed",
    "error": "error",
}


def address(plan: Plan) -> str:
    """Where to connect. Raises BadPlan."""
    parts = urlsplit(plan.url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise BadPlan(
            f"'{plan.url}' is no address of a server: it starts with ws://, wss://, http:// or https://."
        )
    path = parts.path.rstrip("/")
    query = {"intent": "transcription", **dict(parse_qsl(parts.query))}
    # Some servers need the model here; OpenAI itself refuses it next to the intent.
    if not parts.hostname.endswith("openai.com"):
        query.setdefault("model", plan.model)
    realtime = path if path.endswith("/realtime") else f"{path}/realtime"
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, realtime, urlencode(query), ""))


def headers(plan: Plan) -> dict[str, str]:
    key = {"Authorization": f"Bearer {plan.api_key}"} if plan.api_key else {}
    return {**key, "OpenAI-Beta": "realtime=v1"} if plan.dialect == "beta" else key


def opening(plan: Plan) -> str:
    """What a client says first."""
    transcription = {"model": plan.model, **({"language": plan.language} if plan.language else {})}
    detection = None if plan.manual else {"type": "server_vad", "silence_duration_ms": plan.silence_ms}
    if plan.dialect == "beta":
        flat = {"input_audio_format": "pcm16", "input_audio_transcription": transcription}
        return _said("transcription_session.update", session={**flat, "turn_detection": detection})
    heard = {"format": {"type": "audio/pcm", "rate": WIRE_RATE}, "transcription": transcription}
    audio = {"input": {**heard, "turn_detection": detection}}
    return _said("session.update", session={"type": "transcription", "audio": audio})


def append(pcm: bytes) -> bytes:
    return _said(f"{_AUDIO}append", audio=base64.b64encode(pcm).decode()).encode()


def commit(ref: str) -> str:
    return _said(f"{_AUDIO}commit", event_id=ref)


def event(frame: str | bytes) -> Mapping[str, Any]:
    """What a frame says, whoever sent it: an error where it is garbled, no type where it is no event."""
    try:
        said = json.loads(frame) if isinstance(frame, str) else None
    except (ValueError, RecursionError):
        return {"type": "error", "error": {"code": "no_json"}}
    return said if isinstance(said, dict) and isinstance(said.get("type"), str) else {"type": ""}


def read(event: Mapping[str, Any], at: float) -> Heard | None:
    """None for what tells nothing of turns, such as the settings in force."""
    item = _text(event, "item_id")
    match _KINDS.get(event["type"]):
        case None:
            return None
        case "delta":
            return Heard(at, "delta", item, _text(event, "delta"))
        case "completed":
            return Heard(at, "completed", item, _text(event, "transcript"))
        case "failed":
            return Heard(at, "failed", item, code(event))
        case "error":
            return Heard(at, "error", _text(_error(event), "event_id"), code(event))
        case kind:
            return Heard(at, kind, item, audio=_seconds(event))


def code(event: Mapping[str, Any]) -> str:
    """Of an error: its name, or else its kind."""
    error = _error(event)
    return str(error.get("code") or error.get("type") or "unknown")


def wants_key(refusal: str) -> bool:
    """Was there none, that is, and not a wrong one?"""
    return refusal in ("invalid_request_error close 3000", "http 401")


def _error(event: Mapping[str, Any]) -> Mapping[str, Any]:
    error = event.get("error")
    return error if isinstance(error, dict) else {}


def _seconds(event: Mapping[str, Any]) -> float | None:
    milliseconds = event.get("audio_start_ms", event.get("audio_end_ms"))
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def _text(event: Mapping[str, Any], name: str) -> str:
    text = event.get(name)
    return text if isinstance(text, str) else ""


def _said(type: str, **fields: object) -> str:
    return json.dumps({"type": type, **fields})
