"""What a denoiser is, and how one that hears whole frames serves audio cut anyhow."""

from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from realtime_asr.audio.timeline import Samples

FRAME: Final = 160
"""Samples the usual denoisers hear at once: 10 ms."""


class Denoiser(Protocol):
    """Each sample comes back once and keeps its position. Remembers the noise: one denoiser per session."""

    def clean(self, samples: Samples) -> Samples:
        """Output lags a little behind input until flushed; how the input is cut changes no bit of it."""

    def flush(self) -> Samples:
        """What is still inside. The noise stays remembered, and the next samples follow as if nothing was."""


class FramedDenoiser:
    """Mixes the original with what `clean_frame` makes of its frames, `delay` samples late.

    The `strength` is the share of the latter: all at 1 or more, nothing at 0 or less.

    A flush gives out the last few milliseconds as they were heard. To clean them the frames would have to be
    filled up with silence, and that would teach the denoiser a quietness which is not there.
    """

    def __init__(self, clean_frame: Callable[[Samples], Samples], *, delay: int, strength: float) -> None:
        self._clean_frame = clean_frame
        self._strength = min(max(strength, 0.0), 1.0)
        self._unframed = _NOTHING
        self._owed = _NOTHING
        self._unwanted = delay

    def clean(self, samples: Samples) -> Samples:
        cleaned = self._cleaned(samples)
        heard = np.concatenate((self._owed, samples))
        self._owed = heard[len(cleaned) :].copy()
        return (1 - self._strength) * heard[: len(cleaned)] + self._strength * cleaned

    def flush(self) -> Samples:
        rest, self._owed = self._owed, _NOTHING
        self._unwanted += len(rest)
        return rest

    def _cleaned(self, samples: Samples) -> Samples:
        """Of what has been cleaned by now, all that was not given out before."""
        heard = np.concatenate((self._unframed, samples))
        whole = len(heard) - len(heard) % FRAME
        self._unframed = heard[whole:].copy()
        cleaned = np.concatenate((_NOTHING, *map(self._clean_frame, heard[:whole].reshape(-1, FRAME))))
        unwanted = min(self._unwanted, len(cleaned))
        self._unwanted -= unwanted
        return cleaned[unwanted:]


_NOTHING: Samples = np.zeros(0, np.float32)
