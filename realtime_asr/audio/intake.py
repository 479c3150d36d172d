"""Bytes as a client sent them -> 16 kHz samples, whatever the format and the cuts."""

import numpy as np

from realtime_asr.audio.formats import AudioFormat, decode
from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.resample import Resampler
from realtime_asr.audio.timeline import Samples


class Intake:
    """One run of audio in one format. Carries split samples and the resampler's tail along."""

    def __init__(self, format: AudioFormat, denoiser: Denoiser | None = None) -> None:
        self.format = format
        self.denoiser = denoiser
        """May be exchanged after a flush, or passed on to the next run."""
        self._spare = b""
        self._resampler = Resampler(format.rate)
        self._held = 0
        """How much the denoiser has not given out yet."""

    @property
    def pending(self) -> int:
        """How much a flush would give out."""
        return self._held + self._resampler.pending

    def feed(self, payload: bytes) -> Samples:
        payload = self._spare + payload
        whole = len(payload) - len(payload) % self.format.sample_bytes
        self._spare = payload[whole:]
        heard = self._resampler.feed(decode(payload[:whole], self.format.encoding))
        if self.denoiser is None:
            return heard
        cleaned = self.denoiser.clean(heard)
        self._held += len(heard) - len(cleaned)
        return cleaned

    def flush(self) -> Samples:
        """Everything fed so far has come out after this, but for half a sample kept for its other half."""
        heard = self._resampler.flush()
        if self.denoiser is None:
            return heard
        self._held = 0
        return np.concatenate((self.denoiser.clean(heard), self.denoiser.flush()))
