"""Audio cut anywhere sounds as if it had come in one piece: bytes, split samples, every rate."""

from itertools import cycle
from typing import Final

import numpy as np

from realtime_asr.audio.formats import ALAW_8K, ULAW_8K, AudioFormat, Encoding
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.timeline import RATE, Samples

_FORMATS: Final = (
    *(AudioFormat(Encoding.PCM16, rate) for rate in (8_000, 16_000, 24_000, 48_000, 11_025, 22_050, 44_100)),
    ULAW_8K,
    ALAW_8K,
)
_ROUNDS: Final = 8
"""The filter is some milliseconds long: short inputs are repeated, or nothing came out before the end."""
_SHORT: Final = 4096
_RINGING: Final = 4.0


def check(data: bytes) -> None:
    """The first bytes say in which format, and how long the pieces are."""
    if len(data) < 8:
        return
    kind = _FORMATS[data[0] % len(_FORMATS)]
    lengths, payload = [int(byte) for byte in data[1:7]], data[7:] * (_ROUNDS if len(data) < _SHORT else 1)
    one, many = Intake(kind), Intake(kind)

    whole = np.concatenate([one.feed(payload), one.flush()])
    cut = np.concatenate([*map(many.feed, _cut(payload, lengths)), many.flush()])

    assert np.array_equal(whole, cut)
    assert len(whole) == round(len(payload) // kind.sample_bytes * RATE / kind.rate)
    assert np.abs(whole).max(initial=0) <= _RINGING
    if len(payload) % kind.sample_bytes == 0:
        # Nothing is left of what was flushed.
        assert np.array_equal(whole, _heard(many, payload))


def _heard(intake: Intake, payload: bytes) -> Samples:
    return np.concatenate([intake.feed(payload), intake.flush()])


def _cut(payload: bytes, lengths: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    at = 0
    for length in cycle([*lengths, 997]):
        if at >= len(payload):
            return pieces
        pieces.append(payload[at : at + length])
        at += length
    return pieces
