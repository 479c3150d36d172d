"""Words, and how they are compared."""

import pytest

from realtime_asr.transcript.hypothesis import Hypothesis, Word, joined
from tests.fakes import words


@pytest.mark.parametrize(
    ("text", "key"),
    [(" Hello,", "hello"), (" it's", "its"), ("Straße", "strasse"), ("世界。", "世界"), (" …", "")],
)
def test_words_are_compared_by_letters_and_digits_without_case(text: str, key: str) -> None:
    assert Word(text).key == key


def test_words_bring_their_own_spaces() -> None:
    assert joined((Word(" Hello"), Word(" you"), Word("."))) == " Hello you."


def test_the_text_of_a_hypothesis_is_trimmed() -> None:
    assert Hypothesis(words("Hello you.")).text == "Hello you."
