"""What an engine believes a turn says."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    """As decoded: with its own leading space where the language writes one."""
    logprob: float | None = None

    @property
    def key(self) -> str:
        """What two hypotheses are compared by: no case, and no marks around the word. `3.5` is not `35`."""
        return normalize("NFC", self.text).casefold().strip(_AROUND_WORDS)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The whole turn so far; the one that is final is the last."""

    words: tuple[Word, ...]
    final: bool = False
    language: str | None = None

    @property
    def text(self) -> str:
        return joined(self.words).strip()


_AROUND_WORDS: Final = " \t\n.,;:!?…\"'()[]«»„“”‘’¿¡。，、；：！？"  # noqa: RUF001


def joined(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)
