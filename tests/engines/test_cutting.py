"""Long audio in pieces."""

import numpy as np
import pytest

from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.engines.cutting import LONGEST, pieces


def noise(milliseconds: float) -> Samples:
    return np.random.default_rng(1).uniform(-0.5, 0.5, samples(milliseconds)).astype(np.float32)


@pytest.mark.parametrize("milliseconds", [0, 1, 5_000, 28_000])
def test_what_fits_a_window_is_one_piece(milliseconds: float) -> None:
    audio = noise(milliseconds)

    assert [len(audio)] == [len(piece) for piece in pieces(audio)]


@pytest.mark.parametrize("milliseconds", [28_001, 60_000, 200_000])
def test_the_pieces_fit_and_lose_nothing(milliseconds: float) -> None:
    audio = noise(milliseconds)

    cut = list(pieces(audio))

    assert max(len(piece) for piece in cut) <= LONGEST
    assert np.array_equal(audio, np.concatenate(cut))


def test_the_cut_falls_into_the_pause() -> None:
    audio = noise(40_000)
    pause = slice(samples(24_000), samples(24_300))
    audio[pause] *= 0.01

    first = next(pieces(audio))

    assert pause.start < len(first) < pause.stop


def test_an_earlier_pause_does_not_make_the_pieces_small() -> None:
    audio = noise(40_000)
    audio[samples(2_000) : samples(4_000)] = 0

    first = next(pieces(audio))

    assert len(first) > samples(22_000)
