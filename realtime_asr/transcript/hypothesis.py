"""What an engine believes a turn says."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    """As decoded: with its own leading space where the language writes one."""
    logprob: float | None = None

    @property
    def key(self) -> str:
        """What two hypotheses are compared by: letters and digits, without case."""
        return "".join(c for c in self.text.casefold() if c.isalnum())


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The whole turn so far; the one that is final is the last."""

    words: tuple[Word, ...]
    final: bool = False
    language: str | None = None

    @property
    def text(self) -> str:
        return joined(self.words).strip()


def joined(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)
