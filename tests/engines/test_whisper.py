"""Whisper in CTranslate2: frames and tokens in; tokens, times and probabilities out."""

from types import SimpleNamespace
from typing import Any

import ctranslate2
import numpy as np
import pytest

from benchmarks.random_whisper import WORDS, make
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.whisper import GOING_ON, GREEDY, SIZES, Whisper, beams, fitting, parts, sampling
from tests.engines.listening import job
from tests.speech.clips import clip


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper(BUNDLED, "cpu", "int8", 1, 1)


DOOR = job(clip("door").samples).frames


def test_sizes_have_their_repositories() -> None:
    assert SIZES["small.en"] == "Systran/faster-whisper-small.en"


def test_text_becomes_tokens_and_back(whisper: Whisper) -> None:
    assert whisper.text(whisper.tokens(" Close the door.")) == " Close the door."


def test_words_are_their_tokens_joined(whisper: Whisper) -> None:
    tokens = whisper.tokens(" Close the door.")

    found = whisper.words(tokens, None)

    assert [text for text, _ in found] == [" Close", " the", " door", "."]
    assert sum(count for _, count in found) == len(tokens)


def test_what_is_told_stands_before_the_start(whisper: Whisper) -> None:
    told, plain = whisper.tokens(" My name is Anna."), whisper.start([], None)

    assert whisper.start(told, None)[1:] == [*told, *plain]


def test_a_model_of_several_languages_is_told_its_task(endless: Whisper) -> None:
    *_, language, task, _ = endless.start([], "de", "translate")

    marks = ("<|de|>", "<|translate|>")
    assert [language, task] == [endless._loaded.hf_tokenizer.token_to_id(mark) for mark in marks]
    assert endless.start([], "de") != endless.start([], "de", "translate")


def test_a_model_of_one_language_transcribes_whatever_its_task(whisper: Whisper) -> None:
    assert whisper.start([], None) == whisper.start([], None, "translate")


@pytest.mark.parametrize("search", [GREEDY, beams(3), sampling(0.2, 2)])
def test_text_is_decoded_and_how_sure_it_is(whisper: Whisper, search: Any) -> None:
    (decoded,) = whisper.decode(whisper.encode([DOOR], 500), [whisper.start([], None)], [[]], 60, search)

    assert whisper.text(decoded.tokens).startswith(" Wait ten")
    assert -1 < decoded.mean_logprob < 0
    assert decoded.no_speech_probability is not None
    assert 0 <= decoded.no_speech_probability < 0.1


def test_whether_anybody_spoke_is_only_known_if_it_was_asked(whisper: Whisper) -> None:
    given = whisper.tokens(" Wait")

    (decoded,) = whisper.decode(whisper.encode([DOOR], 500), [whisper.start([], None)], [given], 60, GOING_ON)

    assert decoded.no_speech_probability is None


def test_what_was_encoded_together_can_be_decoded_alone(whisper: Whisper) -> None:
    together = whisper.encode([DOOR, DOOR[:200]], 500)

    alone = [np.array(whisper.encode([frames], 500)) for frames in (DOOR, DOOR[:200])]

    for one, other in zip(parts(together, 2), alone, strict=True):
        assert np.allclose(np.array(one), other, atol=1e-4)


def test_only_languages_that_there_is_a_token_for_are_known(whisper: Whisper, monkeypatch: Any) -> None:
    marks = [("<|en|>", 0.6), ("<|xx|>", 0.3), ("<|de|>", 0.1)]
    monkeypatch.setattr(whisper, "_model", SimpleNamespace(detect_language=lambda _: [marks]))
    monkeypatch.setattr(whisper, "languages", frozenset({"en", "de"}))

    assert whisper.likelihoods(None) == [{"en": 0.6, "de": 0.1}]
    assert [language for language in ("en", "de", "yue") if whisper._knows(language)] == ["en", "de"]


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


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Whisper:
    """One that never comes to an end by itself."""
    return Whisper(make("micro", tmp_path_factory.mktemp("micro")), "cpu", "int8", 1, 1)


@pytest.mark.parametrize("told", [0, 1, 24])
@pytest.mark.parametrize("given", [0, 2, 12])
@pytest.mark.parametrize("most", [1, 2, 20])
def test_as_many_tokens_are_added_as_there_is_room_for(
    endless: Whisper, told: int, given: int, most: int
) -> None:
    encoded, text = endless.encode([DOOR], 500), endless.tokens(" ".join(WORDS))

    (decoded,) = endless.decode(encoded, [endless.start(text[:told], "en")], [text[:given]], most, GREEDY)

    assert given + most == len(decoded.tokens)
