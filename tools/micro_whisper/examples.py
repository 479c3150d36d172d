"""From clips to training examples: cut, joined, coloured, set in silence and noise, and spelled as tokens.

All of it is done to the log-mel features, at a fraction of what doing it to the audio would cost. What a seed
means depends on the order of the draws.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tools.micro_whisper import grammar
from tools.micro_whisper.alignment import Span
from tools.micro_whisper.corpus import TOKENS_PER_SECOND, Clip
from tools.micro_whisper.features import BANDS, FRAMES_PER_SECOND, QUIETEST, Features, floor_of, normalised
from tools.micro_whisper.tokenizer import id_of

NO_TARGET = -100
NOWHERE = (-1.0, -1.0)
"""The span of a token that no audio says."""

_SILENT = 0.06
_STAMPED = 0.35
_LONGEST_JOINED = 2650
"""Frames: with up to 1.2 s of silence on each side, still clear of the window's end."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Two streams, because numpy's draws arrays and Python's draws everything else."""

    rng: random.Random
    noise: np.random.Generator

    @classmethod
    def seeded(cls, seed: int) -> "Chance":
        return cls(random.Random(seed), np.random.default_rng(seed))  # noqa: S311 - no secrets here


@dataclass(frozen=True, slots=True)
class Row:
    """What the decoder reads and should write, and which audio tokens (first, last) say it."""

    ids: list[int]
    targets: list[int]
    spans: list[tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    mel: NDArray[np.float32]
    """Normalised."""
    labels: NDArray[np.int16]
    padding: float
    """What the window around the clip is filled with."""
    floor: float
    """What silence inside the clip looks like."""
    row: Row


def join(clips: Sequence[Clip], rng: random.Random) -> Clip:
    """One after the other with pauses, as many as fit: long turns, of several speakers."""
    mels: list[Features] = []
    labels: list[NDArray[np.int16]] = []
    words: list[Span] = []
    length = 0
    for clip in clips:
        frames = clip.mel.shape[1] // 2 * 2
        pause = 2 * rng.randint(5, 60) if length else 0
        if length + pause + frames > _LONGEST_JOINED:
            break
        if pause:
            mels.append(np.full((BANDS, pause), QUIETEST, np.float16))
            labels.append(np.zeros(pause // 2, np.int16))
        mels.append(clip.mel[:, :frames])
        labels.append(clip.labels[: frames // 2])
        words += _later(clip.words, (length + pause) / FRAMES_PER_SECOND)
        length += pause + frames
    return Clip(np.concatenate(mels, 1), np.concatenate(labels), words)


class ExampleMaker:
    def __init__(self, tokenizer: Tokenizer, chance: Chance) -> None:
        self._speller = _Speller(tokenizer, chance.rng)
        self._chance = chance

    def make(self, clip: Clip) -> Example:
        rng = self._chance.rng
        silent = rng.random() < _SILENT
        heard = _silence(rng) if silent else _coloured(_cropped(clip, rng), self._chance)
        heard = _in_silence(heard, rng)
        power = _in_noise(heard.mel, self._chance, silent=silent)
        mel, floor = normalised(power), floor_of(power)
        if not silent and rng.random() < 0.15:
            _mask_a_band(mel, floor, rng)
        # faster-whisper pads features with zeros; others pad the audio, which gives the floor.
        padding = 0.0 if rng.random() < 0.55 else floor
        row = self._speller.row(heard.words, stamped=rng.random() < _STAMPED)
        return Example(mel.astype(np.float32), heard.labels, padding, floor, row)


def _cropped(clip: Clip, rng: random.Random) -> Clip:
    """A word stays when four fifths of it are heard."""
    start, stop = _cut(clip, rng)
    start -= start % 2
    begin, end = start / FRAMES_PER_SECOND, stop / FRAMES_PER_SECOND
    words = [
        Span(word.label, word.start - begin, min(word.end, end) - begin)
        for word in clip.words
        if word.start * FRAMES_PER_SECOND >= start - 4
        and min(word.end, end) - word.start >= 0.8 * (word.end - word.start) - 1e-6
    ]
    return Clip(clip.mel[:, start:stop].astype(np.float32), clip.labels[start // 2 : (stop + 1) // 2], words)


def _cut(clip: Clip, rng: random.Random) -> tuple[int, int]:
    """Frames to keep: mostly all, else up to a random moment, from a later word on, or both."""
    kind, frames, several = rng.random(), clip.mel.shape[1], len(clip.words) > 2
    if kind < 0.25 and frames > 60:
        return 0, rng.randint(40, frames)
    if kind < 0.33 and several:
        return int(rng.choice(clip.words[1:]).start * FRAMES_PER_SECOND), frames
    if kind < 0.42 and several:
        start = int(rng.choice(clip.words[:-1]).start * FRAMES_PER_SECOND)
        return start, rng.randint(min(frames, start + 40), frames)
    return 0, frames


def _coloured(clip: Clip, chance: Chance) -> Clip:
    """Another throat, another microphone, another loudness."""
    rng, mel = chance.rng, clip.mel
    if rng.random() < 0.3:
        mel = _warped(mel, rng.uniform(0.94, 1.06))
    if rng.random() < 0.2:
        mel = mel + _curve([0, 20, 40, 60, 79], chance.noise.normal(0, 0.2, 5)).astype(np.float32)
    return Clip(np.maximum(mel + rng.uniform(-1.5, 0.7), QUIETEST), clip.labels, clip.words)


def _warped(mel: Features, factor: float) -> Features:
    bands = np.clip(np.arange(BANDS) * factor, 0, BANDS - 1)
    below = bands.astype(int)
    above = np.minimum(below + 1, BANDS - 1)
    warped: Features = mel[below] + (mel[above] - mel[below]) * (bands - below)[:, None].astype(np.float32)
    return warped


def _curve(bands: list[int], levels: NDArray[np.floating]) -> NDArray[np.float64]:
    curve: NDArray[np.float64] = np.interp(np.arange(BANDS), bands, levels)
    return curve[:, None]


def _silence(rng: random.Random) -> Clip:
    frames = rng.randint(30, 500)
    return Clip(np.full((BANDS, frames), QUIETEST, np.float32), np.zeros(frames // 2, np.int16), [])


def _in_silence(clip: Clip, rng: random.Random) -> Clip:
    """Up to 1.2 s before and after, mostly little."""
    lead = 0 if rng.random() < 0.55 else 2 * int(rng.random() ** 2 * 60)
    tail = 2 * int(rng.random() ** 2 * 60)
    mel = np.pad(clip.mel, ((0, 0), (lead, tail)), constant_values=QUIETEST)
    return Clip(mel, np.pad(clip.labels, (lead // 2, 0)), _later(clip.words, lead / FRAMES_PER_SECOND))


def _in_noise(mel: Features, chance: Chance, *, silent: bool) -> Features:
    """Often as it is, else in steady noise of any colour."""
    rng, noise = chance.rng, chance.noise
    if rng.random() >= (0.7 if silent else 0.25):
        return mel
    loudest = rng.uniform(-2, 1) if silent else mel.max()
    level = loudest - (rng.uniform(0, 3) if silent else rng.uniform(2.5, 6))
    colour = _curve([0, 25, 50, 79], noise.normal(0, 0.5, 4))
    grain = noise.standard_gamma(3, mel.shape) / 3
    noisy: Features = np.log10(10**mel + 10 ** (level + colour) * grain)
    return noisy


def _mask_a_band(mel: Features, floor: float, rng: random.Random) -> None:
    first = rng.randint(0, 70)
    mel[first : first + rng.randint(1, 9)] = floor if rng.random() < 0.5 else mel.mean()


def _later(words: Sequence[Span], by: float) -> list[Span]:
    return [Span(word.label, word.start + by, word.end + by) for word in words]


Body = list[tuple[int, tuple[float, float]]]


class _Speller:
    """Words to decoder rows, in each form an engine may ask for."""

    def __init__(self, tokenizer: Tokenizer, rng: random.Random) -> None:
        self._tokenizer = tokenizer
        self._rng = rng
        self._known: dict[str, list[int]] = {}
        self._first_stamp = id_of(tokenizer, "<|0.00|>")

    def row(self, words: Sequence[Span], *, stamped: bool) -> Row:
        head = self._special("startoftranscript")
        if self._rng.random() < 0.4:
            head += self._special("en", "transcribe")
        if not stamped:
            head += self._special("notimestamps")
        prompt = self._prompt() if self._rng.random() < 0.08 else []
        body = self._stamped(words) if stamped else self._spelled(words)
        start = len(prompt)
        ids = prompt + head + [token for token, _ in body]
        targets = [NO_TARGET] * start + ids[start + 1 :] + self._special("endoftext")
        if not words:
            targets[start] = self._special("nospeech")[0]
        # What follows <|startoftranscript|> is given, never written, up to the last token of the head.
        targets[start + 1 : start + len(head) - 1] = [NO_TARGET] * max(0, len(head) - 2)
        spans = [NOWHERE] * (start + len(head) - 1) + [span for _, span in body] + [NOWHERE]
        return Row(ids, targets, spans)

    def _special(self, *names: str) -> list[int]:
        return [id_of(self._tokenizer, f"<|{name}|>") for name in names]

    def _prompt(self) -> list[int]:
        spoken_before: list[int] = self._tokenizer.encode(f" {grammar.utterance(self._rng)}").ids
        return self._special("startofprev") + spoken_before[-60:]

    def _spelled(self, words: Sequence[Span]) -> Body:
        return [
            (token, _span(word.start, word.end, 2))
            for index, word in enumerate(words)
            for token in self._pieces(word.label if index else word.label[0].upper() + word.label[1:])
        ]

    def _stamped(self, words: Sequence[Span]) -> Body:
        body: Body = []
        for sentence in _sentences(words):
            start, end = max(0, sentence[0].start), max(0, sentence[-1].end)
            body += [self._stamp(start), *self._spelled(sentence), self._stamp(end)]
        return body or [(self._first_stamp, NOWHERE)]

    def _stamp(self, at: float) -> tuple[int, tuple[float, float]]:
        return self._first_stamp + round(at * TOKENS_PER_SECOND), _span(at, at, 3)

    def _pieces(self, word: str) -> list[int]:
        if word not in self._known:
            self._known[word] = self._tokenizer.encode(f" {word}").ids
        return self._known[word]


def _span(start: float, end: float, margin: int) -> tuple[float, float]:
    return start * TOKENS_PER_SECOND - margin, end * TOKENS_PER_SECOND + margin


def _sentences(words: Sequence[Span]) -> Iterator[Sequence[Span]]:
    first = 0
    for after, word in enumerate(words, 1):
        if word.label[-1] in ".?!" or after == len(words):
            yield words[first:after]
            first = after
