"""Revisable guesses in, append-only text out."""

from collections.abc import Sequence
from dataclasses import dataclass

from realtime_asr.transcript.hypothesis import Word


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
    """Says a word once two consecutive hypotheses agree on it and on all before it.

    The newest agreed word is held back: the audio may have ended inside it. Said words are never taken back.
    """

    def __init__(self) -> None:
        self._said: list[Word] = []
        self._previous: Sequence[Word] = ()

    def add(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """The words that may be said now."""
        agreed = _common_prefix(self._previous, words) - 1
        self._previous = words
        if agreed <= len(self._said) or not self._continues(words):
            return ()
        return self._say(words[len(self._said) : agreed])

    def finish(self, words: Sequence[Word]) -> Ending:
        if not self._continues(words):
            return Ending(tuple(words), (), corrected=True)
        added = self._say(words[len(self._said) :])
        return Ending(tuple(self._said), added, corrected=False)

    def said_only(self, words: Sequence[Word]) -> bool:
        """Nothing was said before these words."""
        return len(self._said) == len(words)

    def _say(self, words: Sequence[Word]) -> tuple[Word, ...]:
        self._said.extend(words)
        return tuple(words)

    def _continues(self, words: Sequence[Word]) -> bool:
        return _common_prefix(self._said, words) == len(self._said)


def _common_prefix(one: Sequence[Word], other: Sequence[Word]) -> int:
    length = 0
    for a, b in zip(one, other, strict=False):
        if a.key != b.key:
            break
        length += 1
    return length
