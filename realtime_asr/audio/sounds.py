"""Sounds that nobody spoke: silence, noise, tones and music, each drawn from chance."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from realtime_asr.audio.timeline import RATE, Samples, samples

Wave = NDArray[np.float64]
Maker = Callable[[Generator, int], Wave]
"""As many samples as asked for, as loud as they come."""


def sounds(rng: Generator, seconds_each: float) -> Iterator[tuple[str, Samples]]:
    """One of each of KINDS, never the same twice."""
    return ((kind, sound(kind, rng, seconds_each)) for kind in KINDS)


def sound(kind: str, rng: Generator, seconds: float) -> Samples:
    """At a loudness drawn from chance too, but for the silences."""
    length = samples(seconds * 1000)
    if kind in _SILENCES:
        return _SILENCES[kind](rng, length).astype(np.float32)
    made = _AUDIBLE[kind](rng, length)
    loudest = max(float(np.abs(made).max()), 1e-9)  # a moment between two clicks holds nothing
    peak = 10 ** (rng.uniform(*_PEAKS) / 20)
    return (made * (peak / loudest)).astype(np.float32)


_PEAKS = (-55.0, -3.0)  # decibels to full scale: from what a microphone just catches to what nearly clips
_STEP = 2.0**-15  # between two numbers of 16 bits
_LOWEST = 20.0  # hertz; red noise is boundless towards zero


# Silence


def _silence(_: Generator, length: int) -> Wave:
    return np.zeros(length)


def _dither(rng: Generator, length: int) -> Wave:
    """What a converter writes when nothing comes in."""
    return _STEP * np.rint(rng.triangular(-1, 0, 1, length))


# Noise


def _noise(slope: float) -> Maker:
    """Power falls with the frequency to the power of `slope`: 0 is white, 1 pink, 2 brown."""
    return lambda rng, length: _shaped(rng, length, lambda hertz: hertz ** (-slope / 2))


def _shaped(rng: Generator, length: int, gain: Callable[[Wave], Wave]) -> Wave:
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), _LOWEST)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(length)) * gain(hertz), length)


def _fan(rng: Generator, length: int) -> Wave:
    """Air rushes softly, and the blades pass."""
    corner, blades = rng.uniform(200, 800), rng.uniform(40, 120)
    air = _shaped(rng, length, lambda hertz: 1 / (1 + (hertz / corner) ** 2))
    return air / _size(air) + 0.5 * _voice(np.full(length, blades), 4)


def _engine(rng: Generator, length: int) -> Wave:
    """Fires not quite evenly, in a body that rumbles."""
    unsteady = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(0.5, 3) * _times(length))
    rumble = _noise(2)(rng, length)
    return _voice(rng.uniform(25, 90) * unsteady, 20) + rumble / _size(rumble)


def _wind(rng: Generator, length: int) -> Wave:
    gusts = 1 + np.sin(2 * np.pi * rng.uniform(0.1, 0.6) * _times(length) + rng.uniform(0, 2 * np.pi))
    return gusts * _noise(1.5)(rng, length)


def _clicks(rng: Generator, length: int) -> Wave:
    """As of keys or of a bad line: a few milliseconds each, at any time."""
    struck = rng.random(length) < rng.uniform(1, 12) / RATE
    ring = _fading(samples(8), 1.5) * rng.standard_normal(samples(8))
    return np.convolve(struck, ring)[:length]


# Tones


def _hum(rng: Generator, length: int) -> Wave:
    """Of the mains, on either side of the ocean."""
    return _voice(np.full(length, rng.choice([50.0, 60.0])), 8)


def _tone(rng: Generator, length: int) -> Wave:
    return _voice(np.full(length, _pitch(rng)), 1)


def _sweep(rng: Generator, length: int) -> Wave:
    return _voice(np.geomspace(_pitch(rng), _pitch(rng), length), 1)


def _beeps(rng: Generator, length: int) -> Wave:
    """A line that is busy, a truck that backs up, an oven that is done."""
    on, period = rng.uniform(0.05, 0.5), rng.uniform(0.6, 1.5)
    return _tone(rng, length) * (_times(length) % period < on)


def _dialling(rng: Generator, length: int) -> Wave:
    """DTMF: two tones for each key."""

    def keys() -> Iterator[Wave]:
        while True:
            low, high = rng.choice([697.0, 770, 852, 941]), rng.choice([1209.0, 1336, 1477, 1633])
            yield sum((_voice(np.full(samples(100), hertz), 1) for hertz in (low, high)), np.zeros(1))
            yield np.zeros(samples(80))

    return _filled(length, keys())


# Music


def _chord(rng: Generator, length: int) -> Wave:
    """Three voices of an organ."""
    root = rng.uniform(110, 330)
    steps = ((0, 4, 7), (0, 3, 7))[rng.integers(2)]
    return sum((_voice(np.full(length, _up(root, step)), 5) for step in steps), np.zeros(length))


def _melody(rng: Generator, length: int) -> Wave:
    """Plucked notes that wander up and down a scale of five."""
    scale, root, beat = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21), rng.uniform(130, 330), rng.uniform(200, 400)

    def notes() -> Iterator[Wave]:
        at = len(scale) // 2
        while True:
            at = int(np.clip(at + rng.integers(-2, 3), 0, len(scale) - 1))
            lasts = samples(beat * rng.choice([0.5, 1, 1, 2]))
            yield _fading(lasts, 250) * _voice(np.full(lasts, _up(root, scale[at])), 6)

    return _filled(length, notes())


def _drums(rng: Generator, length: int) -> Wave:
    """A low beat and a sharp one in turn, with a rustle between."""
    step = samples(rng.uniform(120, 220))
    low = _fading(step, 60) * _voice(np.geomspace(120, 45, step), 1)

    def beats() -> Iterator[Wave]:
        while True:
            rustle = 0.3 * _fading(step, 15) * rng.standard_normal(step)
            yield from (low, rustle, 0.7 * _fading(step, 50) * rng.standard_normal(step), rustle)

    return _filled(length, beats())


def _band(rng: Generator, length: int) -> Wave:
    """All of them together, if not in the same key."""
    return 1.5 * _melody(rng, length) + 0.4 * _chord(rng, length) + 0.5 * _drums(rng, length)


# What they are made of


def _voice(hertz: Wave, partials: int) -> Wave:
    """A pitch that may change, with partials that grow weaker; those too high to be heard are left out."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    heard = (k for k in range(1, partials + 1) if k * hertz.max() < RATE / 2)
    return sum((np.sin(k * phase) / k for k in heard), np.zeros(len(hertz)))


def _pitch(rng: Generator) -> float:
    return float(np.exp(rng.uniform(np.log(80), np.log(6_000))))


def _up(hertz: float, semitones: int) -> float:
    return float(hertz * 2 ** (semitones / 12))


def _fading(length: int, milliseconds: float) -> Wave:
    return np.exp(-np.arange(length) / samples(milliseconds))


def _times(length: int) -> Wave:
    return np.arange(length) / RATE


def _size(wave: Wave) -> float:
    return float(np.std(wave)) or 1.0


def _filled(length: int, parts: Iterator[Wave]) -> Wave:
    made = [np.zeros(0)]
    while sum(map(len, made)) < length:
        made.append(next(parts))
    return np.concatenate(made)[:length]


_SILENCES: Final[dict[str, Maker]] = {"silence": _silence, "dither": _dither}
_AUDIBLE: Final[dict[str, Maker]] = {
    "white noise": _noise(0),
    "pink noise": _noise(1),
    "brown noise": _noise(2),
    "fan": _fan,
    "engine": _engine,
    "wind": _wind,
    "clicks": _clicks,
    "hum": _hum,
    "tone": _tone,
    "sweep": _sweep,
    "beeps": _beeps,
    "dialling": _dialling,
    "chord": _chord,
    "melody": _melody,
    "drums": _drums,
    "band": _band,
}
KINDS: Final = (*_SILENCES, *_AUDIBLE)
