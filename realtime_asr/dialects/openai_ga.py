"""The dialect OpenAI speaks today: `session.update`, audio settings nested in `audio.input`."""

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from realtime_asr.audio.formats import AudioFormat, Encoding
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
    Pcm,
    Pcma,
    Pcmu,
    Sent,
    SessionSettings,
    read_body,
    typed,
)
from realtime_asr.session.commands import Configure
from realtime_asr.session.config import Patch, SessionConfig
from realtime_asr.session.problem import Problem

UPDATE: Final = "session.update"
"""What `Configure.via` says of a GA request."""


def _format_object(sent: object) -> object:
    """A name instead of the object: OpenAI's own examples have both."""
    return _BETA_NAMES.get(sent, {"type": sent}) if isinstance(sent, str) else sent


_BETA_NAMES: Final[dict[str, dict[str, object]]] = {
    "pcm16": {"type": "audio/pcm", "rate": None},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


class AudioInput(InputSettings):
    format: (
        Annotated[Pcm | Pcmu | Pcma, Field(discriminator="type"), BeforeValidator(_format_object)] | None
    ) = None


class Audio(Sent):
    input: AudioInput | None = None


def _not_realtime(sent: object) -> object:
    if sent == "realtime":
        raise PydanticCustomError("realtime_session", "a conversation")
    return sent


class Session(SessionSettings):
    type: Annotated[Literal["transcription"], BeforeValidator(_not_realtime)]
    audio: Audio | None = None

    def patch(self) -> Patch:
        settings = (self.audio and self.audio.input) or AudioInput()
        named = settings.format.audio_format() if settings.format else None
        return settings.as_patch(named, self.extras())


AnySession = Annotated[Session, typed("transcription")]


class SessionUpdateFrame(ClientFrame):
    type: Literal["session.update"]
    session: AnySession

    def command(self) -> Configure:
        return Configure(self.session.patch(), UPDATE, self.event_id)


class ClientSecretRequest(Sent):
    expires_after: Lifetime | None = None
    session: AnySession | None = None


def read_client_secret(body: bytes, *, strict: bool = False) -> Mint | Problem:
    """What POST /v1/realtime/client_secrets asks for."""
    request = read_body(ClientSecretRequest, body, strict=strict)
    if isinstance(request, Problem):
        return request
    session = request.session or Session(type="transcription")
    lifetime = request.expires_after or Lifetime()
    return Mint(Shape.GA, session.patch(), session.claims(), lifetime.seconds)


class RevocationRequest(Sent):
    value: str


def read_revocation(body: bytes, *, strict: bool = False) -> str | Problem:
    """Which client secret to revoke."""
    request = read_body(RevocationRequest, body, strict=strict)
    return request if isinstance(request, Problem) else request.value


class FormatObject(Told):
    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
    rate: Annotated[int | None, OMITTED] = None


class AudioInputObject(Told):
    format: FormatObject
    transcription: TranscriptionObject | None
    noise_reduction: NoiseReductionObject | None
    turn_detection: DetectionObject | None


class AudioObject(Told):
    input: AudioInputObject


class SessionObject(Told):
    type: Literal["transcription"] = "transcription"
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    id: str
    expires_at: int
    audio: AudioObject
    include: tuple[Included, ...] | None


def session_object(config: SessionConfig, *, session_id: str, expires_at: int) -> SessionObject:
    settings = AudioInputObject(
        format=_format(config.format),
        transcription=transcription_object(config.transcription, unset=None),
        noise_reduction=noise_reduction_object(config.noise_reduction),
        turn_detection=detection_object(config.detection, config.responses),
    )
    return SessionObject(
        id=session_id,
        expires_at=expires_at,
        audio=AudioObject(input=settings),
        include=included(config.include),
    )


def _format(format: AudioFormat) -> FormatObject:
    if format.encoding is Encoding.PCM16:
        return FormatObject(type="audio/pcm", rate=format.rate)
    return FormatObject(type="audio/pcmu" if format.encoding is Encoding.ULAW else "audio/pcma")


class SessionCreatedFrame(ServerFrame):
    type: Literal["session.created"] = "session.created"
    session: SessionObject


class SessionUpdatedFrame(ServerFrame):
    type: Literal["session.updated"] = "session.updated"
    session: SessionObject


class ItemAddedFrame(ServerFrame):
    type: Literal["conversation.item.added"] = "conversation.item.added"
    previous_item_id: str | None
    item: UserItem


class ItemDoneFrame(ServerFrame):
    type: Literal["conversation.item.done"] = "conversation.item.done"
    previous_item_id: str | None
    item: UserItem
