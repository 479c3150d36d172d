"""What a model is tried on: clips with their text, and sounds that say nothing."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from realtime_asr.audio.timeline import RATE, Samples, seconds
from tools.micro_whisper.alignment import Span
from tools.micro_whisper.utterance import Utterance

_LEVELS_DB: Final = (-40, -30, -20)

_LONGEST_SHORT_TURN = 8.5
_LONG_TURN = (12.0, 28.0)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    text: str
    samples: Samples
    words: tuple[Span, ...] = ()
    """Where they are heard, if that is known."""


def short_turns(utterances: Sequence[Utterance], count: int) -> list[Trial]:
    trials = [_trial(utterance) for utterance in utterances]
    return [trial for trial in trials if seconds(len(trial.samples)) <= _LONGEST_SHORT_TURN][:count]


def prefixes(trials: Sequence[Trial], rng: random.Random) -> list[Trial]:
    """Cut where a random word ends, as a partial transcript may find it."""
    return [_cut_after(trial, rng.randint(1, len(trial.words))) for trial in trials]


def in_noise(trials: Sequence[Trial], noise: np.random.Generator) -> list[Trial]:
    """White, 20 dB below the speech."""
    return [Trial(t.text, t.samples + _white(noise, len(t.samples), 0.1 * _rms(t.samples))) for t in trials]


def in_silence(trials: Sequence[Trial]) -> list[Trial]:
    """A second before and two after."""
    return [Trial(trial.text, np.pad(trial.samples, (RATE, 2 * RATE))) for trial in trials]


def long_turns(utterances: Sequence[Utterance], count: int, rng: random.Random) -> list[Trial]:
    """Utterances one after the other with short pauses, 12 to 28 s in all; fewer where they run out."""
    clips = iter(_trial(utterance) for utterance in utterances)
    turns = (_long_turn(clips, rng.uniform(*_LONG_TURN), rng) for _ in range(count))
    return [turn for turn in turns if seconds(len(turn.samples)) >= _LONG_TURN[0]]


def nothings(count: int, noise: np.random.Generator) -> dict[str, list[Samples]]:
    """Sounds of 1 to 8 s in which nobody speaks, by name."""
    lengths = [int(length * RATE) for length in noise.uniform(1, 8, count)]
    made = {"silence": [np.zeros(length, np.float32) for length in lengths]}
    for level in _LEVELS_DB:
        made[f"noise, {level} dB"] = [_at_level(_noise_of_some_colour(noise, n), level) for n in lengths]
        made[f"hum, {level} dB"] = [_at_level(_hum(noise, n), level) for n in lengths]
    return made


def _trial(utterance: Utterance) -> Trial:
    if utterance.wav is None:
        raise ValueError("this data set holds no audio: make one with `synthesis test`")
    return Trial(utterance.text, utterance.wav.astype(np.float32) / np.float32(32768), tuple(utterance.words))


def _cut_after(trial: Trial, count: int) -> Trial:
    words = trial.words[:count]
    text = " ".join(word.label for word in words)
    return Trial(text, trial.samples[: int(words[-1].end * RATE)], words)


def _long_turn(clips: Iterator[Trial], length: float, rng: random.Random) -> Trial:
    """Up to the given length, except that the last clip is never cut."""
    texts: list[str] = []
    parts: list[Samples] = []
    for clip in clips:
        pause = np.zeros(int(rng.uniform(0.2, 0.8) * RATE), np.float32)
        total = sum(map(len, parts)) + len(clip.samples)
        if parts and seconds(total) > _LONG_TURN[1]:
            break
        texts.append(clip.text)
        parts += [clip.samples, pause]
        if seconds(total) >= length:
            break
    return Trial(" ".join(texts), np.concatenate(parts[:-1]) if parts else np.zeros(0, np.float32))


def _white(noise: np.random.Generator, length: int, level: float) -> Samples:
    return noise.normal(0, level, length).astype(np.float32)


def _noise_of_some_colour(noise: np.random.Generator, length: int) -> Samples:
    """Between white and brown."""
    spectrum = np.fft.rfft(noise.normal(0, 1, length))
    tilt = np.maximum(1, np.arange(len(spectrum))) ** -noise.uniform(0, 1)
    return np.fft.irfft(spectrum * tilt, length).astype(np.float32)


def _hum(noise: np.random.Generator, length: int) -> Samples:
    """50 or 60 Hz with some overtones."""
    phase = np.arange(length) * (2 * np.pi * noise.choice([50, 60]) / RATE)
    overtones = enumerate(noise.uniform(0.1, 1, 6), 1)
    hum: np.ndarray = sum(level / n * np.sin(n * phase) for n, level in overtones)
    return hum.astype(np.float32)


def _at_level(samples: Samples, level: float) -> Samples:
    """Root mean square, in dB below full scale."""
    return samples * np.float32(10 ** (level / 20) / _rms(samples))


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))
