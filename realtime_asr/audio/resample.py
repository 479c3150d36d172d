"""Streaming change of sample rate, bit-identical however the audio was cut into chunks.

The stream is a polyphase filter of our own: all it remembers is a few milliseconds of audio. A stream of
soxr, which converts whole clips below, keeps 50 to 500 KB: most of what an idle connection would cost.
"""

from dataclasses import dataclass
from functools import cache
from math import gcd

import numpy as np
import soxr

from realtime_asr.audio.timeline import RATE, Samples

_BLOCK_SECONDS = 0.01
_ZEROS = 32  # of the sinc, on either side: 2 ms at 16 kHz
_PASSED = 0.95  # of the band that both rates have
_KAISER = 8.0  # what must not pass is 80 dB down
_AT_ONCE = 16  # blocks; their windows are half a megabyte, which a processor keeps at hand
_LARGEST = 1_000_000  # is made of so many weights; rates that have little in common with ours need more


class Resampler:
    """From one rate to RATE. Output lags a little behind input until flushed."""

    def __init__(self, rate: int) -> None:
        self._filter = None if rate == RATE else _filter(rate)
        self._heard = _NOTHING
        self._start_afresh()

    @property
    def pending(self) -> int:
        """How much a flush would give out."""
        return 0 if self._filter is None else round(self._fed * RATE / self._filter.rate) - self._made

    def feed(self, samples: Samples) -> Samples:
        if self._filter is None:
            return samples
        self._fed += len(samples)
        heard = np.concatenate((self._heard, samples))
        made, used = self._filter.apply(heard)
        self._made += len(made)
        self._heard = heard[used:].copy()
        return made

    def flush(self) -> Samples:
        """What is still inside; the next feed starts afresh."""
        if self._filter is None:
            return _NOTHING
        owed = self.pending
        rest, _ = self._filter.apply(np.concatenate((self._heard, self._filter.padding)))
        self._start_afresh()
        return rest[:owed]

    def _start_afresh(self) -> None:
        self._fed = self._made = 0
        if self._filter is not None:
            self._heard = np.zeros(self._filter.reach, np.float32)


def convert(samples: Samples, *, rate: int) -> Samples:
    """A whole clip from RATE to another rate."""
    converted: Samples = soxr.resample(samples, RATE, rate)
    return converted.astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Filter:
    """Makes `weights.shape[1]` samples out of every `down`, from what lies `reach` around them."""

    rate: int
    down: int
    reach: int
    rows: int
    weights: Samples

    @property
    def padding(self) -> Samples:
        return np.zeros(2 * self.reach + self.rows * self.down, np.float32)

    def apply(self, heard: Samples) -> tuple[Samples, int]:
        """What whole blocks make, and how much of `heard` needs not be heard again.

        Products of one shape only: others would be summed in another order, and round differently.
        """
        block = self.rows * self.down
        used = max(len(heard) - 2 * self.reach, 0) // block * block
        if used == 0:
            return _NOTHING, 0
        # Each row is what one sample of a block is made from, which begins `down` after the row before.
        shape = (used // block, self.rows, len(self.weights))
        windows = np.ndarray(shape, np.float32, heard, 0, (block * 4, self.down * 4, 4))
        made = np.empty((len(windows), self.rows, self.weights.shape[1]), np.float32)
        for start in range(0, len(windows), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            np.matmul(np.ascontiguousarray(windows[some]), self.weights, out=made[some])
        return made.ravel(), used


@cache
def _filter(rate: int) -> _Filter:
    common = gcd(rate, RATE)
    up, down = RATE // common, rate // common
    assert up * down <= _LARGEST, f"the table for a rate of {rate} would be huge"
    band = min(rate, RATE)
    reach = _ZEROS * rate // band
    # Where each sample of the window lies, seen from each of the samples that are made.
    away = np.arange(-reach, down + reach)[:, None] - np.arange(up) * (down / up)
    taper = np.i0(_KAISER * np.sqrt(np.clip(1 - np.square(away / reach), 0, None)))
    weights = np.sinc(away * (_PASSED * band / rate)) * np.where(np.abs(away) <= reach, taper, 0)
    weights /= weights.sum(axis=0)
    return _Filter(rate, down, reach, max(1, round(_BLOCK_SECONDS * rate / down)), weights.astype(np.float32))


_NOTHING: Samples = np.zeros(0, np.float32)
