"""Everything one can ask of a session, or tell it.

Requests are imperative, news is in the past tense. `ref` is the client's own id for its event.
"""

from dataclasses import dataclass

from realtime_asr.session.config import Patch
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.hypothesis import Hypothesis


@dataclass(frozen=True, slots=True)
class Configure:
    patch: Patch
    via: str
    """By which name the client asked: the answer carries it back, the session never reads it."""
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class AppendAudio:
    payload: bytes
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class CommitAudio:
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class ClearAudio:
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class RetrieveItem:
    item_id: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteItem:
    item_id: str
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class EndSession:
    """Finish what was said, then close."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The client sent something that is no command."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class HypothesisArrived:
    item_id: str
    hypothesis: Hypothesis


@dataclass(frozen=True, slots=True)
class TranscriptionBroke:
    """The engine will say nothing more about this turn."""

    item_id: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Begin:
    """The first command of every session."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A deadline the session asked to be woken at has come."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The client is gone."""


@dataclass(frozen=True, slots=True)
class Drain:
    """The session cannot stay: finish what was said, tell the problem if it is the client's, then close with
    this.
    """

    code: int
    reason: str
    problem: Problem | None = None


FromClient = (
    Configure | AppendAudio | CommitAudio | ClearAudio | RetrieveItem | DeleteItem | EndSession | Refuse
)
FromEngine = HypothesisArrived | TranscriptionBroke
FromLife = Begin | TimePassed | HangUp | Drain
Command = FromClient | FromEngine | FromLife
