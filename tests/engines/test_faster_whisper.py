"""What is particular to a Whisper in CTranslate2."""

from types import SimpleNamespace

import ctranslate2
import pytest

from realtime_asr.engines.backend import GREEDY
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.faster_whisper import FasterWhisper, fitting
from tests.engines.listening import job
from tests.speech.clips import clip


def test_only_languages_that_there_is_a_token_for_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    whisper = FasterWhisper(BUNDLED, "cpu", "int8", 1, 1)
    marks = [("<|en|>", 0.6), ("<|xx|>", 0.3), ("<|de|>", 0.1)]
    monkeypatch.setattr(whisper, "_model", SimpleNamespace(detect_language=lambda _: [marks]))
    monkeypatch.setattr(whisper.vocabulary, "languages", frozenset({"en", "de"}))

    assert whisper.likelihoods(None) == [{"en": 0.6, "de": 0.1}]


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_whatever_numbers_it_reckons_with_what_was_encoded_together_comes_apart(kind: str) -> None:
    whisper = FasterWhisper(BUNDLED, "cpu", "int8", 1, 1)
    door = job(clip("door").samples).frames
    stack = whisper.encode([door, door], 500).to(getattr(ctranslate2.DataType, kind))

    [_, part] = whisper.parts(stack)
    [found] = whisper.decode(part, [whisper.vocabulary.start([], None)], [[]], 60, GREEDY)

    assert " Wait ten seconds, then close the door." == whisper.vocabulary.text(found.tokens)


@pytest.mark.parametrize(
    ("gpus", "asked", "fits"),
    [
        (0, ("auto", "default"), ("cpu", "int8")),
        (1, ("auto", "default"), ("cuda", "float16")),
        (1, ("cpu", "default"), ("cpu", "int8")),
        (0, ("cuda", "int8_float16"), ("cuda", "int8_float16")),
    ],
)
def test_what_is_left_open_is_chosen_for_the_machine(
    monkeypatch: pytest.MonkeyPatch, gpus: int, asked: tuple[str, str], fits: tuple[str, str]
) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: gpus)

    assert fitting(*asked) == fits
