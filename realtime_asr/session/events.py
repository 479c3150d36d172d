"""Everything a client can be told. Positions are samples since the session began."""

from dataclasses import dataclass, field
from typing import Literal

from realtime_asr.session.config import SessionConfig
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Effort, Quality, Word


@dataclass(frozen=True, slots=True)
class SessionCreated:
    config: SessionConfig


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    config: SessionConfig
    via: str
    """The name the client used to ask."""


@dataclass(frozen=True, slots=True)
class SessionExpiring:
    seconds_left: float


@dataclass(frozen=True, slots=True)
class SessionClosed:
    """The client's own wish to end was carried out."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    item_id: str
    at: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    item_id: str
    at: int


@dataclass(frozen=True, slots=True)
class IdleTimedOut:
    item_id: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class AudioCommitted:
    item_id: str
    previous_id: str | None


@dataclass(frozen=True, slots=True)
class ItemAdded:
    item_id: str
    previous_id: str | None


@dataclass(frozen=True, slots=True)
class AudioCleared:
    pass


DropReason = Literal["silence", "cleared", "closing", "hung_up"]


@dataclass(frozen=True, slots=True)
class AudioDropped:
    """[start, stop) belongs to no item, and why. For observers: no client is told."""

    start: int
    stop: int
    reason: DropReason


@dataclass(frozen=True, slots=True)
class TranscriptGrew:
    """The next words of an item: appended, never revised. `logprobs` when the client asked for them."""

    item_id: str
    text: str
    logprobs: tuple[Word, ...] | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """When things happened, on the runner's clock."""

    speech_ended: float
    """The last voiced sample came in."""
    committed: float
    completed: float
    """Its final text came in, which may have had to wait for the turns before."""
    effort: Effort | None = None


@dataclass(frozen=True, slots=True)
class TranscriptCompleted:
    item_id: str
    transcript: str
    length: int
    """Of the item's audio, in samples."""
    language: str | None = None
    """As detected; None when the client named it or nothing was said."""
    logprobs: tuple[Word, ...] | None = None
    words: tuple[Word, ...] | None = None
    """With their times on the session's clock, when the client asked for them."""
    corrected: bool = False
    """Words already sent turned out wrong."""
    quality: Quality | None = None
    timing: Timing | None = field(default=None, compare=False)
    """Says when, not what."""


@dataclass(frozen=True, slots=True)
class TranscriptFailed:
    item_id: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class ItemRetrieved:
    item_id: str
    transcript: str | None
    audio: bytes | None
    """PCM16 at 24 kHz, as long as it is kept."""


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    item_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A command was refused; the session goes on."""

    problem: Problem
    via: str = ""
    """Of the Configure that was refused, if it was one."""


Event = (
    SessionCreated
    | SessionUpdated
    | SessionExpiring
    | SessionClosed
    | SpeechStarted
    | SpeechStopped
    | IdleTimedOut
    | AudioCommitted
    | ItemAdded
    | AudioCleared
    | AudioDropped
    | TranscriptGrew
    | TranscriptCompleted
    | TranscriptFailed
    | ItemRetrieved
    | ItemDeleted
    | Rejected
)
