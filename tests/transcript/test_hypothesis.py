"""Words, and how they are compared."""

import pytest

from realtime_asr.transcript.hypothesis import Hypothesis, Word, joined, spelt
from tests.fakes import words


@pytest.mark.parametrize(
    ("text", "key"),
    [(" Hello,", "hello"), (" it's", "it's"), ("Straße", "strasse"), ("世界。", "世界"), (" …", "")],
)
def test_words_are_compared_without_case_and_without_the_marks_around_them(text: str, key: str) -> None:
    assert Word(text).key == key


def test_words_bring_their_own_spaces() -> None:
    assert joined((Word(" Hello"), Word(" you"), Word("."))) == " Hello you."


def test_the_text_of_a_hypothesis_is_trimmed() -> None:
    assert Hypothesis(words("Hello you.")).text == "Hello you."


@pytest.mark.parametrize(
    ("one", "other"), [("35", "3.5"), ("1030", "10:30"), ("C", "C++"), ("5", "-5"), ("कि", "की")]
)
def test_marks_that_make_another_word_of_it_count(one: str, other: str) -> None:
    assert Word(one).key != Word(other).key


def test_a_letter_is_the_same_however_it_is_composed() -> None:
    assert Word("caf\u00e9").key == Word("cafe\u0301").key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, you.", [" Hello,", " you."]),
        (" It is —\n\n fine.\n", [" It", " is", " —", " fine."]),
        ("你好。世界", ["你", "好。", "世", "界"]),
        ("你好。\n世界", ["你", "好。", "世", "界"]),
        ("Über 世界 und iPhoneを", [" Über", " 世", "界", " und", " iPhone", "を"]),
        (" \n", []),
    ],
)
def test_a_text_is_taken_apart_into_words_with_their_spaces(text: str, words: list[str]) -> None:
    assert words == [word.text for word in spelt(text)]
