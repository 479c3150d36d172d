"""From the moments espeak reports to the stretch of audio each phoneme and word fills."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SHORTEST = 0.05
_AUDIBLE = 2e-3


class Span(NamedTuple):
    label: str
    start: float
    """In seconds, like the end."""
    end: float


def phone_spans(phones: Sequence[tuple[str, float]], duration: float) -> list[Span]:
    """Each phoneme lasts until the next one begins."""
    ends = [*(at for _, at in phones[1:]), duration]
    return [Span(label, start, end) for (label, start), end in zip(phones, ends, strict=True)]


def word_spans(
    text: str,
    reported: Sequence[tuple[int, float]],
    phones: Sequence[Span],
    samples: NDArray[np.float32],
    rate: int,
) -> list[Span]:
    """When each word of the text is heard. Words that espeak speaks as one share their time evenly."""
    words = text.split()
    duration = len(samples) / rate
    known = sorted(_first_reports(text, words, reported).items())
    spans: list[Span] = []
    for (first, start), (after, limit) in itertools.pairwise([*known, (len(words), duration)]):
        stop = _first_pause(phones, start + _SHORTEST, limit)
        if stop >= duration - 0.001:
            stop = max(start + _SHORTEST, min(stop, _last_sound(samples, rate, stop)))
        spans += _shared(words[first:after], start, stop)
    return spans


def _first_reports(
    text: str, words: Sequence[str], reported: Sequence[tuple[int, float]]
) -> dict[int, float]:
    """Word index -> when it begins, for the words espeak told about; the first one always."""
    characters: list[int] = []
    at = 0
    for word in words:
        at = text.index(word, at)
        characters.append(at)
        at += len(word)
    began: dict[int, float] = {}
    for character, moment in reported:
        index = int(np.searchsorted(characters, character, "right")) - 1
        if index >= 0:
            began.setdefault(index, moment)
    began.setdefault(0, 0.0)
    return began


def _first_pause(phones: Sequence[Span], after: float, limit: float) -> float:
    pauses = (p.start for p in phones if p.label.startswith("_") or not p.label)
    return next((start for start in pauses if after < start < limit), limit)


def _last_sound(samples: NDArray[np.float32], rate: int, otherwise: float) -> float:
    audible = np.flatnonzero(np.abs(samples) > _AUDIBLE)
    return float(audible[-1]) / rate if len(audible) else otherwise


def _shared(words: Sequence[str], start: float, stop: float) -> list[Span]:
    count, length = len(words), stop - start
    return [
        Span(word, start + length * index / count, start + length * (index + 1) / count)
        for index, word in enumerate(words)
    ]
