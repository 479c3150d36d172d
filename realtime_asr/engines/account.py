"""What an engine has done so far, counted."""

from collections import Counter
from dataclasses import dataclass, field

from realtime_asr.transcript.credibility import Reason


@dataclass(slots=True)
class Account:
    """Only ever grows, but for `stretch`. Passes ahead of a turn's end are prepared, then used or wasted."""

    guesses: int = 0
    finals: int = 0
    prepared: int = 0
    used: int = 0
    wasted: int = 0
    stale: int = 0
    """Guesses that came when nobody waited for them any more."""
    hung: int = 0
    """Passes that did not come back in time."""
    guess_seconds: float = 0.0
    """Of workers' time, spent on guesses."""
    final_seconds: float = 0.0
    """The same for passes whose text was, or might have become, final."""
    stretch: float = 1.0
    """By how much guesses are further apart than wished."""
    doubts: Counter[Reason] = field(default_factory=Counter)
    """Texts that were not believed, by reason."""

    @property
    def odds(self) -> float:
        """That a final made ahead is used, as far as is known."""
        return (self.used + 1) / (self.used + self.wasted + 1)

    def passed(self, took: float, *, guess: bool) -> None:
        if guess:
            self.guesses += 1
            self.guess_seconds += took
        else:
            self.final_seconds += took
