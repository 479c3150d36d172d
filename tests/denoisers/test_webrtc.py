"""WebRTC's suppression on real speech in noise: what it takes away, and what it must not."""

import numpy as np
import pytest

from realtime_asr.audio.noise import Denoiser
from realtime_asr.audio.timeline import RATE, Samples
from realtime_asr.session.config import NoiseReduction, NoiseReductionKind
from tests.speech.clips import clip

pytest.importorskip(
    "webrtc_noise_gain",
    reason="NOISE REDUCTION IS NOT TESTED: webrtc-noise-gain is not installed, pip install 'realtime-asr[noise]'",
)

from realtime_asr.denoisers.webrtc import webrtc_denoiser

NEAR = NoiseReduction("near_field")
FAR = NoiseReduction("far_field")

PAUSE = RATE
SPEECH = np.concatenate([clip(name).samples for name in ("bridge", "door", "monday")])
CLEAN = np.pad(SPEECH, PAUSE)
SPOKEN = slice(PAUSE, PAUSE + len(SPEECH))
BEFORE = slice(PAUSE // 2, PAUSE)


def hiss(below_speech: float) -> Samples:
    """White, so many decibels below the speech."""
    level = np.sqrt(np.mean(np.square(SPEECH))) * 10 ** (-below_speech / 20)
    return np.random.default_rng(1).normal(0, level, len(CLEAN)).astype(np.float32)


def cleaned(audio: Samples, reduction: NoiseReduction) -> Samples:
    return _through(webrtc_denoiser(reduction), audio)


@pytest.mark.parametrize("snr", [5, 10, 20])
@pytest.mark.parametrize(("reduction", "expected"), [(NEAR, 11), (FAR, 4)])
def test_noise_falls_in_pauses(reduction: NoiseReduction, expected: float, snr: float) -> None:
    noisy = CLEAN + hiss(snr)

    fall = decibels(noisy[BEFORE]) - decibels(cleaned(noisy, reduction)[BEFORE])

    assert fall > expected


@pytest.mark.parametrize("snr", [5, 10, 20])
@pytest.mark.parametrize(("reduction", "expected"), [(NEAR, 9), (FAR, 5)])
def test_speech_stands_out_from_noise_more_than_before(
    reduction: NoiseReduction, expected: float, snr: float
) -> None:
    noisy = CLEAN + hiss(snr)

    gained = contrast(cleaned(noisy, reduction)) - contrast(noisy)

    assert gained > expected


@pytest.mark.parametrize(("snr", "expected"), [(5, 0.94), (10, 0.96), (20, 0.98)])
@pytest.mark.parametrize("reduction", [NEAR, FAR])
def test_speech_stays_what_it_was(reduction: NoiseReduction, snr: float, expected: float) -> None:
    assert likeness(CLEAN, cleaned(CLEAN + hiss(snr), reduction)) > expected


def test_clean_speech_is_hardly_touched() -> None:
    quiet = cleaned(CLEAN, NEAR)

    assert likeness(CLEAN, quiet) > 0.98
    assert decibels(quiet[SPOKEN]) == pytest.approx(decibels(CLEAN[SPOKEN]), abs=1)


@pytest.mark.parametrize(("reduction", "expected"), [(NEAR, 0), (FAR, 10)])
def test_a_distant_voice_is_lifted_where_it_is_expected(reduction: NoiseReduction, expected: float) -> None:
    distant = CLEAN * np.float32(0.05)

    lifted = decibels(cleaned(distant, reduction)[SPOKEN]) - decibels(distant[SPOKEN])

    assert lifted == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("reduction", [NEAR, FAR])
def test_time_does_not_shift(reduction: NoiseReduction) -> None:
    noisy = CLEAN + hiss(10)
    quiet = cleaned(noisy, reduction)

    lags = range(-300, 301)
    best = max(lags, key=lambda lag: np.dot(noisy[300:-300], quiet[300 + lag : len(quiet) - 300 + lag]))

    assert (len(noisy), 0) == (len(quiet), best)


@pytest.mark.parametrize("kind", ["near_field", "far_field"])
def test_strength_zero_changes_no_bit(kind: NoiseReductionKind) -> None:
    noisy = CLEAN + hiss(10)

    assert np.array_equal(noisy, cleaned(noisy, NoiseReduction(kind, strength=0)))


def test_half_the_strength_leaves_more_noise() -> None:
    noisy = CLEAN + hiss(10)

    levels = [
        decibels(cleaned(noisy, NoiseReduction("near_field", strength))[BEFORE]) for strength in (1, 0.5, 0)
    ]

    assert sorted(levels) == levels


def test_full_strength_is_the_default() -> None:
    noisy = CLEAN + hiss(10)

    assert np.array_equal(cleaned(noisy, NoiseReduction("near_field", strength=1)), cleaned(noisy, NEAR))


@pytest.mark.parametrize("reduction", [NEAR, FAR])
def test_how_audio_is_cut_changes_no_bit_of_it(reduction: NoiseReduction) -> None:
    noisy = CLEAN + hiss(10)
    cuts = np.sort(np.random.default_rng(2).integers(0, len(noisy), 500))

    pieces = _through(webrtc_denoiser(reduction), *np.split(noisy, cuts))

    assert np.array_equal(cleaned(noisy, reduction), pieces)


def test_sessions_share_nothing() -> None:
    noisy = CLEAN + hiss(10)
    one, other = webrtc_denoiser(FAR), webrtc_denoiser(FAR)

    interleaved = [(one.clean(piece), other.clean(-piece[::-1]))[0] for piece in np.array_split(noisy, 50)]

    assert np.array_equal(cleaned(noisy, FAR), np.concatenate((*interleaved, one.flush())))


def decibels(audio: Samples) -> float:
    return 10 * float(np.log10(np.mean(np.square(audio))))


def contrast(audio: Samples) -> float:
    return decibels(audio[SPOKEN]) - decibels(audio[BEFORE])


def likeness(one: Samples, other: Samples) -> float:
    """Of what is heard while there is speech, loudness aside."""
    one, other = one[SPOKEN], other[SPOKEN]
    return float(np.corrcoef(spectrogram(one), spectrogram(other))[0, 1])


def spectrogram(audio: Samples) -> Samples:
    frames = audio[: len(audio) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    return np.abs(np.fft.rfft(frames)).astype(np.float32).ravel()


def _through(denoiser: Denoiser, *pieces: Samples) -> Samples:
    return np.concatenate([*map(denoiser.clean, pieces), denoiser.flush()])
