"""What clients ask for with `threshold` means the same of every detector: a higher one never finds more speech."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime_asr.audio.detection import ServerVad, SpeechScorer
from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.sounds import KINDS, sound
from realtime_asr.audio.timeline import RATE, WINDOW, Samples, seconds
from realtime_asr.server.parts import scorers
from realtime_asr.session.commands import AppendAudio, Begin
from realtime_asr.session.events import SpeechStarted, SpeechStopped
from tests.fakes import PCM16_16K, configured, session
from tests.server.house import settings
from tests.speech.clips import clip

NewScorer = Callable[[], SpeechScorer]
THRESHOLDS: Final = st.floats(0.0, 1.0)
SPEECH: Final = st.sampled_from(["bridge", "door", "monday", "morning", "pause", "window"])
PAUSE: Final = RATE


@pytest.fixture(scope="module", params=["silero", "webrtc", "energy"])
def new_scorer(request: pytest.FixtureRequest) -> NewScorer:
    if request.param == "webrtc" and find_spec("webrtcvad") is None:
        pytest.skip("WEBRTC'S DETECTOR IS NOT TESTED: pip install 'realtime-asr[webrtc]'")
    return scorers(settings(vad=request.param))


@st.composite
def audio(draw: st.DrawFn) -> Samples:
    """Speech between two pauses, and a sound that nobody spoke over all of it."""
    speech = np.pad(clip(draw(SPEECH)).samples, PAUSE)
    kind, seed, louder = draw(st.sampled_from(KINDS)), draw(st.integers(0, 99)), draw(st.floats(0, 2))
    noise = sound(kind, np.random.default_rng(seed), seconds(len(speech)))
    return np.clip(speech + np.float32(louder) * noise, -1, 1).astype(np.float32)


def found(scorer: SpeechScorer, heard: Samples, threshold: float) -> NDArray[np.bool_]:
    """Which samples a session with this threshold takes for part of a turn."""
    detection = ServerVad(threshold=threshold, silence_duration_ms=200)
    listening = session(configured(format=PCM16_16K, chosen_detection=detection), scorer=scorer)
    listening.receive(Begin(), 0.0)
    turns = [
        event.at
        for event in listening.receive(AppendAudio(encode_pcm16(heard)), 0.0)
        if isinstance(event, SpeechStarted | SpeechStopped)
    ]
    within = np.zeros(len(heard), np.bool_)
    for start, stop in zip(turns[::2], [*turns[1::2], len(heard)], strict=False):
        within[start:stop] = True
    return within


@given(heard=audio(), thresholds=st.tuples(THRESHOLDS, THRESHOLDS).map(sorted))
@effort(max_examples=40)
def test_a_higher_threshold_never_finds_more_speech(
    new_scorer: NewScorer, heard: Samples, thresholds: Sequence[float]
) -> None:
    lower, higher = (found(new_scorer(), heard, threshold) for threshold in thresholds)

    assert not np.any(higher & ~lower)


def test_thresholds_between_the_ends_make_a_difference(new_scorer: NewScorer) -> None:
    speech = np.concatenate([np.pad(clip(name).samples, PAUSE) for name in ("bridge", "monday", "morning")])
    heard = speech + np.random.default_rng(1).normal(0, 0.01, len(speech)).astype(np.float32)

    amounts = [found(new_scorer(), heard, threshold).sum() for threshold in (0.1, 0.5, 0.9)]

    assert all(more > fewer > 0 for more, fewer in pairwise(amounts))


def test_scores_lie_between_nothing_and_one(new_scorer: NewScorer) -> None:
    scorer, rng = new_scorer(), np.random.default_rng(1)
    heard = np.concatenate([clip("bridge").samples, *(sound(kind, rng, 2) for kind in KINDS)])

    numbers = [scorer.score(window) for window in heard[: len(heard) // WINDOW * WINDOW].reshape(-1, WINDOW)]

    assert all(0.0 <= number <= 1.0 for number in numbers)
