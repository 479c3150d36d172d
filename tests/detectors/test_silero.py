"""Silero, window by window."""

from collections.abc import Callable

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model

from realtime_asr.audio.detection import SpeechScorer
from realtime_asr.audio.timeline import RATE, WINDOW, Samples, samples
from realtime_asr.detectors.silero import SileroScorer, load_silero
from tests.speech.clips import clip


@pytest.fixture(scope="module")
def make() -> Callable[[], SpeechScorer]:
    return load_silero()


def scores(scorer: SpeechScorer, audio: Samples) -> list[float]:
    windows = audio[: len(audio) - len(audio) % WINDOW].reshape(-1, WINDOW)
    return [scorer.score(window) for window in windows]


def hiss(seconds: float, level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.float32)


class CountingModel:
    """Knows nothing, but counts how often it is asked."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, _: None, inputs: dict[str, Samples]) -> tuple[Samples, Samples, Samples]:
        self.runs += 1
        return np.array([0.5], np.float32), inputs["h"], inputs["c"]


def test_speech_scores_high_and_silence_low(make: Callable[[], SpeechScorer]) -> None:
    assert max(scores(make(), clip("bridge").samples)) > 0.9
    assert max(scores(make(), hiss(3, 0.01))) < 0.3


@pytest.mark.parametrize("name", ["bridge", "door", "window"])
def test_the_stream_scores_as_the_whole_clip_does(make: Callable[[], SpeechScorer], name: str) -> None:
    audio = clip(name).samples + hiss(len(clip(name).samples) / RATE, 3e-4)
    audio = audio[: len(audio) - len(audio) % WINDOW]

    streamed = scores(make(), audio)

    # faster-whisper blanks the end of the last window, so that one is not compared.
    assert streamed[:-1] == pytest.approx(get_vad_model()(audio.copy())[:-1], abs=1e-4)


def test_sessions_share_the_model_and_nothing_else(make: Callable[[], SpeechScorer]) -> None:
    speech = clip("bridge").samples
    alone = scores(make(), speech)

    one, other = make(), make()
    windows = speech[: len(speech) - len(speech) % WINDOW].reshape(-1, WINDOW)
    interleaved = [(one.score(window), other.score(hiss(1, 0.1)[:WINDOW]))[0] for window in windows]

    assert interleaved == alone


@pytest.mark.parametrize("level", [0.0, 3e-5, 9e-5])
def test_what_nobody_can_hear_is_no_speech_and_no_work(level: float) -> None:
    model = CountingModel()
    scorer = SileroScorer(model)

    numbers = scores(scorer, hiss(10, level))

    assert model.runs < 10
    assert set(numbers[10:]) == {0.0}


def test_faint_audio_is_still_listened_to() -> None:
    model = CountingModel()

    numbers = scores(SileroScorer(model), hiss(10, 2e-4))

    assert model.runs == len(numbers)


def test_a_short_gap_does_not_put_it_to_sleep() -> None:
    model = CountingModel()
    gap = np.zeros(samples(200), np.float32)
    speech = clip("bridge").samples[samples(500) : samples(1_000)]

    numbers = scores(SileroScorer(model), np.concatenate((speech, gap, speech)))

    assert model.runs == len(numbers)


@pytest.mark.parametrize("silence", [1, 10, 60])
def test_however_long_it_slept_the_onset_of_speech_is_noticed(
    make: Callable[[], SpeechScorer], silence: int
) -> None:
    speech = clip("bridge").samples
    scorer = make()
    scores(scorer, speech)
    scores(scorer, np.zeros(silence * RATE, np.float32))

    numbers = scores(scorer, speech)

    assert numbers == pytest.approx(scores(make(), speech), abs=1e-6)
