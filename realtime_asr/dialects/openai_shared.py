"""What clients send, as far as both of OpenAI's dialects agree."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from realtime_asr.audio.detection import Eagerness
from realtime_asr.audio.formats import ALAW_8K, PCM16_24K, RATES, ULAW_8K, AudioFormat, Encoding
from realtime_asr.dialects.base64_text import decoded
from realtime_asr.dialects.faults import problem
from realtime_asr.dialects.json_text import read_json
from realtime_asr.dialects.negotiate import LONGEST_NAME, Shape
from realtime_asr.session.commands import (
    AppendAudio,
    ClearAudio,
    CommitAudio,
    DeleteItem,
    EndSession,
    FromClient,
    Refuse,
    RetrieveItem,
)
from realtime_asr.session.config import (
    UNSET,
    Deltas,
    Extra,
    NoiseReductionKind,
    NoiseReductionPatch,
    Patch,
    SemanticVadPatch,
    ServerVadPatch,
    TranscriptionPatch,
    Unset,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.agreement import Delay
from realtime_asr.transcript.language_names import code_of

Included = Literal[
    "item.input_audio_transcription.logprobs",
    "item.input_audio_transcription.word_times",
    "item.input_audio_transcription.timings",
]
EXTRAS: Final[dict[Included, Extra]] = {
    "item.input_audio_transcription.logprobs": "logprobs",
    "item.input_audio_transcription.word_times": "word_times",
    "item.input_audio_transcription.timings": "timings",
}
"""What can be included, by its name on the wire. All but the log-probabilities are ours."""

LONGEST_APPEND: Final = 15 * 1024 * 1024
"""Bytes of audio in one event."""


Name = Annotated[str, Field(max_length=LONGEST_NAME)]

T = TypeVar("T")
Listed = Annotated[tuple[T, ...], Field(strict=False, fail_fast=True)]
"""No more is looked at than the first item that is wrong: that is all we tell."""


class Sent(BaseModel):
    """Nothing is coerced, and what a client did not mention is not in `model_fields_set`.

    The validation context says whether to be strict: errors for what could be ignored.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    def said(self, name: str) -> Any:
        """The patch of one setting: UNSET if it was not mentioned, None for null."""
        if name not in self.model_fields_set:
            return UNSET
        setting = getattr(self, name)
        return setting and setting.patch()


S = TypeVar("S", bound=Sent)


def validated(model: type[S], sent: object, *, strict: bool) -> S:
    return model.model_validate(sent, extra="forbid" if strict else "ignore", context=strict)


def typed(name: str, **told_by: str) -> BeforeValidator:
    """An object without its type is one of these, unless we are strict. What has a setting of `told_by` is of
    the type named there.
    """

    def complete(sent: object, info: ValidationInfo) -> object:
        if not isinstance(sent, dict) or info.context:
            return sent
        kind = next((other for setting, other in told_by.items() if setting in sent), name)
        return {"type": kind, **sent}

    return BeforeValidator(complete)


def _rate(sent: int) -> int:
    if sent in RATES:
        return sent
    # OpenAI has only 24 kHz: below that it names its own minimum, whatever else we take.
    if sent < PCM16_24K.rate:
        raise PydanticKnownError("greater_than_equal", {"ge": PCM16_24K.rate})
    if sent > max(RATES):
        raise PydanticKnownError("less_than_equal", {"le": max(RATES)})
    raise PydanticCustomError(
        "unsupported_rate", "not a rate", {"expected": " ".join(f"'{rate}'" for rate in RATES)}
    )


Rate = Annotated[int, AfterValidator(_rate), Field(json_schema_extra={"enum": list(RATES)})]


class Pcm(Sent):
    type: Literal["audio/pcm"]
    rate: Rate | None
    """None leaves it as it is."""

    def audio_format(self) -> AudioFormat | Encoding:
        return Encoding.PCM16 if self.rate is None else AudioFormat(Encoding.PCM16, self.rate)


class Pcmu(Sent):
    type: Literal["audio/pcmu"]

    def audio_format(self) -> AudioFormat:
        return ULAW_8K


class Pcma(Sent):
    type: Literal["audio/pcma"]

    def audio_format(self) -> AudioFormat:
        return ALAW_8K


def _language(sent: str) -> str:
    """Without the region: to a recogniser `en-US` is `en`. So is `english`."""
    code = code_of(sent) or re.split("[-_]", sent, maxsplit=1)[0].lower()
    if not re.fullmatch("[a-z]{2,3}", code):
        raise PydanticCustomError("language_code", "not a language code")
    return code


LanguageCode = Annotated[str, AfterValidator(_language)]


class TranscriptionSettings(Sent):
    model: Name | None = None
    language: Annotated[str | None, AfterValidator(lambda sent: _language(sent) if sent else None)] = None
    languages: Annotated[Listed[LanguageCode], Field(min_length=1, max_length=100)] = ()
    prompt: Annotated[str | None, Field(max_length=32_768), AfterValidator(lambda sent: sent or None)] = None
    keywords: Annotated[Listed[Name], Field(max_length=1_000)] = ()
    delay: Delay | None = None
    deltas: Annotated[
        Deltas | None, Field(description="Ours. `after_commit`: no delta before the turn is over.")
    ] = None

    def patch(self) -> TranscriptionPatch:
        # Clients without an opinion send the model empty; that is no wish to change it.
        unsaid = set() if self.model else {"model"}
        return TranscriptionPatch(**self.model_dump(exclude_unset=True, exclude=unsaid))


class NoiseReductionSettings(Sent):
    kind: NoiseReductionKind | None = Field(default="near_field", alias="type")
    strength: Annotated[float, Field(ge=0, le=1)] | None = None

    def patch(self) -> NoiseReductionPatch | None:
        # As the RFC has it, no kind of it is none at all.
        return self.kind and NoiseReductionPatch(**self.model_dump(exclude_unset=True))


class _Vad(Sent):
    create_response: bool | None = None
    interrupt_response: bool | None = None
    """Both are told again; there are no responses here."""

    def settings(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, exclude={"type"})


class ServerVadSettings(_Vad):
    type: Literal["server_vad"]
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=30_000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0, le=60_000)] = 200
    idle_timeout_ms: Annotated[int, Field(ge=5_000, le=30_000)] | None = None

    def patch(self) -> ServerVadPatch:
        return ServerVadPatch(**self.settings())


class SemanticVadSettings(_Vad):
    type: Literal["semantic_vad"]
    eagerness: Eagerness = "auto"

    def patch(self) -> SemanticVadPatch:
        return SemanticVadPatch(**self.settings())


class InputSettings(Sent):
    """What both dialects say about incoming audio. Its format each says in its own way."""

    transcription: TranscriptionSettings | None = None
    noise_reduction: NoiseReductionSettings | None = None
    turn_detection: (
        Annotated[
            ServerVadSettings | SemanticVadSettings,
            Field(discriminator="type"),
            typed("server_vad", eagerness="semantic_vad"),
        ]
        | None
    ) = None

    def as_patch(
        self, format: AudioFormat | Encoding | None, include: tuple[Extra, ...] | Unset | None
    ) -> Patch:
        return Patch(
            format=format or UNSET,
            transcription=self.said("transcription"),
            noise_reduction=self.said("noise_reduction"),
            detection=self.said("turn_detection"),
            include=include,
        )


def _known_items(sent: object, info: ValidationInfo) -> object:
    """Whatever else there is to include, we have none of it: no reason to refuse the rest."""
    if info.context or not isinstance(sent, list):
        return sent
    return [item for item in sent if item in _INCLUDED]


_INCLUDED: Final = get_args(Included)


Ignored = Annotated[object, Field(description="Accepted, never used.")]


class Echo(Sent):
    """Clients send back the session they were shown; this much of it is not theirs to change."""

    id: Ignored = None
    object: Ignored = None
    expires_at: Ignored = None
    modalities: Ignored = None
    client_secret: Ignored = None
    model: Ignored = None


class SessionSettings(Echo):
    include: (
        Annotated[
            Listed[Included],
            Field(description="`…word_times` and `…timings` are ours."),
            BeforeValidator(_known_items),
        ]
        | None
    ) = None

    def extras(self) -> tuple[Extra, ...] | Unset | None:
        """In the order asked for, and none of them twice."""
        if "include" not in self.model_fields_set:
            return UNSET
        return None if self.include is None else tuple(dict.fromkeys(EXTRAS[name] for name in self.include))

    def claims(self) -> dict[str, Any]:
        """What was said, as JSON, to be read again later."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=set(Echo.model_fields))


class ClientFrame(Sent, ABC):
    type: str
    event_id: Name | None = None

    @abstractmethod
    def command(self) -> FromClient: ...


class AppendFrame(ClientFrame):
    type: Literal["input_audio_buffer.append"]
    audio: Annotated[str, Field(max_length=LONGEST_APPEND // 3 * 4)]

    def command(self, format: AudioFormat = PCM16_24K) -> AppendAudio | Refuse:
        try:
            return AppendAudio(decoded(self.audio), self.event_id)
        except ValueError:
            return Refuse(Problem("invalid_value", _not_audio(format), param="audio", ref=self.event_id))


def _not_audio(format: AudioFormat) -> str:
    expected = f"mono {_SPOKEN[format.encoding]} at {format.rate // 1000}kHz"
    return f"Invalid 'audio'. Expected base64-encoded audio bytes ({expected}) but got an invalid value."


_SPOKEN: Final = {Encoding.PCM16: "PCM16", Encoding.ULAW: "G.711 mu-law", Encoding.ALAW: "G.711 A-law"}


class CommitFrame(ClientFrame):
    type: Literal["input_audio_buffer.commit"]

    def command(self) -> CommitAudio:
        return CommitAudio(self.event_id)


class ClearFrame(ClientFrame):
    type: Literal["input_audio_buffer.clear"]

    def command(self) -> ClearAudio:
        return ClearAudio(self.event_id)


class RetrieveFrame(ClientFrame):
    type: Literal["conversation.item.retrieve"]
    item_id: Name

    def command(self) -> RetrieveItem:
        return RetrieveItem(self.item_id, self.event_id)


class DeleteFrame(ClientFrame):
    type: Literal["conversation.item.delete"]
    item_id: Name

    def command(self) -> DeleteItem:
        return DeleteItem(self.item_id, self.event_id)


class CloseFrame(ClientFrame):
    type: Literal["session.close"]

    def command(self) -> EndSession:
        return EndSession(self.event_id)


class Lifetime(Sent):
    """Of a client secret."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Field(ge=10, le=7_200)] = 600


@dataclass(frozen=True, slots=True)
class Mint:
    """What a client secret shall stand for."""

    shape: Shape
    patch: Patch
    session: dict[str, Any]
    """The patch as the client wrote it, to be carried in the secret: `read_session` reads it again."""
    seconds: int


def read_body(model: type[S], body: bytes, *, strict: bool) -> S | Problem:
    """An empty body is an empty object."""
    try:
        return validated(model, read_json(body or b"{}"), strict=strict)
    except ValidationError as error:
        return problem(error)
    except ValueError as error:
        return Problem(None, f"We could not parse the JSON body of your request: {error}.")
