"""The engine that is made of a Whisper in OpenVINO: what every engine keeps, and the text that others hear."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, takewhile
from typing import Any

import numpy as np
import pytest

from realtime_asr.audio.formats import PCM16_24K
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.timeline import Samples, samples
from realtime_asr.bench.speech import clips
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.engine import Job, Text
from realtime_asr.engines.openvino.loading import load_openvino
from realtime_asr.engines.whisper import Whisper
from tests.engines.contract import EngineContract
from tests.engines.listening import SETTINGS, asked_for, heard, job, loaded
from tests.engines.openvino.models import skip_without
from tests.speech.clips import clip

SENTENCES = ("bridge", "door", "monday", "morning", "window", "pause")
NEAR = 0.5
"""So little apart, two log-probabilities are a tie for who reckons with other numbers."""


class TestWhisperInOpenVinoKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(Whisper(SETTINGS, load_openvino))


class TestTwoWorkersKeepTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(Whisper(replace(SETTINGS, workers=2), load_openvino), workers=2)


class TestAGpuKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        skip_without("GPU")
        return BatchingEngine(Whisper(replace(SETTINGS, device="gpu", together=True), load_openvino))


class TestAnNpuKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        skip_without("NPU")
        return BatchingEngine(Whisper(replace(SETTINGS, device="npu", together=True), load_openvino))


def test_passes_at_the_same_time_do_not_mix() -> None:
    model = loaded(replace(SETTINGS, workers=2), load_openvino)
    told = [job(clip(name).samples) for name in ("bridge", "door", "monday", "window")]
    alone = [heard(model, each).words for each in told]

    with ThreadPoolExecutor(len(told)) as threads:
        together = list(threads.map(lambda each: heard(model, each).words, told * 20))

    assert alone * 20 == together


# Beside faster-whisper


@dataclass(frozen=True, slots=True)
class Pair:
    """What two engines hear in the same recording."""

    job: Job
    theirs: Text
    ours: Text

    @property
    def tokens(self) -> tuple[list[int], list[int]]:
        return tokens_of(self.theirs), tokens_of(self.ours)

    @property
    def is_alike(self) -> bool:
        theirs, ours = self.tokens
        return theirs == ours


@pytest.fixture(scope="module")
def ours() -> Whisper:
    return loaded(SETTINGS, load_openvino)


@pytest.fixture(scope="module")
def theirs() -> Whisper:
    return loaded(SETTINGS)


@pytest.fixture(scope="module")
def pairs(theirs: Whisper, ours: Whisper) -> list[Pair]:
    return [paired(theirs, ours, each) for whole in recordings() for each in disturbed(whole)]


def recordings() -> Iterator[Samples]:
    """All that there are."""
    yield from (clip(name).samples for name in SENTENCES)
    yield from (Intake(PCM16_24K).feed(each.pcm) for each in clips(None))


def disturbed(whole: Samples) -> Iterator[Samples]:
    """And cut."""
    yield whole
    yield whole[: len(whole) * 2 // 3]
    yield noisy(whole, 0.003)


def noisy(whole: Samples, loudness: float) -> Samples:
    noise = np.random.default_rng(len(whole)).normal(0, loudness, len(whole))
    return (0.3 * whole + noise).astype(np.float32)


def paired(theirs: Whisper, ours: Whisper, audio: Samples) -> Pair:
    asked = job(audio, asked_for(logprobs=True, word_times=True), thorough=False)
    return Pair(asked, heard(theirs, asked), heard(ours, asked))


def test_its_text_is_that_of_faster_whisper_token_for_token(pairs: list[Pair]) -> None:
    alike = [pair for pair in pairs if pair.is_alike]

    assert len(pairs) >= 48
    assert len(alike) >= 0.95 * len(pairs)


def test_the_same_text_is_as_likely_and_said_at_the_same_time(pairs: list[Pair]) -> None:
    words = [
        (one, other)
        for pair in pairs
        if pair.is_alike
        for one, other in zip(pair.theirs.words, pair.ours.words, strict=True)
    ]

    assert np.mean([abs(known(one.logprob) - known(other.logprob)) for one, other in words]) < 0.05
    assert np.mean([abs(known(one.start) - known(other.start)) for one, other in words]) < samples(20)


def test_they_are_as_sure_that_somebody_speaks(pairs: list[Pair]) -> None:
    apart = [
        abs(known(text.quality and text.quality.no_speech) - known(other.quality and other.quality.no_speech))
        for text, other in ((pair.theirs, pair.ours) for pair in pairs)
    ]

    assert max(apart) < 0.01


def test_where_the_texts_differ_it_was_a_near_tie(theirs: Whisper, ours: Whisper, pairs: list[Pair]) -> None:
    """Both read the same bytes, but reckon with other numbers: in loud noise that shows."""
    in_noise = [paired(theirs, ours, noisy(whole, 0.03)) for whole in recordings()]

    differing = [pair for pair in (*pairs, *in_noise) if not pair.is_alike]

    assert [] == [
        (pair.theirs.words, pair.ours.words) for pair in differing if lead_of_ours(ours, pair) > NEAR
    ]


def lead_of_ours(ours: Whisper, pair: Pair) -> float:
    """By how much the token that comes first where they part is likelier, to us, than theirs."""
    backend, end = ours._backend, ours._vocabulary.mark("endoftext")
    one, other = pair.tokens
    same = [token for token, _ in takewhile(lambda both: both[0] == both[1], zip(one, other, strict=False))]
    encoded = backend.encode([pair.job.frames], ours._task(pair.job).window)
    start = ours._vocabulary.start([], None)
    likely = [
        backend.align(encoded, start, [*same, [*tokens, end][len(same)]]).logprobs[-1]
        for tokens in (one, other)
    ]
    return likely[1] - likely[0]


def tokens_of(text: Text) -> list[int]:
    return list(chain.from_iterable(word.tokens for word in text.words))


def known(figure: Any) -> float:
    assert figure is not None
    return float(figure)
