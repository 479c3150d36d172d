"""The engine that is made of a Whisper in OpenVINO: what every engine keeps, and the text that others hear."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from realtime_asr.audio.formats import PCM16_24K
from realtime_asr.audio.intake import Intake
from realtime_asr.audio.timeline import Samples, seconds
from realtime_asr.bench.speech import clips
from realtime_asr.engines.batching import BatchingEngine
from realtime_asr.engines.openvino.loading import load_openvino
from realtime_asr.engines.whisper import Whisper
from realtime_asr.transcript.hypothesis import Word
from tests.engines.contract import EngineContract
from tests.engines.listening import SETTINGS, asked_for, heard, job, loaded
from tests.speech.clips import clip

SENTENCES = ("bridge", "door", "monday", "morning", "window", "pause")


class TestWhisperInOpenVinoKeepsTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(Whisper(SETTINGS, load_openvino))


class TestTwoWorkersKeepTheContract(EngineContract):
    def make(self) -> BatchingEngine:
        return BatchingEngine(Whisper(replace(SETTINGS, workers=2), load_openvino), workers=2)


def recordings() -> Iterator[Samples]:
    """All that there are, cut and disturbed in several ways."""
    whole = [clip(name).samples for name in SENTENCES]
    for each in clips(None):
        intake = Intake(PCM16_24K)
        whole.append(intake.feed(each.pcm))
    rng = np.random.default_rng(1)
    for samples in whole:
        yield samples
        yield samples[: len(samples) * 2 // 3]
        yield (0.3 * samples + rng.normal(0, 0.003, len(samples))).astype(np.float32)


def test_passes_at_the_same_time_do_not_mix() -> None:
    model = loaded(replace(SETTINGS, workers=2), load_openvino)
    told = [job(clip(name).samples) for name in ("bridge", "door", "monday", "window")]
    alone = [heard(model, each).words for each in told]

    with ThreadPoolExecutor(len(told)) as threads:
        together = list(threads.map(lambda each: heard(model, each).words, told * 20))

    assert alone * 20 == together


def test_its_text_is_that_of_faster_whisper_token_for_token() -> None:
    theirs, ours = loaded(SETTINGS), loaded(SETTINGS, load_openvino)
    told = [job(samples, asked_for(word_times=True), thorough=False) for samples in recordings()]

    pairs = [(heard(theirs, each).words, heard(ours, each).words) for each in told]

    alike = [pair for pair in pairs if tokens_of(pair[0]) == tokens_of(pair[1])]
    assert len(pairs) >= 48
    # The same bytes, but half precision in one and not in the other: a near tie may end differently.
    assert len(alike) >= 0.95 * len(pairs)
    assert apart_ms(alike) < 20


def tokens_of(words: Sequence[Word]) -> list[tuple[int, ...]]:
    return [word.tokens for word in words]


def apart_ms(pairs: Sequence[tuple[Sequence[Word], Sequence[Word]]]) -> float:
    """On the mean, the beginnings of the same words."""
    starts = [(one.start or 0, other.start or 0) for pair in pairs for one, other in zip(*pair, strict=True)]
    return float(np.mean([1_000 * abs(seconds(one - other)) for one, other in starts]))
