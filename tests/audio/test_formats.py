"""Bytes to numbers: PCM16, and G.711 against the arithmetic everybody copies from Sun's g711.c."""

import numpy as np
import pytest

from realtime_asr.audio.formats import (
    ALAW_8K,
    PCM16_24K,
    ULAW_8K,
    AudioFormat,
    Encoding,
    decode,
    encode_pcm16,
)

EVERY_BYTE = bytes(range(256))


@pytest.mark.parametrize(("format", "size"), [(PCM16_24K, 72_000), (ULAW_8K, 12_000), (ALAW_8K, 12_000)])
def test_bytes_last_as_long_as_their_format_says(format: AudioFormat, size: int) -> None:
    assert 1.5 == format.seconds(size)


def test_pcm16_fills_the_range_from_minus_one() -> None:
    payload = np.array([-32768, -1, 0, 1, 32767], "<i2").tobytes()

    heard = decode(payload, Encoding.PCM16)

    assert heard.dtype == np.float32
    assert heard.tolist() == [-1.0, -1 / 32768, 0.0, 1 / 32768, 32767 / 32768]


def test_every_pcm16_sample_survives_a_round_trip() -> None:
    payload = np.arange(-32768, 32768).astype("<i2").tobytes()

    assert encode_pcm16(decode(payload, Encoding.PCM16)) == payload


def test_what_is_too_loud_for_pcm16_is_clipped() -> None:
    loud = np.array([-2.0, 2.0], np.float32)

    assert encode_pcm16(loud) == np.array([-32768, 32767], "<i2").tobytes()


def test_ulaw_follows_the_reference() -> None:
    heard = decode(EVERY_BYTE, Encoding.ULAW) * 32768

    assert heard.tolist() == [_reference_ulaw(code) for code in EVERY_BYTE]


def test_alaw_follows_the_reference() -> None:
    heard = decode(EVERY_BYTE, Encoding.ALAW) * 32768

    assert heard.tolist() == [_reference_alaw(code) for code in EVERY_BYTE]


@pytest.mark.parametrize(
    ("encoding", "code", "value"),
    [
        (Encoding.ULAW, 0x00, -32124),
        (Encoding.ULAW, 0x80, 32124),
        (Encoding.ULAW, 0x7F, 0),
        (Encoding.ULAW, 0xFF, 0),
        (Encoding.ALAW, 0x2A, -32256),
        (Encoding.ALAW, 0xAA, 32256),
        (Encoding.ALAW, 0x55, -8),
        (Encoding.ALAW, 0xD5, 8),
    ],
)
def test_g711_has_the_well_known_extremes(encoding: Encoding, code: int, value: int) -> None:
    assert decode(bytes([code]), encoding).tolist() == [value / 32768]


def test_a_format_knows_the_size_of_its_samples() -> None:
    assert [wire.sample_bytes for wire in (PCM16_24K, ULAW_8K, ALAW_8K)] == [2, 1, 1]


def _reference_ulaw(code: int) -> int:
    code = ~code & 0xFF
    t = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - t if code & 0x80 else t - 0x84


def _reference_alaw(code: int) -> int:
    code ^= 0x55
    t, segment = (code & 0x0F) << 4, (code & 0x70) >> 4
    t = t + 8 if segment == 0 else (t + 0x108) << (segment - 1)
    return t if code & 0x80 else -t
