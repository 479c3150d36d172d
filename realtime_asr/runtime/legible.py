"""Whether what an engine says can be read at all: by the session, and in the end as JSON by a client."""

from dataclasses import astuple
from math import isfinite
from typing import Final

from realtime_asr.transcript.hypothesis import Effort, Hypothesis, Quality, Word, joined

# Twice what the fastest speaker says in an hour, which is the longest turn.
_WORDS: Final = 40_000
_CHARACTERS: Final = 200_000


def is_legible(said: object) -> bool:
    """Not whether it is true: that only the engine knows."""
    return (
        isinstance(said, Hypothesis)
        and isinstance(said.words, tuple)
        and len(said.words) <= _WORDS
        and all(map(_is_word, said.words))
        and _is_text(said)
        and isinstance(said.language, str | None)
        and isinstance(said.heard, int)
        and isinstance(said.settled, int)
        and _is_measured(said.quality, Quality)
        and _is_measured(said.effort, Effort)
    )


def _is_word(word: object) -> bool:
    return (
        isinstance(word, Word)
        and isinstance(word.text, str)
        and _is_number(word.logprob)
        and isinstance(word.start, int | None)
        and isinstance(word.end, int | None)
        and isinstance(word.tokens, tuple)
        and all(isinstance(token, int) for token in word.tokens)
    )


def _is_text(said: Hypothesis) -> bool:
    if sum(len(word.text) for word in said.words) > _CHARACTERS:
        return False
    try:
        joined(said.words).encode()
    except UnicodeEncodeError:
        # Half of a character, which Python allows.
        return False
    return True


def _is_measured(figures: Quality | Effort | None, kind: type[Quality | Effort]) -> bool:
    return figures is None or (isinstance(figures, kind) and all(map(_is_number, astuple(figures))))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and isfinite(value))
