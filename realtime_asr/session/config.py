"""What a client may configure, what it changed, and what comes of it: all of a change or none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, Literal, Protocol, TypeVar

from realtime_asr.audio.detection import Eagerness, SemanticVad, ServerVad, TurnDetection
from realtime_asr.audio.formats import PCM16_24K, USUAL_FORMATS, AudioFormat, Encoding
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.agreement import USUAL, Delay
from realtime_asr.transcript.request import Task, TurnRequest


class Unset(Enum):
    """The client did not mention it, which is not the same as null."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class ServerDefault(Enum):
    """The client never chose how turns end."""

    DEFAULT = "default"


NoiseReductionKind = Literal["near_field", "far_field"]
Deltas = Literal["live", "after_commit"]
"""While one speaks, or not before the turn is over."""
Extra = Literal["logprobs", "word_times", "timings"]
"""What a client can have besides text."""


@dataclass(frozen=True, slots=True)
class Transcription:
    model: str
    language: str | None = None
    languages: tuple[str, ...] = ()
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    delay: Delay | None = None
    deltas: Deltas | None = None
    """None for live."""
    task: Task = "transcribe"
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class NoiseReduction:
    kind: NoiseReductionKind
    strength: float | None = None


@dataclass(frozen=True, slots=True)
class Responses:
    """What the client wishes of responses. There are none here: who wished for something is told it again."""

    create: bool | None = None
    interrupt: bool | None = None


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Complete at any time; a transcription of None means turns without text."""

    transcription: Transcription | None
    format: AudioFormat = PCM16_24K
    noise_reduction: NoiseReduction | None = None
    chosen_detection: TurnDetection | ServerDefault | None = ServerDefault.DEFAULT
    responses: Responses = Responses()
    include: tuple[Extra, ...] | None = None
    """None until a client names something: it is told null then, not an empty list."""
    recorded: bool = False
    """The audio is a recording, which comes as fast as it is taken."""

    @property
    def detection(self) -> TurnDetection | None:
        """How turns end; None where the client says so itself with every commit."""
        if not isinstance(self.chosen_detection, ServerDefault):
            return self.chosen_detection
        model = self.transcription.model if self.transcription else ""
        return None if model in CLIENT_COMMITS else ServerVad()

    def request(self, *, spoken_before: str | None, language_before: str | None) -> TurnRequest | None:
        """What a turn that opens now asks of its engine; None where no text is wanted."""
        asked = self.transcription
        if asked is None:
            return None
        return TurnRequest(
            asked.model,
            asked.language,
            asked.languages,
            asked.prompt,
            asked.keywords,
            asked.delay or USUAL,
            logprobs="logprobs" in (self.include or ()),
            word_times="word_times" in (self.include or ()),
            spoken_before=spoken_before,
            language_before=language_before,
            task=asked.task,
            temperature=asked.temperature,
            recorded=self.recorded,
        )


# Clients of these models leave turn detection out and commit by themselves.
CLIENT_COMMITS: Final = frozenset({"gpt-realtime-whisper", "gpt-live-transcribe"})


@dataclass(frozen=True, slots=True)
class TranscriptionPatch:
    model: str | Unset = UNSET
    language: str | Unset | None = UNSET
    languages: tuple[str, ...] | Unset = UNSET
    prompt: str | Unset | None = UNSET
    keywords: tuple[str, ...] | Unset = UNSET
    delay: Delay | Unset | None = UNSET
    deltas: Deltas | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class NoiseReductionPatch:
    kind: NoiseReductionKind | Unset = UNSET
    strength: float | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class ServerVadPatch:
    threshold: float | Unset = UNSET
    prefix_padding_ms: int | Unset = UNSET
    silence_duration_ms: int | Unset = UNSET
    idle_timeout_ms: int | Unset | None = UNSET
    create_response: bool | Unset | None = UNSET
    interrupt_response: bool | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class SemanticVadPatch:
    eagerness: Eagerness | Unset = UNSET
    create_response: bool | Unset | None = UNSET
    interrupt_response: bool | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class Patch:
    """Only what was sent; None means off."""

    format: AudioFormat | Encoding | Unset = UNSET
    """An encoding alone says nothing of the rate."""
    transcription: TranscriptionPatch | Unset | None = UNSET
    noise_reduction: NoiseReductionPatch | Unset | None = UNSET
    detection: ServerVadPatch | SemanticVadPatch | Unset | None = UNSET
    include: tuple[Extra, ...] | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class ModelNames:
    """Which names clients may use. `aliases` maps each to the model that answers; `otherwise` is who
    answers to any other name, None to refuse those.
    """

    default: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None

    def resolve(self, name: str) -> str | None:
        return self.aliases.get(name, self.otherwise)

    def languages(self, name: str) -> frozenset[str] | None:  # noqa: ARG002  so that these are Models too
        """A name alone tells nothing of them."""
        return None


class Models(Protocol):
    """Those that are served, by the names of clients. Models come and go while a session lasts."""

    @property
    def default(self) -> str: ...

    def resolve(self, name: str) -> str | None:
        """The model that answers; None where the name is refused."""

    def languages(self, name: str) -> frozenset[str] | None:
        """What the model that answers understands, the default one where the name is refused. None for
        anything, or where that is not known yet.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """What this server allows and its engine can do. Lengths are in samples, times in seconds."""

    models: Models
    noise_reduction: bool = False
    """There is a denoiser. Without one, asking for it is no error: the client is told that it is off."""
    shortest_commit: int = 1_600
    longest_turn: int = 28 * 16_000
    """With detection; a client that says itself where turns end may take its time."""
    longest_manual_turn: int = 3_600 * 16_000
    kept_audio: int = 30 * 16_000
    kept_items: int = 64
    session_seconds: float = 3600.0
    warning_seconds: float | None = None
    """How long before the end a client that asked is warned."""
    drain_seconds: float = 10.0


def accept(config: SessionConfig, patch: Patch, limits: Limits) -> SessionConfig | Problem:
    """The configuration after the patch, or the first thing wrong with it."""
    detection = _detection(config.chosen_detection, patch.detection)
    same_kind = type(detection) is type(config.chosen_detection)
    changed = replace(
        config,
        format=_format(config.format, patch.format),
        transcription=_transcription(config.transcription, patch.transcription, limits.models.default),
        noise_reduction=_noise_reduction(config.noise_reduction, patch.noise_reduction, limits),
        chosen_detection=detection,
        responses=_responses(config.responses if same_kind else Responses(), patch.detection),
        include=_given(patch.include, config.include),
    )
    return _objection(patch.transcription, changed.transcription, limits.models) or changed


def _format(now: AudioFormat, patch: AudioFormat | Encoding | Unset) -> AudioFormat:
    if not isinstance(patch, Encoding):
        return _given(patch, now)
    return now if now.encoding is patch else USUAL_FORMATS[patch]


def _transcription(
    now: Transcription | None, patch: TranscriptionPatch | Unset | None, default_model: str
) -> Transcription | None:
    if not isinstance(patch, TranscriptionPatch):
        return _given(patch, now)
    now = now or Transcription(default_model)
    return replace(
        now,
        model=_given(patch.model, now.model),
        language=_given(patch.language, now.language) or None,
        languages=_given(patch.languages, now.languages),
        prompt=_given(patch.prompt, now.prompt) or None,
        keywords=_given(patch.keywords, now.keywords),
        delay=_given(patch.delay, now.delay),
        deltas=_given(patch.deltas, now.deltas),
    )


def _noise_reduction(
    now: NoiseReduction | None, patch: NoiseReductionPatch | Unset | None, limits: Limits
) -> NoiseReduction | None:
    if not limits.noise_reduction:
        return None
    if not isinstance(patch, NoiseReductionPatch):
        return _given(patch, now)
    now = now or NoiseReduction("near_field")
    return NoiseReduction(_given(patch.kind, now.kind), _given(patch.strength, now.strength))


def _detection(
    now: TurnDetection | ServerDefault | None,
    patch: ServerVadPatch | SemanticVadPatch | Unset | None,
) -> TurnDetection | ServerDefault | None:
    match patch:
        case ServerVadPatch():
            # The same kind merges; another kind starts from its defaults.
            vad = now if isinstance(now, ServerVad) else ServerVad()
            return ServerVad(
                _given(patch.threshold, vad.threshold),
                _given(patch.prefix_padding_ms, vad.prefix_padding_ms),
                _given(patch.silence_duration_ms, vad.silence_duration_ms),
                _given(patch.idle_timeout_ms, vad.idle_timeout_ms),
            )
        case SemanticVadPatch():
            semantic = now if isinstance(now, SemanticVad) else SemanticVad()
            return SemanticVad(_given(patch.eagerness, semantic.eagerness))
        case _:
            return _given(patch, now)


def _responses(now: Responses, patch: ServerVadPatch | SemanticVadPatch | Unset | None) -> Responses:
    if not isinstance(patch, ServerVadPatch | SemanticVadPatch):
        return now
    return Responses(
        _given(patch.create_response, now.create), _given(patch.interrupt_response, now.interrupt)
    )


def _objection(
    patch: TranscriptionPatch | Unset | None, after: Transcription | None, models: Models
) -> Problem | None:
    """Only to what the patch is about: a model that went meanwhile is not the fault of who turns a knob."""
    if not isinstance(patch, TranscriptionPatch) or after is None:
        return None
    if not isinstance(patch.model, Unset) and models.resolve(patch.model) is None:
        return Problem(
            "model_not_found",
            f"The model `{patch.model}` does not exist or you do not have access to it.",
            param="transcription.model",
        )
    understood = models.languages(after.model)
    asked = [("language", after.language), *(("languages", code) for code in after.languages)]
    for setting, language in asked:
        if isinstance(patch.model, Unset) and isinstance(getattr(patch, setting), Unset):
            continue
        if language and understood is not None and language not in understood:
            known = ", ".join(f"'{code}'" for code in sorted(understood))
            return Problem(
                "unsupported_language",
                f"Language '{language}' is not supported by this model. Supported values are: {known}.",
                param=f"transcription.{setting}",
            )
    return None


T = TypeVar("T")


def _given(sent: T | Unset, now: T) -> T:
    return now if isinstance(sent, Unset) else sent
