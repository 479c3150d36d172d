"""Whisper's picture of audio, drawn once, as the audio comes.

Ten milliseconds make a frame, and a frame depends on the 25 ms around it only. So audio that grows needs new
frames, not a new picture: this is faster-whisper's log-mel spectrogram, less the last step, which looks at
the loudest frame of all and belongs to the window that a pass hears.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.audio.timeline import RATE, Samples

Frames = NDArray[np.float32]
"""Rows are frames, columns the logarithm of the power in each band."""

HOP: Final = 160
_REACH: Final = 200
"""What a frame hears before and after its middle."""
_BLOCK: Final = 32
"""Frames drawn together, always the same ones: the size of a matrix decides how its product is rounded, and
how audio is cut shall change nothing, not even the last bit.
"""


class MelSpectrogram:
    """Positions are samples; frame `n` has its middle at sample `n * HOP`."""

    def __init__(self, bands: int) -> None:
        self.bands = bands
        self.start = 0
        """Everything before this sample is forgotten."""
        self._audio = AudioBuffer()
        self._audio.append(np.zeros(_REACH, np.float32))
        self._drawn: list[Frames] = []
        self._count = 0

    @property
    def end(self) -> int:
        return self._audio.end - _REACH

    def feed(self, samples: Samples) -> None:
        self._audio.append(samples)

    def frames(self, start: int, stop: int) -> Frames:
        """Those with their middle in [start, stop), as if beyond what was fed there were silence."""
        assert self.start <= start <= stop, (self.start, start, stop)
        self._draw(stop)
        first, last = _frame(start - self.start), _frame(stop - self.start)
        known = np.concatenate([self._nothing, *self._drawn])
        if last > len(known):
            known = np.concatenate([known, self._edge(last - len(known))])
        return known[first:last]

    def forget_before(self, position: int) -> None:
        """Frames only: audio that is drawn is not kept anyway."""
        self._draw(position)
        gone = min(_frame(position), self._count) - _frame(self.start)
        if gone > 0:
            self.start += gone * HOP
            self._drawn = [np.concatenate(self._drawn)[gone:]]

    @property
    def _nothing(self) -> Frames:
        return np.empty((0, self.bands), np.float32)

    def _draw(self, stop: int) -> None:
        """The blocks before that whose surroundings are complete: an hour at once would take too long."""
        complete = (self._audio.end - 2 * _REACH) // HOP + 1 - self._count
        wanted = _whole_blocks(_frame(stop) - self._count)
        ready = min(complete - complete % _BLOCK, wanted)
        if ready > 0:
            begin = self._count * HOP
            self._drawn.append(_log_mel(self._audio.slice(begin, begin + _room(ready)), self.bands))
            self._count += ready
            self._audio.forget_before(self._count * HOP)

    def _edge(self, count: int) -> Frames:
        """So many after those."""
        room = _room(_whole_blocks(count))
        heard = self._audio.slice(self._count * HOP, self._audio.end)[:room]
        return _log_mel(np.pad(heard, (0, room - len(heard))), self.bands)[:count]


def normalised(frames: Frames) -> Frames:
    """As Whisper wants a window: nothing is more than 80 decibels below the loudest, and bands come first."""
    if len(frames) == 0:
        return frames.T
    floored: Frames = (np.maximum(frames, frames.max() - 8.0) + 4.0) / 4.0
    return np.ascontiguousarray(floored.T)


def windows(stack: Sequence[Frames], length: int) -> NDArray[np.float32]:
    """Each normalised, with nothing after it: what an encoder takes."""
    return np.stack([np.pad(normalised(frames), ((0, 0), (0, length - len(frames)))) for frames in stack])


def _frame(position: int) -> int:
    return -(-position // HOP)


def _whole_blocks(frames: int) -> int:
    """As many, and those that share a block with them."""
    return -(-frames // _BLOCK) * _BLOCK


def _room(frames: int) -> int:
    """What they hear together."""
    return 2 * _REACH + (frames - 1) * HOP


def _log_mel(audio: Samples, bands: int) -> Frames:
    """Of whole blocks."""
    windows = np.lib.stride_tricks.sliding_window_view(audio, 2 * _REACH)[::HOP]
    power = np.abs(np.fft.rfft(windows * _HANN, axis=1)) ** 2
    blocks = power.astype(np.float32).reshape(-1, _BLOCK, _REACH + 1)
    mel: Frames = np.log10(np.maximum(blocks @ _filters(bands), 1e-10)).reshape(-1, bands)
    return mel


_HANN: Final = np.hanning(2 * _REACH + 1)[:-1].astype(np.float32)


@cache
def _filters(bands: int) -> Frames:
    """Slaney's triangles: even below a kilohertz, logarithmic above, each of the same area."""
    frequencies = np.fft.rfftfreq(2 * _REACH, 1 / RATE)
    corners = _hertz(np.linspace(0.0, _mel(RATE / 2), bands + 2))
    rising = (frequencies[:, None] - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - frequencies[:, None]) / np.diff(corners)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * 2.0 / (corners[2:] - corners[:-2])).astype(np.float32)


_LINEAR_MELS: Final = 15.0  # a kilohertz
_MEL_HERTZ: Final = 200.0 / 3
_OCTAVE: Final = np.log(6.4) / 27.0


def _mel(hertz: float) -> float:
    return float(_LINEAR_MELS + np.log(hertz / 1000.0) / _OCTAVE)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mels < _LINEAR_MELS, mels * _MEL_HERTZ, 1000.0 * np.exp((mels - _LINEAR_MELS) * _OCTAVE))
