"""Whisper's picture of audio, drawn as the audio comes."""

from itertools import pairwise

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.timeline import Samples
from realtime_asr.engines.mel import HOP, Frames, MelSpectrogram, normalised
from tests.speech.clips import clip

SPEECH = clip("door").samples[:16_000]


def drawn(audio: Samples, bands: int = 80) -> MelSpectrogram:
    mel = MelSpectrogram(bands)
    mel.feed(audio)
    return mel


def whole(mel: MelSpectrogram) -> Frames:
    return mel.frames(0, mel.end)


@pytest.mark.parametrize("bands", [80, 128])
def test_a_window_is_what_faster_whisper_makes_of_the_same_audio(bands: int) -> None:
    audio = clip("bridge").samples
    padded = np.concatenate((audio, np.zeros(2 * HOP, np.float32)))

    window = normalised(drawn(audio, bands).frames(0, len(audio)))

    theirs = FeatureExtractor(feature_size=bands)(padded, padding=0)
    # Theirs mirrors the audio at its beginning; ours has nothing there.
    assert np.allclose(theirs[:, 2 : window.shape[1]], window[:, 2:], rtol=0, atol=1e-6)


@given(cuts=st.lists(st.integers(0, len(SPEECH)), max_size=6), looked=st.sets(st.integers(0, 6)))
def test_how_audio_is_cut_and_when_it_is_looked_at_changes_nothing(cuts: list[int], looked: set[int]) -> None:
    mel = MelSpectrogram(80)
    bounds = [0, *sorted(cuts), len(SPEECH)]

    for n, (start, stop) in enumerate(pairwise(bounds)):
        mel.feed(SPEECH[start:stop])
        if n in looked:
            whole(mel)

    assert np.array_equal(whole(drawn(SPEECH)), whole(mel))


def test_a_frame_is_there_for_every_ten_milliseconds_begun() -> None:
    assert [len(whole(drawn(SPEECH[:length]))) for length in (0, 1, HOP, HOP + 1)] == [0, 1, 1, 2]


def test_no_audio_is_no_window() -> None:
    assert normalised(whole(drawn(SPEECH[:0]))).shape == (80, 0)


def test_part_of_it_is_the_same_frames() -> None:
    mel = drawn(SPEECH)

    assert np.array_equal(whole(mel)[10:40], mel.frames(10 * HOP, 40 * HOP))


def test_beyond_the_audio_is_silence() -> None:
    silence = np.zeros(8_000, np.float32)
    mel = drawn(np.concatenate((SPEECH, silence)))

    assert np.array_equal(mel.frames(0, mel.end), drawn(SPEECH).frames(0, mel.end))


@given(position=st.integers(0, len(SPEECH) + 1_000))
def test_what_is_forgotten_changes_nothing_after_it(position: int) -> None:
    mel = drawn(SPEECH[:12_000])

    mel.forget_before(position)
    start = mel.start
    mel.feed(SPEECH[12_000:])

    assert start <= -(-position // HOP) * HOP
    assert np.array_equal(drawn(SPEECH).frames(start, len(SPEECH)), mel.frames(start, len(SPEECH)))


def test_forgetting_what_is_forgotten_already_changes_nothing() -> None:
    mel = drawn(SPEECH)
    mel.forget_before(8_000)

    mel.forget_before(1_600)

    assert mel.start == 8_000


def test_what_is_forgotten_cannot_be_had() -> None:
    mel = drawn(SPEECH)
    mel.forget_before(8_000)

    with pytest.raises(AssertionError):
        mel.frames(7_000, 9_000)


def test_ten_minutes_need_no_more_room_than_the_first_seconds() -> None:
    mel, held = MelSpectrogram(80), []

    for second in range(600):
        mel.feed(SPEECH)
        mel.forget_before((second - 5) * 16_000)
        held.append(sum(frames.nbytes for frames in mel._drawn) + mel._audio._store.nbytes)

    assert max(held[300:]) <= max(held[:60])
