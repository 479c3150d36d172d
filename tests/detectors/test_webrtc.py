"""WebRTC's detector on real speech, in silence and in noise."""

import numpy as np
import pytest

from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import RATE, WINDOW, Samples
from tests.speech.clips import clip

pytest.importorskip(
    "webrtcvad",
    reason="WEBRTC'S DETECTOR IS NOT TESTED: webrtcvad-wheels is not installed, pip install 'realtime-asr[webrtc]'",
)

import webrtcvad

from realtime_asr.detectors.webrtc import WebrtcScorer


def scores(scorer: WebrtcScorer, audio: Samples) -> list[float]:
    windows = audio[: len(audio) - len(audio) % WINDOW].reshape(-1, WINDOW)
    return [scorer.score(window) for window in windows]


def hiss(seconds: float, level: float) -> Samples:
    return np.random.default_rng(1).normal(0, level, int(seconds * RATE)).astype(np.float32)


@pytest.mark.parametrize("name", ["bridge", "door", "monday", "morning", "window"])
def test_a_voice_is_speech_for_the_strictest_too(name: str) -> None:
    numbers = scores(WebrtcScorer(), clip(name).samples)

    assert np.mean(np.array(numbers) > 0.9) > 0.6


def test_silence_is_no_speech_to_anybody() -> None:
    assert {0.0} == set(scores(WebrtcScorer(), np.zeros(10 * RATE, np.float32)))


def test_a_room_that_rustles_is_no_speech_to_the_stricter() -> None:
    numbers = scores(WebrtcScorer(), hiss(10, 0.003))

    assert np.mean(np.array(numbers) > 0.5) < 0.05


def test_scores_are_shares_of_the_votes() -> None:
    numbers = scores(WebrtcScorer(), clip("bridge").samples + hiss(len(clip("bridge").samples) / RATE, 0.02))

    assert 0.0 <= min(numbers) < max(numbers) == 1.0
    assert len(set(numbers)) > 4


@pytest.mark.parametrize(("agreeing", "score"), [(0, 0.0), (1, 0.1), (2, 0.3), (3, 0.6), (4, 1.0)])
def test_the_threshold_says_how_strict_a_detector_has_to_agree(
    monkeypatch: pytest.MonkeyPatch, agreeing: int, score: float
) -> None:
    class Certain:
        def __init__(self, mode: int) -> None:
            self.is_speech = lambda frame, rate: mode < agreeing

    monkeypatch.setattr(webrtcvad, "Vad", Certain)

    numbers = scores(WebrtcScorer(), hiss(1, 0.1))

    assert [score] * len(numbers) == pytest.approx(numbers)


def test_every_sample_is_heard_once_though_frames_do_not_fill_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[bytes] = []

    class Listening:
        def __init__(self, mode: int) -> None:
            self.is_speech = lambda frame, rate: heard.append(frame) if mode == 0 else False

    monkeypatch.setattr(webrtcvad, "Vad", Listening)
    audio = clip("door").samples[: 11 * WINDOW]

    scores(WebrtcScorer(), audio)

    assert {320} == set(map(len, heard))
    assert encode_pcm16(audio)[: 35 * 320] == b"".join(heard)


def test_sessions_share_nothing() -> None:
    speech = clip("bridge").samples
    alone = scores(WebrtcScorer(), speech)

    one, other = WebrtcScorer(), WebrtcScorer()
    windows = speech[: len(speech) - len(speech) % WINDOW].reshape(-1, WINDOW)
    interleaved = [(one.score(window), other.score(hiss(1, 0.1)[:WINDOW]))[0] for window in windows]

    assert interleaved == alone
