"""The scorer that only knows loudness."""

import numpy as np

from realtime_asr.audio.timeline import WINDOW, Samples
from realtime_asr.detectors.energy import EnergyScorer
from tests.speech.clips import clip


def window(level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, WINDOW).astype(np.float32)


def after_a_second_of(level: float) -> EnergyScorer:
    scorer = EnergyScorer()
    for _ in range(31):
        scorer.score(window(level))
    return scorer


def test_silence_is_no_speech() -> None:
    scorer = EnergyScorer()

    assert max(scorer.score(np.zeros(WINDOW, np.float32)) for _ in range(100)) < 0.1


def test_a_voice_over_a_quiet_room_is_speech() -> None:
    speech = clip("bridge").samples
    scorer = after_a_second_of(0.0005)

    numbers = [scorer.score(w) for w in speech[: len(speech) // WINDOW * WINDOW].reshape(-1, WINDOW)]

    assert np.mean(np.array(numbers) > 0.5) > 0.6


def test_the_louder_the_higher_and_always_between_nothing_and_one() -> None:
    levels = [0.0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0]

    numbers = [after_a_second_of(0.001).score(window(level)) for level in levels]

    assert numbers == sorted(numbers)
    assert 0 <= numbers[0] < numbers[-1] <= 1


def test_a_steady_noise_is_taken_for_the_room_after_a_while() -> None:
    scorer = after_a_second_of(0.0005)

    numbers = [scorer.score(window(0.02)) for _ in range(600)]

    assert numbers[0] > 0.9
    assert numbers[-1] < 0.1


def test_the_room_is_known_again_as_soon_as_the_noise_stops() -> None:
    scorer = after_a_second_of(0.02)
    scorer.score(window(0.0005))

    assert scorer.score(window(0.02)) > 0.9
