"""Bytes as clients send them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.formats import ALAW_8K, PCM16_24K, ULAW_8K, AudioFormat, Encoding, decode
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.noise import FRAME, FramedDenoiser
from realtime_asr.audio.timeline import Samples
from tests.fakes import PCM16_16K, speech

PCM16_48K = AudioFormat(Encoding.PCM16, 48_000)
CLIP = speech(0.2)

FORMATS = st.sampled_from([PCM16_16K, PCM16_24K, PCM16_48K, ULAW_8K, ALAW_8K])
CUTS = st.lists(st.integers(0, len(CLIP)), max_size=40).map(sorted)


def halving() -> FramedDenoiser:
    return FramedDenoiser(lambda frame: frame * np.float32(0.5), delay=0, strength=1)


@given(format=FORMATS, cuts=CUTS)
def test_how_bytes_are_cut_changes_no_bit_of_the_audio(format: AudioFormat, cuts: list[int]) -> None:
    assert np.array_equal(_through(Intake(format), CLIP), _through(Intake(format), *_cut(CLIP, cuts)))


@given(format=FORMATS, cuts=CUTS)
def test_nor_where_noise_is_reduced(format: AudioFormat, cuts: list[int]) -> None:
    whole, pieces = Intake(format, halving()), Intake(format, halving())

    assert np.array_equal(_through(whole, CLIP), _through(pieces, *_cut(CLIP, cuts)))


def test_half_a_sample_waits_for_its_other_half() -> None:
    intake = Intake(PCM16_16K)

    pieces = [intake.feed(b"\x01"), intake.feed(b"\x02\x03"), intake.flush(), intake.feed(b"\x04")]

    heard = np.concatenate(pieces)
    assert [len(piece) for piece in pieces] == [0, 1, 0, 1]
    assert np.array_equal(decode(b"\x01\x02\x03\x04", Encoding.PCM16), heard)


def test_one_byte_is_a_whole_sample_of_g711() -> None:
    assert len(_through(Intake(ULAW_8K), b"\xff")) == 2


def test_no_bytes_are_no_audio() -> None:
    assert len(_through(Intake(PCM16_24K), b"")) == 0


@given(format=FORMATS)
def test_noise_is_reduced_after_the_rate_was_changed_and_shifts_nothing(format: AudioFormat) -> None:
    heard = _through(Intake(format), CLIP)

    cleaned = _through(Intake(format, halving()), CLIP)

    whole = len(heard) - len(heard) % FRAME
    assert np.array_equal(np.concatenate((heard[:whole] / 2, heard[whole:])), cleaned)


@given(format=FORMATS, cuts=CUTS, cleaned=st.booleans())
def test_what_is_pending_is_what_a_flush_gives_out(
    format: AudioFormat, cuts: list[int], *, cleaned: bool
) -> None:
    intake = Intake(format, halving() if cleaned else None)
    for piece in _cut(CLIP, cuts):
        intake.feed(piece)
        held = intake.pending

    assert held == len(intake.flush())
    assert intake.pending == 0


def test_half_a_sample_survives_another_denoiser() -> None:
    intake = Intake(PCM16_16K, halving())

    pieces = [intake.feed(b"\x01"), intake.flush()]
    intake.denoiser = None
    pieces += [intake.feed(b"\x02")]

    assert np.array_equal(decode(b"\x01\x02", Encoding.PCM16), np.concatenate(pieces))


@pytest.mark.parametrize(
    ("format", "most"), [(PCM16_24K, 100), (PCM16_48K, 100), (ULAW_8K, 280), (ALAW_8K, 280)]
)
def test_a_large_append_takes_little_more_memory_than_its_samples(format: AudioFormat, most: int) -> None:
    """In MiB. Of G.711 the samples alone are 120: half an hour."""
    payload = bytes(15 * 1024 * 1024)
    intake = Intake(format)
    tracemalloc.start()

    intake.feed(payload)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / 1024 / 1024 <= most


def _cut(clip: bytes, cuts: list[int]) -> list[bytes]:
    return [clip[a:b] for a, b in zip([0, *cuts], [*cuts, len(clip)], strict=True)]


def _through(intake: Intake, *pieces: bytes) -> Samples:
    return np.concatenate([*map(intake.feed, pieces), intake.flush()])
