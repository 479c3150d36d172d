"""What a session asks of the engine and of its connection."""

from dataclasses import dataclass

from realtime_asr.audio.timeline import Samples
from realtime_asr.transcript.request import TurnRequest


@dataclass(frozen=True, slots=True)
class OpenTurn:
    item_id: str
    request: TurnRequest


@dataclass(frozen=True, slots=True, eq=False)
class FeedTurn:
    """More of the turn's audio, right after what was fed before."""

    item_id: str
    samples: Samples
    voice: float
    """How sure the detector was, at its surest in the turn so far, that somebody speaks."""


@dataclass(frozen=True, slots=True)
class PrepareTurn:
    """The speaker pauses. If nothing more is fed, the turn will be finished with the same `voiced`."""

    item_id: str
    voiced: int


@dataclass(frozen=True, slots=True)
class FinishTurn:
    """No more audio comes. The turn's words lie in the first `voiced` samples of what was fed."""

    item_id: str
    voiced: int


@dataclass(frozen=True, slots=True)
class AbandonTurn:
    """Nobody waits for this turn any more."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Close:
    """The last output of a session."""

    code: int
    reason: str


Effect = OpenTurn | FeedTurn | PrepareTurn | FinishTurn | AbandonTurn | Close
