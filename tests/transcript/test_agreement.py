"""Revisable guesses in, append-only text out."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.transcript.agreement import PACES, Agreement, Delay, Ending
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from tests.fakes import words

# Few words, so that guesses agree by chance as well as differ.
GUESSES = st.lists(st.sampled_from([" so", " So,", " it", " goes", " goes.", "!"]).map(Word), max_size=5).map(
    tuple
)


def hypothesis_of(text: str) -> Hypothesis:
    return Hypothesis(words(text))


def test_one_guess_alone_says_nothing() -> None:
    assert Agreement().add(hypothesis_of("so it goes")) == ()


def test_words_that_two_guesses_agree_on_are_said_but_for_the_newest() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))

    assert words("so it") == agreement.add(hypothesis_of("so it goes"))


def test_words_are_said_once() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("so it goes"))

    assert agreement.add(hypothesis_of("so it goes")) == ()
    assert words("goes") == agreement.add(hypothesis_of("so it goes on")) + agreement.add(
        hypothesis_of("so it goes on")
    )


def test_case_and_punctuation_make_no_difference_and_the_newer_spelling_is_said() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("So, it goes"))

    assert words("so it") == agreement.add(hypothesis_of("so it goes"))


def test_only_consecutive_guesses_agree() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("no"))

    assert agreement.add(hypothesis_of("so it goes")) == ()


def test_a_guess_that_contradicts_what_was_said_adds_nothing() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("no it goes on and on"))

    assert agreement.add(hypothesis_of("no it goes on and on")) == ()


def test_the_final_adds_what_was_not_said_and_keeps_the_spelling_of_what_was() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("so it goes"))

    ending = agreement.finish(words("So, it goes on."))

    assert Ending(words("so it goes on."), words("goes on."), corrected=False) == ending


def test_a_final_that_contradicts_what_was_said_is_the_truth_and_adds_nothing() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("so it goes"))

    ending = agreement.finish(words("no it goes"))

    assert Ending(words("no it goes"), (), corrected=True) == ending


def test_a_final_shorter_than_what_was_said_contradicts_it() -> None:
    agreement = Agreement()
    agreement.add(hypothesis_of("so it goes"))
    agreement.add(hypothesis_of("so it goes"))

    assert Ending(words("so"), (), corrected=True) == agreement.finish(words("so"))


_GROWING: Final = ("so it", "so it goes", "so it goes on", "so it goes on")


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        ("minimal", ["so", "it", "goes", ""]),
        ("low", ["", "so it", "goes", "on"]),
        ("medium", ["", "so it", "goes", ""]),
        ("high", ["", "", "so it", "goes"]),
        ("xhigh", ["", "", "so", ""]),
    ],
)
def test_the_delay_asked_for_sets_how_sure_a_word_must_be(delay: Delay, said: list[str]) -> None:
    agreement = Agreement(PACES[delay])

    heard = [agreement.add(hypothesis_of(text)) for text in _GROWING]

    assert said == [" ".join(word.text.strip() for word in new) for new in heard]


def test_a_more_patient_delay_never_says_more() -> None:
    said = []
    for delay in ("low", "medium", "high", "xhigh"):
        agreement = Agreement(PACES[delay])
        for text in _GROWING:
            agreement.add(hypothesis_of(text))
        said.append(len(agreement.said))

    assert said == sorted(said, reverse=True)


def test_a_turn_is_heard_more_often_the_sooner_words_are_wanted() -> None:
    assert {"minimal": 0.6, "low": 1, "medium": 1, "high": 1, "xhigh": 2} == {
        delay: pace.stretch for delay, pace in PACES.items()
    }


def test_settled_words_are_said_even_if_nothing_agreed_on_them_yet() -> None:
    agreement = Agreement()

    assert words("so it") == agreement.add(Hypothesis(words("so it goes"), settled=2))


def test_settled_words_are_not_compared_again() -> None:
    agreement = Agreement()
    for _ in range(2):
        agreement.add(Hypothesis(words("so it goes on"), settled=3))

    # What is known to be the same need not even look so.
    new = agreement.add(Hypothesis(words("sew it goes on and on"), settled=3))

    assert words("on") == new


def test_words_said_before_may_be_given() -> None:
    agreement = Agreement(said=words("so it"))
    agreement.add(hypothesis_of("so it goes on"))

    assert words("goes") == agreement.add(hypothesis_of("so it goes on"))
    assert words("so it goes") == tuple(agreement.said)


@given(guesses=st.lists(GUESSES, max_size=8), final=GUESSES)
def test_what_is_said_is_what_two_guesses_in_a_row_began_with(
    guesses: list[tuple[Word, ...]], final: tuple[Word, ...]
) -> None:
    agreement, said, before = Agreement(), _Keys(), _Keys()

    for guess in guesses:
        new = _Keys(word.key for word in agreement.add(Hypothesis(guess)))
        now = _Keys(word.key for word in guess)
        said += new
        assert not new or (said == now[: len(said)] == before[: len(said)] and len(said) < len(now))
        before = now
    ending = agreement.finish(final)

    truth = _Keys(word.key for word in final)
    assert truth == _Keys(word.key for word in ending.words)
    assert (said != truth[: len(said)]) == ending.corrected
    assert ending.corrected or truth == said + _Keys(word.key for word in ending.added)


_Keys = tuple[str, ...]
