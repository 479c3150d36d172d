"""Where long audio is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.cutting import LONGEST, piece, quietest
from realtime_asr.engines.mel import HOP, Frames

BANDS = 8


def noise(milliseconds: float) -> Frames:
    shape = (samples(milliseconds) // HOP, BANDS)
    return np.random.default_rng(1).uniform(-1, 0, shape).astype(np.float32)


@pytest.mark.parametrize("milliseconds", [0, 10, 5_000, 28_000])
def test_what_fits_a_window_is_one_piece(milliseconds: float) -> None:
    frames = noise(milliseconds)

    assert piece(frames) is frames


@given(st.integers(2_801, 20_000))
def test_a_piece_fits_and_is_not_small(length: int) -> None:
    frames = noise(10 * length)

    cut = piece(frames)

    assert samples(22_000) <= len(cut) * HOP <= LONGEST
    assert np.array_equal(frames[: len(cut)], cut)


def test_the_cut_falls_into_the_pause() -> None:
    frames = noise(40_000)
    frames[2_400:2_430] -= 3

    assert 2_405 <= len(piece(frames)) <= 2_425


def test_an_earlier_pause_does_not_make_the_piece_small() -> None:
    frames = noise(40_000)
    frames[200:400] -= 3

    assert len(piece(frames)) > 2_200


def test_a_pause_is_quieter_than_a_moment_of_nothing() -> None:
    frames = noise(2_000)
    frames[50] = -10
    frames[120:140] -= 1

    assert quietest(frames) == 130
