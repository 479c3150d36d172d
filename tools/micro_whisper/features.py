"""Whisper's log-mel features, in numpy alone."""

import functools

import numpy as np
from numpy.typing import NDArray

from realtime_asr.audio.timeline import RATE, Samples

BANDS = 80
HOP = 160
FRAMES_PER_SECOND = RATE // HOP
QUIETEST = -10.0
"""The logarithm of digital silence."""

_LENGTH = 400
_RANGE = 8.0

Features = NDArray[np.floating]
"""[bands, frames]"""


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """log10 of the power in each band. Not normalised yet: gain, noise and silence can still be worked in."""
    padded = np.pad(samples, _LENGTH // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _LENGTH)[::HOP]
    window = np.hanning(_LENGTH + 1)[:-1].astype(np.float32)
    spectrum = np.fft.rfft(frames * window, axis=1)[:-1]
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return _float32(np.log10(np.maximum(_filters() @ power.T, 10**QUIETEST)))


def normalised(mel: Features) -> Features:
    """What the encoder hears: 80 dB below the loudest moment is the floor."""
    loud: Features = np.maximum(mel, mel.max() - _RANGE)
    return (loud + 4) / 4


def floor_of(mel: Features) -> float:
    """The normalised value of silence beside this."""
    return float((max(mel.max() - _RANGE, QUIETEST) + 4) / 4)


@functools.cache
def _filters() -> NDArray[np.float32]:
    """Triangles of equal area, evenly spaced on Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    per_mel = np.log(6.4) / 27
    mels = np.linspace(0, 15 + np.log(8) / per_mel, BANDS + 2)
    hertz = np.where(mels >= 15, 1000 * np.exp(per_mel * (mels - 15)), mels * 200 / 3)
    bins = np.arange(_LENGTH // 2 + 1) * (RATE / _LENGTH)
    width, distance = np.diff(hertz), hertz[:, None] - bins[None]
    rising, falling = -distance[:-2] / width[:-1, None], distance[2:] / width[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return _float32(triangles * (2 / (hertz[2:] - hertz[:-2]))[:, None])


def _float32(numbers: np.ndarray) -> NDArray[np.float32]:
    return numbers.astype(np.float32, copy=False)
