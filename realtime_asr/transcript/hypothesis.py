"""What an engine believes a turn says."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from unicodedata import normalize


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    """As decoded: with its own leading space where the language writes one."""
    logprob: float | None = None
    start: int | None = None
    """In samples, like `end`, of whatever timeline the words are on; both None where times are unknown."""
    end: int | None = None
    tokens: tuple[int, ...] = ()
    """As the model writes it, where that is known."""

    @property
    def key(self) -> str:
        """What two hypotheses are compared by: no case, and no marks around the word. `3.5` is not `35`."""
        return _key(self.text)


@dataclass(frozen=True, slots=True)
class Quality:
    """How a text was found, and what speaks against it."""

    temperature: float = 0.0
    no_speech: float | None = None
    """How likely it is that nobody spoke; None where that was not looked at."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a final took. Times are in seconds."""

    waited: float
    """From when the turn was finished until its last pass began; 0 where the final was made ahead."""
    decoded: float
    """For all passes over the turn, finals and guesses."""
    passes: int


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The whole turn so far; the one that is final is the last."""

    words: tuple[Word, ...]
    final: bool = False
    language: str | None = None
    heard: int = 0
    """How much of the turn's audio it is about, in samples."""
    settled: int = 0
    """So many of the first words are the same in every hypothesis that follows."""
    quality: Quality | None = None
    effort: Effort | None = None
    """Of a final."""

    @property
    def text(self) -> str:
        return joined(self.words).strip()


_AROUND_WORDS: Final = " \t\n.,;:!?…\"'()[]«»„“”‘’¿¡。，、；：！？"  # noqa: RUF001


@lru_cache(maxsize=4096)
def _key(text: str) -> str:
    # Remembered: every pass over a growing turn brings the same words again.
    return normalize("NFC", text).casefold().strip(_AROUND_WORDS)


def joined(words: Iterable[Word]) -> str:
    return "".join(word.text for word in words)


def spelt(text: str) -> tuple[Word, ...]:
    """The words of a text that nobody took apart: joined they are the text, all on one line."""
    return tuple(Word(_space(before, word) + word) for before, word in _WORD.findall("\n" + text.strip()))


UNSPACED: Final = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""For regular expressions: scripts that leave no space between words. Each of their characters is one."""
_WORD: Final = re.compile(rf"(\s*)([{UNSPACED}][^\w\s]*|[^\s{UNSPACED}]+)")
_IS_UNSPACED: Final = re.compile(f"[{UNSPACED}]").match


def _space(before: str, word: str) -> str:
    """What is left of the blanks before a word. Where a script has no spaces, no line begins with one."""
    if not before or (_IS_UNSPACED(word) and "\n" in before):
        return ""
    return " "
