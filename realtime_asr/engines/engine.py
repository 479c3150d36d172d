"""What an engine is, from both sides: the session's and the model's."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from realtime_asr.audio.timeline import Samples
from realtime_asr.transcript.hypothesis import Hypothesis
from realtime_asr.transcript.request import TurnRequest


class EngineError(Exception):
    """One turn cannot be transcribed; the message is fit for the client."""


class UnusableModel(Exception):
    """A model cannot be loaded; the message tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    languages: frozenset[str] | None = None
    """None for anything."""
    longest_turn_seconds: float = 28.0


class TurnStream(Protocol):
    """One turn. Audio goes in as it is spoken, guesses come out until the final one."""

    def feed(self, samples: Samples) -> None:
        """Never waits, so feeding cannot deadlock with listening."""

    def finish(self, voiced: int) -> None:
        """No more audio comes; the words lie in the first `voiced` samples."""

    def abandon(self) -> None:
        """Nobody listens any more. Allowed at any time, more than once."""

    def hypotheses(self) -> AsyncIterator[Hypothesis]:
        """Ends after the final hypothesis, or at once after abandon. Raises EngineError."""


class Engine(Protocol):
    """Shared by all sessions."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, request: TurnRequest) -> TurnStream: ...

    async def start(self) -> None:
        """Load what must be loaded. Raises UnusableModel."""

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One pass over one turn: everything a model needs to know, nothing it must remember."""

    audio: Samples
    request: TurnRequest
    final: bool


class Model(Protocol):
    """What a local backend writes: plain, blocking, called from a worker thread."""

    @property
    def capabilities(self) -> Capabilities: ...

    def load(self) -> None:
        """Raises UnusableModel. Leaves the model warm: the first pass costs what every pass does."""

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Hypothesis | EngineError]:
        """As many answers as jobs, in their order."""
