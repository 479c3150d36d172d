from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.bench.words import Alignment, align, plain
from tests.speech.clips import word_error_rate

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=8)


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert ["it's", "10", "o'clock", "strasse"] == plain('"It\u2019s 10 o\'clock, Straße!"')


def test_a_word_left_out_and_a_word_exchanged_are_two_errors() -> None:
    alignment = align(["the", "cat", "sat", "down"], ["cat", "sat", "up"])

    assert Alignment(2, ((1, 0), (2, 1))) == alignment


def test_a_word_put_in_is_an_error() -> None:
    assert Alignment(1, ((0, 0), (1, 2))) == align(["good", "day"], ["good", "old", "day"])


def test_nothing_heard_is_every_word_wrong() -> None:
    assert Alignment(2, ()) == align(["good", "day"], [])
    assert Alignment(1, ()) == align([], ["hm"])


@given(WORDS.filter(bool), WORDS)
def test_errors_are_counted_like_everywhere_else(one: list[str], other: list[str]) -> None:
    assert round(word_error_rate(" ".join(one), " ".join(other)) * len(one)) == align(one, other).errors


@given(WORDS, WORDS)
def test_matches_are_the_same_words_in_the_same_order(one: list[str], other: list[str]) -> None:
    matches = align(one, other).matches

    assert all(one[i] == other[j] for i, j in matches)
    assert sorted(set(matches)) == list(matches)
    assert len({i for i, _ in matches}) == len({j for _, j in matches}) == len(matches)
