"""What happened on one connection, as it happened; times are seconds since the run began."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from realtime_asr.bench.speech import Spoken

Kind = Literal[
    "speech_started", "speech_stopped", "committed", "delta", "completed", "failed", "error", "closed"
]


@dataclass(frozen=True, slots=True)
class Heard:
    """Something the server said, or that it hung up."""

    at: float
    kind: Kind
    item: str = ""
    """Or, of an error, what it answers."""
    text: str = ""
    """Of a delta or a transcript; or why something failed."""
    audio: float | None = None
    """Which second of audio it speaks of."""


@dataclass(frozen=True, slots=True)
class Commit:
    at: float
    ref: str


@dataclass(frozen=True, slots=True)
class Recording:
    """One stream, from its first sample to its last answer."""

    began: float
    """When its first sample was spoken, and second s of its audio at began + s."""
    sent: float
    """Seconds of audio."""
    turns: tuple[Spoken, ...]
    """Those that were to be said; a stream that broke off did not get to say all."""
    heard: tuple[Heard, ...]
    commits: tuple[Commit, ...] = ()
    """The client's own, one after each turn."""
    delays: Sequence[float] = ()
    """By how much each chunk was sent later than it was spoken."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stream that never came to be, and the server's reason."""

    reason: str
