"""The dialect OpenAI spoke until May 2026: `transcription_session.update`, flat settings."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo

from realtime_asr.audio.formats import ALAW_8K, ULAW_8K, USUAL_FORMATS, AudioFormat, Encoding
from realtime_asr.dialects.negotiate import Shape
from realtime_asr.dialects.openai_frames import (
    OMITTED,
    DetectionObject,
    NoiseReductionObject,
    ServerFrame,
    Told,
    TranscriptionObject,
    UserItem,
    detection_object,
    included,
    noise_reduction_object,
    transcription_object,
)
from realtime_asr.dialects.openai_shared import (
    ClientFrame,
    Included,
    InputSettings,
    Lifetime,
    Mint,
    Rate,
    Sent,
    SessionSettings,
    read_body,
)
from realtime_asr.session.commands import Configure
from realtime_asr.session.config import Patch, SessionConfig
from realtime_asr.session.problem import Problem

UPDATE: Final = "transcription_session.update"
FLAT_UPDATE: Final = "session.update with flat settings"
BARE_UPDATE: Final = "session.update of no dialect"
"""What `Configure.via` says of a beta request, and of one that could be either."""

FormatName = Literal["pcm16", "g711_ulaw", "g711_alaw"]
_FORMATS: Final[dict[FormatName, AudioFormat | Encoding]] = {
    "pcm16": Encoding.PCM16,
    "g711_ulaw": ULAW_8K,
    "g711_alaw": ALAW_8K,
}
_FORMAT_NAMES: Final[dict[Encoding, FormatName]] = {
    Encoding.PCM16: "pcm16",
    Encoding.ULAW: "g711_ulaw",
    Encoding.ALAW: "g711_alaw",
}


def format_of(name: FormatName, rate: int) -> AudioFormat:
    """The rate is that of PCM: what is encoded otherwise has its own."""
    known = _FORMATS[name]
    return AudioFormat(known, rate) if isinstance(known, Encoding) else known


def _without_none(sent: object, info: ValidationInfo) -> object:
    """NVIDIA's clients name no format for a file they are about to stream."""
    return None if sent == "none" and not info.context else sent


_NAMES: Final = {
    "format": "input_audio_format",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "rate": "input_audio_sample_rate",
}


class Session(InputSettings, SessionSettings):
    model_config = ConfigDict(alias_generator=lambda name: _NAMES.get(name, name))

    format: Annotated[FormatName | None, BeforeValidator(_without_none)] = None
    rate: Annotated[Rate | None, Field(description="Ours: of PCM, which OpenAI had at 24 kHz only.")] = None

    def patch(self) -> Patch:
        return self.as_patch(self._format(), self.extras())

    def _format(self) -> AudioFormat | Encoding | None:
        if self.rate:
            return format_of(self.format or "pcm16", self.rate)
        return _FORMATS[self.format] if self.format else None


class TranscriptionSessionUpdateFrame(ClientFrame):
    type: Literal["transcription_session.update"]
    session: Session

    def command(self) -> Configure:
        return Configure(self.session.patch(), UPDATE, self.event_id)


class FlatSessionUpdateFrame(ClientFrame):
    """Neither `type` nor `audio` in it. OpenAI refused this; to us it is the update it wants to be."""

    type: Literal["session.update"]
    session: Session

    def command(self) -> Configure:
        flat = self.session.model_fields_set & {"format", "rate", *InputSettings.model_fields}
        return Configure(self.session.patch(), FLAT_UPDATE if flat else BARE_UPDATE, self.event_id)


class ClientSecretWish(Sent):
    """Its lifetime went by two names."""

    expires_at: Lifetime | None = None
    expires_after: Lifetime | None = None


class TranscriptionSessionRequest(Session):
    client_secret: ClientSecretWish | None = None


def read_transcription_session(body: bytes, *, strict: bool = False) -> Mint | Problem:
    """What POST /v1/realtime/transcription_sessions asks for."""
    request = read_body(TranscriptionSessionRequest, body, strict=strict)
    if isinstance(request, Problem):
        return request
    wish = request.client_secret or ClientSecretWish()
    lifetime = wish.expires_at or wish.expires_after or Lifetime()
    return Mint(Shape.BETA, request.patch(), request.claims(), lifetime.seconds)


class SessionObject(Told):
    id: str
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    expires_at: int
    input_audio_noise_reduction: NoiseReductionObject | None
    turn_detection: DetectionObject | None
    input_audio_format: FormatName
    input_audio_sample_rate: Annotated[int | None, OMITTED] = None
    """Told where it is not the one that the format has at OpenAI."""
    input_audio_transcription: TranscriptionObject | None
    client_secret: None = None
    """Only the route that mints one has something to say here."""
    include: tuple[Included, ...] | None


def session_object(config: SessionConfig, *, session_id: str, expires_at: int) -> SessionObject:
    return SessionObject(
        id=session_id,
        expires_at=expires_at,
        input_audio_noise_reduction=noise_reduction_object(config.noise_reduction),
        turn_detection=detection_object(config.detection, config.responses),
        input_audio_format=_FORMAT_NAMES[config.format.encoding],
        input_audio_sample_rate=_unusual_rate(config.format),
        input_audio_transcription=transcription_object(config.transcription, unset=""),
        include=included(config.include),
    )


def _unusual_rate(format: AudioFormat) -> int | None:
    return None if format == USUAL_FORMATS[format.encoding] else format.rate


class TranscriptionSessionCreatedFrame(ServerFrame):
    type: Literal["transcription_session.created"] = "transcription_session.created"
    session: SessionObject


class TranscriptionSessionUpdatedFrame(ServerFrame):
    type: Literal["transcription_session.updated"] = "transcription_session.updated"
    session: SessionObject


class FlatSessionUpdatedFrame(ServerFrame):
    """Answers by the name it was asked by, in the shape it was asked in."""

    type: Literal["session.updated"] = "session.updated"
    session: SessionObject


class ItemCreatedFrame(ServerFrame):
    type: Literal["conversation.item.created"] = "conversation.item.created"
    previous_item_id: str | None
    item: UserItem
