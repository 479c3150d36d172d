"""How far is a transcript from what was said?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from realtime_asr.bench.words import align


def words_of(text: str) -> list[str]:
    """In lower case, without punctuation."""
    return re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split()


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest words to replace, add or drop that turn one into the other."""
    return align(said, heard).errors


@dataclass(slots=True)
class Score:
    """Counts over a set of clips."""

    words: int = 0
    wrong: int = 0
    missed: list[tuple[str, str]] = field(default_factory=list)
    """What was said, and what was heard instead."""

    def add(self, said: str, heard: str) -> None:
        expected, actual = words_of(said), words_of(heard)
        errors = word_errors(expected, actual)
        self.words += len(expected)
        self.wrong += errors
        if errors:
            self.missed.append((said, heard.strip()))
