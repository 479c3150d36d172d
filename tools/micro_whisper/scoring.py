"""How far is a transcript from what was said?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field


def words_of(text: str) -> list[str]:
    """In lower case, without punctuation."""
    return re.sub(r"[^a-z0-9' ]+", " ", text.lower()).split()


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest words to replace, add or drop that turn one into the other."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(said, 1):
        diagonal, row[0] = row[0], index
        for column, other in enumerate(heard, 1):
            cheapest = min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
            diagonal, row[column] = row[column], cheapest
    return row[-1]


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
