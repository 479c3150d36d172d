"""What an engine is, from both sides: the session's and the model's."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.account import Account
from realtime_asr.engines.mel import Frames
from realtime_asr.transcript.credibility import Reason
from realtime_asr.transcript.hypothesis import Hypothesis, Quality, Word
from realtime_asr.transcript.request import TurnRequest


class EngineError(Exception):
    """One turn cannot be transcribed; the message is fit for the client."""


class Needless(EngineError):
    """A pass was left between two of its steps, since nobody waits for its text any more."""


class UnusableModel(Exception):
    """A model cannot be loaded; the message tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    languages: frozenset[str] | None = None
    """None for anything."""
    together: bool = False
    """Guesses that are alike are made sooner in one pass: each of them leaves much of the device idle."""


class TurnStream(Protocol):
    """One turn. Audio goes in as it is spoken, guesses come out until the final one. A recording has none."""

    def feed(self, samples: Samples, voice: float = 1.0) -> None:
        """Never waits, so feeding cannot deadlock with listening.

        `voice` is how sure a detector was so far, at its surest, that somebody speaks.
        """

    def prepare(self, voiced: int) -> None:
        """A pause: the turn may end here, with its words in the first `voiced` samples."""

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


@runtime_checkable
class Accountable(Protocol):
    """An engine that tells how it gets on. Other threads ask, too."""

    @property
    def account(self) -> Account: ...

    @property
    def stalled(self) -> bool:
        """Nothing will be transcribed for now."""

    @property
    def waiting(self) -> int:
        """Turns that are finished while no pass makes their final yet."""

    @property
    def running(self) -> int:
        """Passes, without those that hang."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One pass over a stretch of one turn: everything a model needs to know, nothing it must remember."""

    frames: Frames
    """The stretch's log-mel spectrogram; at most 28 seconds of it."""
    request: TurnRequest
    thorough: bool = False
    """The text may become final: worth every effort. Otherwise it is a guess, and quick."""
    given: tuple[Word, ...] = ()
    """Words the stretch begins with, believed already: the text goes on after them."""
    spoken_before: str = ""
    """What was said right before the stretch."""
    language: str | None = None
    """As asked for or found out before."""
    voice: float = 1.0
    """How sure a detector was, at its surest in the turn, that somebody speaks."""
    detailed: bool = False
    """Times and probabilities of the words are wanted."""
    wanted: Callable[[], bool] = lambda: True
    """Somebody still waits for its text. A model may ask between two steps, and answer with Needless."""
    has_time: Callable[[], bool] = lambda: True
    """For another try, should its text not be believed: a pass that takes too long is given up."""

    @property
    def urgent(self) -> bool:
        """Somebody who speaks waits for its text. The others give way to it, between two of their steps."""
        return self.thorough and not self.request.recorded


@dataclass(frozen=True, slots=True)
class Text:
    """What a model hears in a job's stretch, from its beginning."""

    words: tuple[Word, ...]
    """With the given ones. Times count from the beginning of the stretch."""
    language: str | None = None
    doubt: Reason | None = None
    """Why this is nothing to believe, or why a thorough pass had to be repeated."""
    quality: Quality | None = None


Kind = Literal["guess", "prepared", "final"]
"""What a pass is for; prepared is a final that is made before its turn has ended."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass that was made, for those who watch. Times are in seconds, on the engine's clock."""

    kind: Kind
    sources: Sequence[str]
    """Of the turns it was over: one, but for what is made together."""
    audio: int
    """Heard in it, in samples, all turns together."""
    began: float
    took: float
    failed: bool = False


class Model(Protocol):
    """What a local backend writes: plain, blocking, called from worker threads."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def bands(self) -> int:
        """Of the spectrogram it hears. Known once loaded."""

    def load(self) -> None:
        """Raises UnusableModel. Leaves the model warm: the first pass costs what every pass does."""

    def transcribe(self, batch: Sequence[Job]) -> Sequence[Text | EngineError]:
        """As many answers as jobs, in their order."""
