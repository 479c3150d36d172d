from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.bench.words import Alignment, align, plain

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=5)


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


def fewest(said: tuple[str, ...], heard: tuple[str, ...]) -> int:
    """Errors by the book: of all ways to begin, the best."""
    if not said or not heard:
        return len(said) + len(heard)
    exchanged = fewest(said[1:], heard[1:]) + (said[0] != heard[0])
    return min(exchanged, fewest(said[1:], heard) + 1, fewest(said, heard[1:]) + 1)


@given(WORDS, WORDS)
def test_no_way_to_align_has_fewer_errors(said: list[str], heard: list[str]) -> None:
    assert fewest(tuple(said), tuple(heard)) == align(said, heard).errors


@given(WORDS, WORDS)
def test_matches_are_the_same_words_in_the_same_order(one: list[str], other: list[str]) -> None:
    matches = align(one, other).matches

    assert all(one[i] == other[j] for i, j in matches)
    assert sorted(set(matches)) == list(matches)
    assert len({i for i, _ in matches}) == len({j for _, j in matches}) == len(matches)
