"""Training batches: clips of like length side by side, in windows that pretend to be 30 s long.

A true window costs 1500 encoder tokens whatever is said. Here only the clip is encoded token by token; the
rest of the window is a few silence tokens at random places, each counting in attention for as many as it
stands for. The trained model decodes true windows and short ones alike.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tools.micro_whisper.corpus import Clip, Corpus
from tools.micro_whisper.examples import NO_TARGET, Chance, Example, ExampleMaker, join
from tools.micro_whisper.features import BANDS, FRAMES_PER_SECOND
from tools.micro_whisper.tokenizer import id_of

_POOL = 1200
_JOINED_AT_MOST = 8
_FILLERS = 20
_MARGIN = 8
_WINDOW = 1500
"""Encoder tokens in 30 s."""


@dataclass(frozen=True, slots=True)
class Mixture:
    seconds: float
    """Of audio in a batch, padding included."""
    joined: float = 0.0
    """Share of clips joined into long ones."""
    full_windows: float = 0.0
    """Share of batches with a true 30 s window."""


@dataclass(frozen=True, slots=True, eq=False)
class Fillers:
    """The silence tokens that stand for the rest of the window."""

    positions: NDArray[np.int64]
    after_clip: NDArray[np.int64]
    """1 where the token lies behind the clip, 0 where before it: which of `edges` it is made of."""
    edges: NDArray[np.float32]
    """Per example, what silence inside the clip and what padding looks like."""
    bias: NDArray[np.float32]
    """For all tokens of the window, clip and fillers: the logarithm of how many each stands for."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    mel: NDArray[np.float32]
    labels: NDArray[np.int64]
    positions: NDArray[np.int64]
    fillers: Fillers | None
    ids: NDArray[np.int64]
    targets: NDArray[np.int64]
    spans: NDArray[np.float64]


class Batches:
    def __init__(
        self, corpus: Corpus, tokenizer: Tokenizer, chance: Chance, mixture: Mixture, look_every: float
    ) -> None:
        self._corpus = corpus
        self._chance = chance
        self._mixture = mixture
        self._look_every = look_every
        self._maker = ExampleMaker(tokenizer, chance)
        self._end = id_of(tokenizer, "<|endoftext|>")
        self._stamps = range(id_of(tokenizer, "<|0.00|>"), id_of(tokenizer, "<|30.00|>") + 1)

    def __iter__(self) -> Iterator[Batch]:
        """Never ends."""
        while True:
            self._corpus.look_every(self._look_every)
            for clips in _grouped(self._pool(), self._mixture.seconds, self._chance.rng):
                yield self._batch([self._maker.make(clip) for clip in clips])

    def _pool(self) -> list[Clip]:
        rng, clips = self._chance.rng, self._corpus.clips
        pool = rng.sample(clips, min(len(clips), _POOL))
        to_join = int(len(pool) * self._mixture.joined)
        joined = [
            join(pool[first : first + rng.randint(2, _JOINED_AT_MOST)], rng) for first in range(0, to_join, 5)
        ]
        return pool[to_join:] + joined

    def _batch(self, examples: Sequence[Example]) -> Batch:
        rng = self._chance.rng
        true_window = rng.random() < self._mixture.full_windows
        frames = max(example.mel.shape[1] for example in examples) + _MARGIN
        frames = 2 * _WINDOW if true_window else frames + frames % 2
        filled = not true_window and rng.random() >= 0.08
        tokens = frames // 2
        offsets = [self._offset(example, tokens) if filled else 0 for example in examples]
        mel, labels = _audio(examples, frames)
        ids, targets, spans = self._text(examples, offsets)
        positions = np.array(offsets)[:, None] + np.arange(tokens)[None]
        fillers = self._fillers(examples, offsets, tokens) if filled else None
        return Batch(mel, labels, positions, fillers, ids, targets, spans)

    def _offset(self, example: Example, tokens: int) -> int:
        """Where in the window the clip starts: mostly at its beginning, above all when there are stamps."""
        rng = self._chance.rng
        stamped = any(token in self._stamps for token in example.row.ids)
        moved = (rng.random() < 0.25 and not stamped) or rng.random() < 0.25
        return int(rng.random() ** 2 * (_WINDOW - tokens)) if moved else 0

    def _text(
        self, examples: Sequence[Example], offsets: Sequence[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        shape = (len(examples), max(len(example.row.ids) for example in examples))
        ids, targets = np.full(shape, self._end), np.full(shape, NO_TARGET)
        spans = np.full((*shape, 2), -1.0)
        for index, (example, offset) in enumerate(zip(examples, offsets, strict=True)):
            row, length = example.row, len(example.row.ids)
            ids[index, :length] = self._shifted(row.ids, offset)
            targets[index, :length] = self._shifted(row.targets, offset)
            spans[index, :length] = row.spans
        return ids, targets, spans

    def _shifted(self, tokens: Sequence[int], offset: int) -> list[int]:
        stamps = self._stamps
        return [t + offset if t in stamps and t + offset in stamps else t for t in tokens]

    def _fillers(self, examples: Sequence[Example], offsets: Sequence[int], tokens: int) -> Fillers:
        rest = _WINDOW - tokens
        starts = np.array(offsets)[:, None]
        free = np.stack([self._chance.noise.choice(rest, _FILLERS, replace=False) for _ in examples])
        positions = np.where(free >= starts, free + tokens, free)
        bias = np.zeros((len(examples), tokens + _FILLERS), np.float32)
        bias[:, tokens:] = math.log(rest / _FILLERS)
        edges = np.array([(example.floor, example.padding) for example in examples], np.float32)
        return Fillers(positions, (positions > starts).astype(np.int64), edges, bias)


def _grouped(pool: Sequence[Clip], seconds: float, rng: random.Random) -> list[list[Clip]]:
    """Of roughly equal length, so that little of a batch is padding; the batches in random order."""
    groups: list[list[Clip]] = []
    group: list[Clip] = []
    longest = 0
    for clip in sorted(pool, key=lambda clip: clip.mel.shape[1] + rng.uniform(0, 60)):
        frames = clip.mel.shape[1] + 40
        if group and max(longest, frames) * (len(group) + 1) > seconds * FRAMES_PER_SECOND:
            groups.append(group)
            group, longest = [], 0
        group.append(clip)
        longest = max(longest, frames)
    rng.shuffle(groups)
    return groups


def _audio(examples: Sequence[Example], frames: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    mel = np.zeros((len(examples), BANDS, frames), np.float32)
    labels = np.zeros((len(examples), frames // 2), np.int64)
    for index, example in enumerate(examples):
        heard, known = example.mel.shape[1], example.labels[: frames // 2]
        mel[index, :, :heard] = example.mel
        mel[index, :, heard:] = example.padding
        labels[index, : len(known)] = known
    return mel, labels
