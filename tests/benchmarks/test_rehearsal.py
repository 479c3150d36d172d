"""A session played through at once, with the real model: no chance, no clock."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.rehearsal import PCM16_16K, Rehearsal
from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.detectors.silero import load_silero
from realtime_asr.engines.backend import WhisperSettings
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.faster_whisper import load_faster_whisper
from realtime_asr.engines.whisper import Whisper
from realtime_asr.session.config import SessionConfig, Transcription
from tests.speech.clips import clip, word_error_rate

BREATH: Samples = np.zeros(samples(100), np.float32)
PAUSE: Samples = np.zeros(samples(1_000), np.float32)
NAMES = ("bridge", "window", "monday", "morning")
DETECTED = SessionConfig(
    Transcription("bundled"), PCM16_16K, chosen_detection=ServerVad(silence_duration_ms=500)
)


@pytest.fixture(scope="module")
def model() -> Whisper:
    model = Whisper(WhisperSettings(str(BUNDLED), device="cpu", cpu_threads=1), load_faster_whisper)
    model.load()
    return model


def played(model: Whisper, config: SessionConfig, audio: Samples) -> Rehearsal:
    rehearsal = Rehearsal(model, config, load_silero()())
    rehearsal.play(audio)
    rehearsal.end()
    return rehearsal


def test_the_same_audio_gives_the_same_text_every_time(model: Whisper) -> None:
    audio = np.concatenate([part for name in NAMES for part in (clip(name).samples, PAUSE)])

    one, other = (played(model, DETECTED, audio) for _ in range(2))

    assert len(NAMES) == len(one.completed)
    assert (one.deltas, one.completed, one.given) == (other.deltas, other.completed, other.given)


def test_one_long_turn_has_all_the_words_of_its_parts(model: Whisper) -> None:
    by_hand = SessionConfig(Transcription("bundled"), PCM16_16K, chosen_detection=None)
    audio = np.concatenate([part for name in NAMES * 3 for part in (clip(name).samples, BREATH)])

    rehearsal = played(model, by_hand, audio)

    assert 1 == len(rehearsal.completed)
    assert word_error_rate(" ".join(clip(name).text for name in NAMES * 3), rehearsal.text) <= 0.1
    assert rehearsal.text == "".join(delta.text for delta in rehearsal.deltas)


def test_text_keeps_coming_while_somebody_says_the_same_again_and_again(model: Whisper) -> None:
    by_hand = SessionConfig(Transcription("bundled"), PCM16_16K, chosen_detection=None)
    rehearsal, quiet_for = Rehearsal(model, by_hand, load_silero()()), [0]
    audio = np.concatenate([clip("window").samples, BREATH] * 6)

    for at in range(0, len(audio), samples(100)):
        before = len(rehearsal.deltas)
        rehearsal.play(audio[at : at + samples(100)])
        quiet_for.append(0 if len(rehearsal.deltas) > before else quiet_for[-1] + 1)
    rehearsal.end()

    assert max(quiet_for) <= 20, "tenths of a second"
    assert word_error_rate(" ".join([clip("window").text] * 6), rehearsal.text) <= 0.1


def test_words_come_one_after_the_other_and_the_model_believes_in_them(model: Whisper) -> None:
    by_hand = replace(DETECTED, chosen_detection=None, include=("logprobs", "word_times"))
    audio = np.concatenate([part for name in NAMES * 2 for part in (clip(name).samples, BREATH)])

    [completed] = played(model, by_hand, audio).completed
    words = completed.words or ()

    assert words
    assert all((one.end or 0) <= (other.start or 0) for one, other in pairwise(words))
    assert sum((word.logprob or -9) < -3 for word in words) <= 0.05 * len(words)


def test_what_was_given_to_the_engine_is_the_speech(model: Whisper) -> None:
    audio = np.concatenate([PAUSE, clip("bridge").samples, PAUSE, PAUSE])

    given = played(model, DETECTED, audio).given

    first, last = given[0][0], given[-1][1]
    assert len(PAUSE) // 2 <= first <= len(PAUSE) + samples(200)
    assert last <= len(PAUSE) + len(clip("bridge").samples) + samples(400)
    assert all(one[1] == other[0] for one, other in pairwise(given))
