"""From what happened to figures: latencies, words right and wrong, turns lost."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from realtime_asr.bench.facts import Recording
from realtime_asr.bench.matching import Exchange, Item, exchanges
from realtime_asr.bench.words import WORD, align, plain


class Measure(StrEnum):
    SPEECH_STARTED = "speech_started"
    FIRST_DELTA = "first_delta"
    LAG = "lag"
    FINAL = "final"
    FINAL_BEYOND_SILENCE = "final_beyond_silence"
    COMMIT = "commit"


class Sample(NamedTuple):
    at: float
    """Seconds since the run began."""
    ms: float


@dataclass(frozen=True, slots=True)
class Figure:
    count: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Of all turns but those spoken to warm up."""

    samples: Mapping[Measure, tuple[Sample, ...]]
    turns: int
    lost: int
    """Turns without a final text."""
    corrected: int
    """Turns whose final text is not what was shown before."""
    words: int
    """Spoken."""
    wrong_words: int
    """To insert, drop or exchange; those of lost turns are dropped ones."""
    deltas: Figure
    """For each turn."""
    phantoms: int
    """Texts where nobody spoke."""
    errors: Mapping[str, int]
    """By code."""

    @property
    def wer(self) -> float | None:
        return self.wrong_words / self.words if self.words else None


def figure(values: Sequence[float]) -> Figure:
    if not values:
        return Figure(0)
    p50, p95, p99 = (float(value) for value in np.percentile(values, [50, 95, 99]))
    return Figure(len(values), p50, p95, p99, max(values))


def measure(recordings: Sequence[Recording], *, silence_ms: float | None, warmup: int) -> Measured:
    """Without a setting for silence, nothing is counted beyond it."""
    told = [(recording, exchange) for recording in recordings for exchange in exchanges(recording)]
    counted = [(recording, each) for recording, each in told if each.turns and each.first >= warmup]
    said = [each for _, each in counted]
    taken = [sample for pair in counted for sample in _latencies(*pair, silence_ms)]
    spoken = [plain(" ".join(turn.text for turn in each.turns)) for each in said]
    return Measured(
        samples={kind: tuple(sorted(sample for of, sample in taken if of is kind)) for kind in Measure},
        turns=sum(len(each.turns) for each in said),
        lost=sum(len(each.turns) for each in said if not each.is_answered),
        corrected=sum(any(_is_corrected(item) for item in each.items) for each in said),
        words=sum(len(words) for words in spoken),
        wrong_words=sum(
            align(words, plain(each.text)).errors for words, each in zip(spoken, said, strict=True)
        ),
        deltas=figure([sum(len(item.deltas) for item in each.items) / len(each.turns) for each in said]),
        phantoms=sum(_says_something(each) for _, each in told if not each.turns),
        errors=Counter(
            heard.text
            for recording in recordings
            for heard in recording.heard
            if heard.kind in ("error", "failed", "closed")
        ),
    )


def _latencies(
    recording: Recording, exchange: Exchange, silence_ms: float | None
) -> Iterator[tuple[Measure, Sample]]:
    start, end = (
        recording.began + exchange.turns[0].start,
        recording.began + exchange.turns[-1].end,
    )
    if started := [item.started.at for item in exchange.items if item.started]:
        yield Measure.SPEECH_STARTED, _since(start, min(started))
    if deltas := [delta.at for item in exchange.items for delta in item.deltas]:
        yield Measure.FIRST_DELTA, _since(start, min(deltas))
    if exchange.is_answered:
        final = _since(end, max(item.completed.at for item in exchange.items if item.completed))
        yield Measure.FINAL, final
        if silence_ms is not None:
            yield Measure.FINAL_BEYOND_SILENCE, Sample(final.at, final.ms - silence_ms)
    for item in exchange.items:
        if item.committed_at is not None and item.completed:
            yield Measure.COMMIT, _since(item.committed_at, item.completed.at)
    for sample in _lags(recording.began, exchange):
        yield Measure.LAG, sample


def _says_something(exchange: Exchange) -> bool:
    """Or said it once: what was shown was read."""
    return any(plain(item.text) or plain(item.shown) for item in exchange.items)


def _since(moment: float, at: float) -> Sample:
    return Sample(at, (at - moment) * 1000)


def _is_corrected(item: Item) -> bool:
    return bool(item.deltas) and item.completed is not None and item.shown.strip() != item.text.strip()


def _lags(began: float, exchange: Exchange) -> Iterator[Sample]:
    """Of the words that were understood."""
    if not all(turn.words for turn in exchange.turns):
        return
    spoken = [(part, word.end) for turn in exchange.turns for word in turn.words for part in plain(word.word)]
    shown = [pair for item in exchange.items for pair in _shown(item)]
    for said, heard in align([word for word, _ in spoken], [word for word, _ in shown]).matches:
        yield _since(began + spoken[said][1], shown[heard][1])


def _shown(item: Item) -> list[tuple[str, float]]:
    """Each word of the final text, and when it was first to be read where it stands."""
    if item.completed is None:
        return _grown(item)
    words = plain(item.text)
    moments = [item.completed.at] * len(words)
    grown = _grown(item)
    for before, after in align([word for word, _ in grown], words).matches:
        moments[after] = grown[before][1]
    return list(zip(words, moments, strict=True))


def _grown(item: Item) -> list[tuple[str, float]]:
    """A word is to be read when the delta with its last letter is there."""
    lengths = list(accumulate(len(delta.text) for delta in item.deltas))
    return [
        (word, item.deltas[bisect_left(lengths, found.end())].at)
        for found in WORD.finditer(item.shown)
        for word in plain(found[0])
    ]
