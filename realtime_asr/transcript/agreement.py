"""Revisable guesses in, append-only text out."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from realtime_asr.transcript.hypothesis import Hypothesis, Word

Delay = Literal["minimal", "low", "medium", "high", "xhigh"]
"""OpenAI's names for how patient live text is."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When a word may be said, and how often a growing turn is listened to."""

    passes: int
    """So many hypotheses in a row must agree on a word and on all before it."""
    withheld: int
    """So many of a hypothesis' last words wait: the audio may have ended inside them."""
    stretch: float = 1.0
    """How much longer than usual the time between two passes is."""


# A word that ends where the audio ends is often misheard; the next pass, or the word after it, tells.
PACES: Final[dict[Delay, Pace]] = {
    "minimal": Pace(passes=1, withheld=1, stretch=0.6),  # as heard; mistakes show as corrections
    "low": Pace(passes=2, withheld=0),  # as soon as the next pass confirms it
    "medium": Pace(passes=2, withheld=1),  # confirmed, and with a word after it
    "high": Pace(passes=3, withheld=1),  # confirmed twice
    "xhigh": Pace(
        passes=3, withheld=3, stretch=2.0
    ),  # seldom and in groups, for little work and few mistakes
}
USUAL: Final[Delay] = "medium"


@dataclass(frozen=True, slots=True)
class Ending:
    """What a turn says in the end."""

    words: tuple[Word, ...]
    """The whole transcript. Words already said keep the spelling they were said with."""
    added: tuple[Word, ...]
    """What is still to be said of it."""
    corrected: bool
    """The final contradicts words already said, which nothing appended could mend."""


class Agreement:
    """Says words that enough consecutive hypotheses agree on. Said words are never taken back."""

    def __init__(self, pace: Pace = PACES[USUAL], said: Sequence[Word] = ()) -> None:
        self._pace = pace
        self._said = list(said)
        self._before: deque[Sequence[Word]] = deque(maxlen=pace.passes - 1)
        self._settled = 0

    @property
    def said(self) -> Sequence[Word]:
        return self._said

    def add(self, hypothesis: Hypothesis) -> tuple[Word, ...]:
        """The words that may be said now."""
        words = hypothesis.words
        agreed = self._agreed(words)
        self._before.append(words)
        if not self.continues(words):
            return ()
        self._settled = max(self._settled, min(hypothesis.settled, len(self._said)))
        until = max(min(agreed, len(words) - self._pace.withheld), hypothesis.settled)
        return self._say(words[len(self._said) : until])

    def finish(self, words: Sequence[Word]) -> Ending:
        if not self.continues(words):
            return Ending(tuple(words), (), corrected=True)
        added = self._say(words[len(self._said) :])
        return Ending(tuple(self._said), added, corrected=False)

    def continues(self, words: Sequence[Word]) -> bool:
        """They begin with everything said."""
        return _common(self._said, words, self._settled) == len(self._said)

    def _agreed(self, words: Sequence[Word]) -> int:
        if len(self._before) < self._pace.passes - 1:
            return 0
        return min((_common(before, words, self._settled) for before in self._before), default=len(words))

    def _say(self, words: Sequence[Word]) -> tuple[Word, ...]:
        self._said.extend(words)
        return tuple(words)


def _common(one: Sequence[Word], other: Sequence[Word], known: int) -> int:
    """How many words both begin with, given that so many are known to be the same."""
    length = min(known, len(one), len(other))
    while length < min(len(one), len(other)) and one[length].key == other[length].key:
        length += 1
    return length
