"""Which turn gets the next pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from realtime_asr.engines.cutting import LONGEST

Turn = TypeVar("Turn")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one open turn stands: audio in samples, moments on whatever clock the engine keeps."""

    fed: int
    """How much audio it has."""
    heard: int
    """How much of it the newest pass was given."""
    waiting_since: float
    """When it was finished; before that, when its newest pass began or the turn was opened."""
    finished: bool = False
    busy: bool = False
    """A pass for a partial is running."""


def choose(turns: Mapping[Turn, Standing], partial_every: int) -> Turn | None:
    """Finals in the order they were asked for; then the partial whose last pass is longest ago.

    A final does not wait for its own turn's running partial: that one's answer will come too late to matter.
    """
    finals = [turn for turn, standing in turns.items() if standing.finished]
    candidates = finals or [turn for turn, standing in turns.items() if _due(standing, partial_every)]
    return min(candidates, key=lambda turn: turns[turn].waiting_since, default=None)


def _due(standing: Standing, partial_every: int) -> bool:
    # Nothing can interrupt a pass: one over minutes of audio would keep everybody's finals waiting.
    return not standing.busy and standing.fed - standing.heard >= partial_every and standing.fed <= LONGEST
