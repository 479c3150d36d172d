"""One rate in, 16 kHz out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.resample import Resampler, convert
from realtime_asr.audio.timeline import RATE, Samples
from tests.fakes import tone

NOISE = np.random.default_rng(7).normal(0, 0.2, 9_600).astype(np.float32)


@given(
    rate=st.sampled_from([8_000, RATE, 22_050, 24_000, 48_000]),
    cuts=st.lists(st.integers(0, len(NOISE)), max_size=40).map(sorted),
)
def test_how_audio_is_cut_changes_no_bit_of_it(rate: int, cuts: list[int]) -> None:
    pieces = np.split(NOISE, cuts)

    assert np.array_equal(_through(Resampler(rate), NOISE), _through(Resampler(rate), *pieces))


@pytest.mark.parametrize(
    ("rate", "length", "expected"),
    [
        (48_000, 48_000, 16_000),
        (48_000, 4_800, 1_600),
        (24_000, 2_400, 1_600),
        (24_000, 2_399, 1_599),
        (16_000, 1_234, 1_234),
        (8_000, 800, 1_600),
        (8_000, 1, 2),
    ],
)
def test_as_much_time_comes_out_as_went_in(rate: int, length: int, expected: int) -> None:
    assert len(_through(Resampler(rate), tone(length, rate))) == expected


def test_a_tone_keeps_its_pitch_and_loudness() -> None:
    heard = _through(Resampler(48_000), tone(48_000, 48_000))

    inside = slice(1_000, 15_000)
    assert np.abs(heard - tone(16_000))[inside].max() < 0.01


def test_after_a_flush_nothing_is_left_of_what_was_before() -> None:
    resampler = Resampler(24_000)
    first = _through(resampler, tone(2_400, 24_000))

    second = _through(resampler, tone(2_400, 24_000))

    assert np.array_equal(first, second)


def test_a_clip_is_converted_to_another_rate() -> None:
    assert len(convert(tone(16_000), rate=24_000)) == 24_000


def _through(resampler: Resampler, *pieces: Samples) -> Samples:
    return np.concatenate([*map(resampler.feed, pieces), resampler.flush()])


@pytest.mark.parametrize("rate", [15_999, 16_005, 44_099, 1_000_000_007])
def test_a_rate_that_has_little_in_common_with_ours_takes_no_memory(rate: int) -> None:
    with pytest.raises(AssertionError):
        Resampler(rate)
