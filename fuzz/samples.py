"""Bytes of audio as numbers: PCM16 and G.711, whatever the bytes."""

import numpy as np

from realtime_asr.audio.formats import Encoding, decode, encode_pcm16


def check(data: bytes) -> None:
    whole = data[: len(data) // 2 * 2]
    pcm = decode(whole, Encoding.PCM16)
    assert encode_pcm16(pcm) == whole
    for encoding in Encoding:
        payload = whole if encoding is Encoding.PCM16 else data
        heard = decode(payload, encoding)
        assert heard.dtype == np.float32
        assert np.abs(heard, dtype=np.float64).max(initial=0) <= 1
        # Each sample stands for itself.
        half = len(payload) // 4 * 2
        parts = decode(payload[:half], encoding), decode(payload[half:], encoding)
        assert np.array_equal(heard, np.concatenate(parts))
    for encoding in (Encoding.ULAW, Encoding.ALAW):
        # One bit is the sign.
        turned = bytes(byte ^ 0x80 for byte in data)
        assert np.array_equal(decode(data, encoding), -decode(turned, encoding))
