"""Bytes as clients send them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.formats import ALAW_8K, PCM16_24K, ULAW_8K, AudioFormat, Encoding, decode
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.timeline import Samples
from tests.fakes import PCM16_16K, speech

PCM16_48K = AudioFormat(Encoding.PCM16, 48_000)
CLIP = speech(0.2)


@given(
    format=st.sampled_from([PCM16_16K, PCM16_24K, PCM16_48K, ULAW_8K, ALAW_8K]),
    cuts=st.lists(st.integers(0, len(CLIP)), max_size=40).map(sorted),
)
def test_how_bytes_are_cut_changes_no_bit_of_the_audio(format: AudioFormat, cuts: list[int]) -> None:
    pieces = [CLIP[a:b] for a, b in zip([0, *cuts], [*cuts, len(CLIP)], strict=True)]

    assert np.array_equal(_through(Intake(format), CLIP), _through(Intake(format), *pieces))


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


def _through(intake: Intake, *pieces: bytes) -> Samples:
    return np.concatenate([*map(intake.feed, pieces), intake.flush()])
