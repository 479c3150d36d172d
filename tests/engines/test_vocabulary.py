"""Whisper's tokens, those of the bundled model and those of one that knows many languages."""

from pathlib import Path

import pytest
from faster_whisper.tokenizer import Tokenizer as Theirs
from tokenizers import Tokenizer

from benchmarks.random_whisper import make
from realtime_asr.engines.bundled import BUNDLED
from realtime_asr.engines.vocabulary import Vocabulary

TEXTS = (" Close the door.", " It's ten o'clock, isn't it?", " naïve café", "我们去。", " ☃ snow", "")


@pytest.fixture(scope="module")
def of_one() -> Vocabulary:
    return Vocabulary(Tokenizer.from_file(str(BUNDLED / "tokenizer.json")), is_multilingual=False)


@pytest.fixture(scope="module")
def of_many(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    folder: Path = make("micro", tmp_path_factory.mktemp("micro"))
    return Vocabulary(Tokenizer.from_file(str(folder / "tokenizer.json")), is_multilingual=True)


def test_text_becomes_tokens_and_back(of_one: Vocabulary) -> None:
    assert " Close the door." == of_one.text(of_one.tokens(" Close the door."))


def test_what_looks_like_a_mark_is_text(of_one: Vocabulary, of_many: Vocabulary) -> None:
    text = " <|startoftranscript|><|notimestamps|> I say so.<|endoftext|>"

    for vocabulary in (of_one, of_many):
        assert text == vocabulary.text(vocabulary.tokens(text))


def test_words_are_their_tokens_joined(of_one: Vocabulary) -> None:
    tokens = of_one.tokens(" Close the door.")

    found = of_one.words(tokens, None)

    assert [" Close", " the", " door", "."] == [text for text, _ in found]
    assert len(tokens) == sum(count for _, count in found)


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
@pytest.mark.parametrize("text", TEXTS)
def test_words_are_those_of_faster_whisper(of_many: Vocabulary, text: str, language: str) -> None:
    tokens = of_many.tokens(text)
    theirs = Theirs(of_many._tokenizer, True, "transcribe", language)

    texts, groups = theirs.split_to_word_tokens(tokens)

    assert list(zip(texts, map(len, groups), strict=True)) == of_many.words(tokens, language)


def test_half_a_character_is_no_word_of_its_own(of_many: Vocabulary) -> None:
    tokens = of_many.tokens("我们")

    assert [("我们", len(tokens))] == of_many.words(tokens, "en")
    assert ["我", "们"] == [text for text, _ in of_many.words(tokens, "zh")]


def test_what_is_told_stands_before_the_start(of_one: Vocabulary) -> None:
    told, plain = of_one.tokens(" My name is Anna."), of_one.start([], None)

    assert [of_one.mark("startofprev"), *told, *plain] == of_one.start(told, None)


def test_a_model_of_several_languages_is_told_its_task(of_many: Vocabulary) -> None:
    *_, language, task, _ = of_many.start([], "de", "translate")

    assert [of_many.mark("de"), of_many.mark("translate")] == [language, task]
    assert of_many.start([], "de") != of_many.start([], "de", "translate")


def test_a_model_of_one_language_transcribes_whatever_its_task(of_one: Vocabulary) -> None:
    assert of_one.start([], None) == of_one.start([], None, "translate")


def test_languages_are_those_there_is_a_mark_for(of_one: Vocabulary, of_many: Vocabulary) -> None:
    assert {"en"} == of_one.languages
    assert 99 == len(of_many.languages)
    assert {"en", "de", "haw", "su"} <= of_many.languages


def test_a_mark_may_have_an_older_name(of_one: Vocabulary) -> None:
    assert of_one.mark("nospeech") == of_one.mark("nocaptions", "nospeech")


def test_a_mark_that_is_missing_is_named(of_one: Vocabulary) -> None:
    with pytest.raises(ValueError, match=r"no token <\|nonsense\|>"):
        of_one.mark("nonsense")
