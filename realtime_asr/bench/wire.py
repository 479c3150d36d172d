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


def read(event: Mapping[str, Any], at: float) -> Heard | None:
    """None for what tells nothing of turns, such as the settings in force."""
    item = event.get("item_id") or ""
    match _KINDS.get(event["type"]):
        case None:
            return None
        case "delta":
            return Heard(at, "delta", item, event.get("delta") or "")
        case "completed":
            return Heard(at, "completed", item, event.get("transcript") or "")
        case "failed":
            return Heard(at, "failed", item, code(event))
        case "error":
            return Heard(at, "error", event["error"].get("event_id") or "", code(event))
        case kind:
            milliseconds = event.get("audio_start_ms", event.get("audio_end_ms"))
            return Heard(at, kind, item, audio=None if milliseconds is None else milliseconds / 1000)


def code(event: Mapping[str, Any]) -> str:
    """Of an error: its name, or else its kind."""
    error = event["error"]
    return str(error.get("code") or error.get("type") or "unknown")


def _said(type: str, **fields: object) -> str:
    return json.dumps({"type": type, **fields})
