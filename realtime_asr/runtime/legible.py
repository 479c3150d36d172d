"""Whether what an engine says can be read at all: by the session, and in the end as JSON by a client."""

from typing import Final

from realtime_asr.transcript.hypothesis import Effort, Hypothesis, Quality, Word, joined

# Twice what the fastest speaker says in an hour, which is the longest turn.
_WORDS: Final = 40_000
_CHARACTERS: Final = 200_000
_LARGEST: Final = 10**12
"""Samples are two years, seconds are ages. What is told in other units later stays a number."""
_CERTAIN: Final = 0.01
"""As the logarithm of a probability: 1, with all that rounding may add to it."""


def is_legible(said: object) -> bool:
    """Not whether it is true: that only the engine knows."""
    return (
        isinstance(said, Hypothesis)
        and isinstance(said.words, tuple)
        and len(said.words) <= _WORDS
        and all(map(_is_word, said.words))
        and isinstance(said.language, str | None)
        and _is_text(said)
        and _is_whole(said.heard)
        and _is_whole(said.settled)
        and (said.quality is None or _is_quality(said.quality))
        and (said.effort is None or _is_effort(said.effort))
    )


def _is_word(word: object) -> bool:
    return (
        isinstance(word, Word)
        and isinstance(word.text, str)
        and (word.logprob is None or (_is_number(word.logprob) and word.logprob <= _CERTAIN))
        and (word.start is None or _is_whole(word.start))
        and (word.end is None or _is_whole(word.end))
        and isinstance(word.tokens, tuple)
        and all(map(_is_whole, word.tokens))
    )


def _is_text(said: Hypothesis) -> bool:
    language = said.language or ""
    if len(language) + sum(len(word.text) for word in said.words) > _CHARACTERS:
        return False
    try:
        (language + joined(said.words)).encode()
    except UnicodeEncodeError:
        # Half of a character, which Python allows.
        return False
    return True


def _is_quality(quality: object) -> bool:
    return (
        isinstance(quality, Quality)
        and _is_number(quality.temperature)
        and (quality.no_speech is None or _is_number(quality.no_speech))
    )


def _is_effort(effort: object) -> bool:
    return (
        isinstance(effort, Effort)
        and _is_number(effort.waited)
        and _is_number(effort.decoded)
        and _is_whole(effort.passes)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _LARGEST


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)
