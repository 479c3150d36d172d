"""Bytes as a client sent them -> 16 kHz samples, whatever the format and the cuts."""

from realtime_asr.audio.formats import AudioFormat, decode
from realtime_asr.audio.resample import Resampler
from realtime_asr.audio.timeline import Samples


class Intake:
    """One run of audio in one format. Carries split samples and the resampler's tail along."""

    def __init__(self, format: AudioFormat) -> None:
        self.format = format
        self._spare = b""
        self._resampler = Resampler(format.rate)

    def feed(self, payload: bytes) -> Samples:
        payload = self._spare + payload
        whole = len(payload) - len(payload) % self.format.sample_bytes
        self._spare = payload[whole:]
        return self._resampler.feed(decode(payload[:whole], self.format.encoding))

    def flush(self) -> Samples:
        """Everything fed so far has come out after this, but for half a sample kept for its other half."""
        return self._resampler.flush()
