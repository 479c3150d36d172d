"""Sounds nobody spoke."""

import numpy as np
import pytest
from numpy.random import default_rng

from realtime_asr.audio.sounds import KINDS, sound, sounds
from realtime_asr.audio.timeline import RATE, Samples


def test_every_kind_is_played_once_in_order() -> None:
    assert list(KINDS) == [kind for kind, _ in sounds(default_rng(0), 0.1)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [1 / RATE, 0.001, 0.5, 3.0])
def test_a_sound_is_as_long_as_asked_for_and_no_louder_than_a_line_carries(kind: str, seconds: float) -> None:
    made = sound(kind, default_rng(1), seconds)

    assert (np.dtype(np.float32), round(seconds * RATE)) == (made.dtype, len(made))
    assert np.abs(made).max() < 1


def test_equal_chance_makes_equal_sounds() -> None:
    first, second = (dict(sounds(default_rng(7), 0.5)) for _ in range(2))

    assert all(np.array_equal(first[kind], second[kind]) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_other_chance_makes_another_sound(kind: str) -> None:
    rng = default_rng(7)

    assert not np.array_equal(sound(kind, rng, 2.0), sound(kind, rng, 2.0))


def test_silence_is_nothing_and_dither_almost_nothing() -> None:
    silence, dither = (sound(kind, default_rng(0), 1.0) for kind in ("silence", "dither"))

    assert (0.0, 2.0**-15) == (np.abs(silence).max(), np.abs(dither).max())


@pytest.mark.parametrize("kind", KINDS[2:])
def test_all_else_can_be_heard_now_softly_and_now_loudly(kind: str) -> None:
    rng = default_rng(3)

    peaks = [np.abs(sound(kind, rng, 4.0)).max() for _ in range(20)]

    assert 0.0017 < min(peaks) < 0.05 < max(peaks) < 0.71


def test_noise_is_the_darker_the_redder_it_is() -> None:
    darkness = [
        middle(sound(f"{colour} noise", default_rng(0), 4.0)) for colour in ("brown", "pink", "white")
    ]

    assert darkness == sorted(darkness)
    assert darkness[-1] == pytest.approx(RATE / 4, rel=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_the_mains_hum_low(seed: int) -> None:
    assert loudest(sound("hum", default_rng(seed), 1.0)) in (50, 60)


def test_a_telephone_dials_with_two_tones_at_a_time() -> None:
    key = sound("dialling", default_rng(0), 0.1)

    assert 600 < loudest(key, below=1_000) < 1_000 < loudest(key, above=1_000) < 1_700


def loudest(wave: Samples, *, above: float = 0, below: float = RATE) -> float:
    """The frequency that is."""
    hertz = np.fft.rfftfreq(len(wave), 1 / RATE)
    power = np.abs(np.fft.rfft(wave)) * ((above <= hertz) & (hertz <= below))
    return float(hertz[np.argmax(power)])


def middle(wave: Samples) -> float:
    """The frequency with as much power above it as below."""
    power = np.cumsum(np.square(np.abs(np.fft.rfft(wave))))
    return float(np.searchsorted(power, power[-1] / 2) * RATE / len(wave))
