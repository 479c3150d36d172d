"""What audio looks like on the wire, and how its bytes become numbers."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

import numpy as np

from realtime_asr.audio.timeline import Samples


class Encoding(Enum):
    PCM16 = "pcm16"
    ULAW = "ulaw"
    ALAW = "alaw"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Mono audio: how a sample is written and how many make a second."""

    encoding: Encoding
    rate: int

    @property
    def sample_bytes(self) -> int:
        return 2 if self.encoding is Encoding.PCM16 else 1

    def seconds(self, size: int) -> float:
        """What so many bytes last."""
        return size / (self.sample_bytes * self.rate)


PCM16_24K: Final = AudioFormat(Encoding.PCM16, 24_000)
ULAW_8K: Final = AudioFormat(Encoding.ULAW, 8_000)
ALAW_8K: Final = AudioFormat(Encoding.ALAW, 8_000)
USUAL_FORMATS: Final = {usual.encoding: usual for usual in (PCM16_24K, ULAW_8K, ALAW_8K)}
"""As OpenAI has them."""
RATES: Final = (8_000, 16_000, 24_000, 48_000)
"""Of PCM."""


_ONE_STEP: Final = np.float32(1 / 32768)


def decode(payload: bytes, encoding: Encoding) -> Samples:
    """Whole samples only: an odd byte at the end of PCM16 is the caller's to carry over."""
    match encoding:
        case Encoding.PCM16:
            samples: Samples = np.multiply(np.frombuffer(payload, "<i2"), _ONE_STEP, dtype=np.float32)
            return samples
        case Encoding.ULAW:
            return _ULAW[np.frombuffer(payload, np.uint8)]
        case Encoding.ALAW:
            return _ALAW[np.frombuffer(payload, np.uint8)]
        case _:
            assert_never(encoding)


def encode_pcm16(samples: Samples) -> bytes:
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def _ulaw_table() -> Samples:
    # G.711: all bits inverted; sign, 3 bits of exponent, 4 of mantissa, a bias of 132.
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = ((mantissa.astype(np.int32) * 8 + 132) << exponent) - 132
    return _signed(magnitude, negative=(code & 128) > 0)


def _alaw_table() -> Samples:
    # G.711: even bits inverted; the lowest of the eight segments has no implicit leading one.
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = ((code >> 4) & 7).astype(np.int32), (code & 15).astype(np.int32)
    low = mantissa * 16 + 8
    magnitude = np.where(exponent == 0, low, (low + 256) << np.maximum(exponent - 1, 0))
    return _signed(magnitude, negative=(code & 128) == 0)


def _signed(magnitude: np.ndarray, *, negative: np.ndarray) -> Samples:
    return (np.where(negative, -magnitude, magnitude) / 32768).astype(np.float32)


_ULAW: Final = _ulaw_table()
_ALAW: Final = _alaw_table()
