"""Audio cut anyhow, cleaned frame by frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.noise import FRAME, Denoiser, FramedDenoiser
from realtime_asr.audio.timeline import Samples

NOISE = np.random.default_rng(7).normal(0, 0.2, 2_000).astype(np.float32)
DELAY = 96

CUTS = st.lists(st.integers(0, len(NOISE)), max_size=20).map(sorted)


class Halving:
    """Cleans by halving, `delay` samples late, as a library would."""

    def __init__(self, delay: int) -> None:
        self._late = np.zeros(delay, np.float32)

    def __call__(self, frame: Samples) -> Samples:
        assert len(frame) == FRAME
        heard = np.concatenate((self._late, frame))
        self._late = heard[FRAME:]
        return heard[:FRAME] * np.float32(0.5)


def halving(strength: float = 1.0, delay: int = DELAY) -> FramedDenoiser:
    return FramedDenoiser(Halving(delay), delay=delay, strength=strength)


@given(cuts=CUTS, delay=st.sampled_from([0, DELAY, FRAME, 500]))
def test_how_audio_is_cut_changes_no_bit_of_it(cuts: list[int], delay: int) -> None:
    whole, pieces = halving(delay=delay), halving(delay=delay)

    assert np.array_equal(_through(whole, NOISE), _through(pieces, *np.split(NOISE, cuts)))


@given(cuts=CUTS, delay=st.sampled_from([0, DELAY, FRAME, 500]))
def test_each_sample_comes_back_once_and_where_it_was(cuts: list[int], delay: int) -> None:
    denoiser = halving(delay=delay)

    pieces = [np.concatenate((denoiser.clean(piece), denoiser.flush())) for piece in np.split(NOISE, cuts)]

    given_back = np.concatenate(pieces)
    cleaned = given_back == NOISE / 2
    assert np.array_equal(NOISE[~cleaned], given_back[~cleaned])


def test_no_more_is_held_back_than_the_delay_and_part_of_a_frame() -> None:
    denoiser = halving()

    given_back = np.cumsum([len(denoiser.clean(sample)) for sample in NOISE[:, np.newaxis]])

    held_back = np.arange(1, len(NOISE) + 1) - given_back
    assert held_back.max() == FRAME - 1 + DELAY


def test_all_is_cleaned_but_what_a_flush_had_to_hurry() -> None:
    given_back = _through(halving(), NOISE)

    hurried = len(NOISE) % FRAME + DELAY
    assert np.array_equal(NOISE[:-hurried] / 2, given_back[:-hurried])
    assert np.array_equal(NOISE[-hurried:], given_back[-hurried:])


def test_a_flush_changes_nothing_of_what_follows() -> None:
    denoiser = halving()

    given_back = np.concatenate((_through(denoiser, NOISE[:500]), _through(denoiser, NOISE[500:])))

    assert np.array_equal(_through(halving(), NOISE)[500:], given_back[500:])


def test_a_second_flush_has_nothing_to_give() -> None:
    denoiser = halving()
    _through(denoiser, NOISE)

    assert len(denoiser.flush()) == 0


@pytest.mark.parametrize(("strength", "kept"), [(-1.0, 1.0), (0.0, 1.0), (0.5, 0.75), (1.0, 0.5), (7.0, 0.5)])
def test_strength_says_how_much_of_the_cleaned_is_mixed_in(strength: float, kept: float) -> None:
    cleaned = halving(strength).clean(NOISE)

    assert np.array_equal(NOISE[: len(cleaned)] * np.float32(kept), cleaned)


def _through(denoiser: Denoiser, *pieces: Samples) -> Samples:
    return np.concatenate([*map(denoiser.clean, pieces), denoiser.flush()])
