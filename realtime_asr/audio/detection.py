"""When does a turn begin, go on and end? A scorer's numbers go in, boundaries come out."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from realtime_asr.audio.timeline import WINDOW, Samples, samples

_HYSTERESIS = 0.15


class SpeechScorer(Protocol):
    """How likely each window holds speech. Remembers the windows before: one scorer per session."""

    def score(self, window: Samples) -> float:
        """Between 0 and 1, whatever threshold it is held against: so a higher one never finds more speech."""
        ...

    @property
    def tells_voices(self) -> bool:
        """High scores are for voices only, not for any sound that stands out: they are evidence that
        somebody spoke.
        """
        ...


@dataclass(frozen=True, slots=True)
class ServerVad:
    """Turns end after a stretch of silence."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 200
    idle_timeout_ms: int | None = None

    @property
    def padding(self) -> int:
        return samples(self.prefix_padding_ms)

    @property
    def silence(self) -> int:
        return samples(self.silence_duration_ms)

    @property
    def idle_timeout(self) -> int | None:
        return None if self.idle_timeout_ms is None else samples(self.idle_timeout_ms)

    def as_silence(self, *, finished: bool) -> "ServerVad":  # noqa: ARG002  no matter what was said
        """Every kind of detection is a wait for silence in the end; this one is nothing else."""
        return self


Eagerness = Literal["low", "medium", "high", "auto"]


@dataclass(frozen=True, slots=True)
class SemanticVad:
    """Turns end when the speaker seems done: soon after a finished sentence, late within one."""

    eagerness: Eagerness = "auto"

    def as_silence(self, *, finished: bool) -> ServerVad:
        patience = _FINISHED_MS if finished else _LONGEST_MS
        return ServerVad(silence_duration_ms=patience[self.eagerness])


_FINISHED_MS: Final = {"high": 500, "medium": 800, "auto": 800, "low": 1500}
_LONGEST_MS: Final = {"high": 2000, "medium": 4000, "auto": 4000, "low": 8000}
"""OpenAI's documented maximum waits."""

TurnDetection = ServerVad | SemanticVad


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    at: int
    """Where the first voiced window begins; padding is the caller's to add."""


@dataclass(frozen=True, slots=True)
class SpeechWentOn:
    until: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    at: int
    """Where the silence had lasted long enough."""


Boundary = SpeechBegan | SpeechWentOn | SpeechEnded


def boundary(
    probability: float, window_end: int, vad: ServerVad, voiced_until: int | None
) -> Boundary | None:
    """What one more window means. `voiced_until` is where the open turn last spoke, None outside a turn."""
    if voiced_until is None:
        return SpeechBegan(window_end - WINDOW) if probability >= vad.threshold else None
    if probability >= max(vad.threshold - _HYSTERESIS, 0.01):
        return SpeechWentOn(window_end)
    if window_end - voiced_until >= vad.silence:
        return SpeechEnded(window_end)
    return None
