"""Revisable guesses in, append-only text out."""

from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.transcript.agreement import Agreement, Ending
from realtime_asr.transcript.hypothesis import Word
from tests.fakes import words

# Few words, so that guesses agree by chance as well as differ.
GUESSES = st.lists(st.sampled_from([" so", " So,", " it", " goes", " goes.", "!"]).map(Word), max_size=5).map(
    tuple
)


def test_one_guess_alone_says_nothing() -> None:
    assert Agreement().add(words("so it goes")) == ()


def test_words_that_two_guesses_agree_on_are_said_but_for_the_newest() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))

    assert words("so it") == agreement.add(words("so it goes on"))


def test_words_are_said_once() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    agreement.add(words("so it goes"))

    assert agreement.add(words("so it goes")) == ()
    assert words("goes") == agreement.add(words("so it goes on")) + agreement.add(words("so it goes on"))


def test_case_and_punctuation_make_no_difference_and_the_newer_spelling_is_said() -> None:
    agreement = Agreement()
    agreement.add(words("So, it goes"))

    assert words("so it") == agreement.add(words("so it goes"))


def test_only_consecutive_guesses_agree() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    agreement.add(words("no"))

    assert agreement.add(words("so it goes")) == ()


def test_a_guess_that_contradicts_what_was_said_adds_nothing() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    agreement.add(words("so it goes"))
    agreement.add(words("no it goes on and on"))

    assert agreement.add(words("no it goes on and on")) == ()


def test_the_final_adds_what_was_not_said_and_keeps_the_spelling_of_what_was() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    agreement.add(words("so it goes"))

    ending = agreement.finish(words("So, it goes on."))

    assert Ending(words("so it goes on."), words("goes on."), corrected=False) == ending


def test_a_final_that_contradicts_what_was_said_is_the_truth_and_adds_nothing() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    agreement.add(words("so it goes"))

    ending = agreement.finish(words("no it goes"))

    assert Ending(words("no it goes"), (), corrected=True) == ending


def test_a_final_shorter_than_what_was_said_contradicts_it() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    agreement.add(words("so it goes"))

    assert Ending(words("so"), (), corrected=True) == agreement.finish(words("so"))


def test_it_knows_which_words_were_the_first() -> None:
    agreement = Agreement()
    agreement.add(words("so it goes"))
    first = agreement.add(words("so it goes on"))

    assert agreement.said_only(first)
    assert not agreement.said_only(agreement.finish(words("so it goes on")).added)


@given(guesses=st.lists(GUESSES, max_size=8), final=GUESSES)
def test_what_is_said_is_what_two_guesses_in_a_row_began_with(
    guesses: list[tuple[Word, ...]], final: tuple[Word, ...]
) -> None:
    agreement, said, before = Agreement(), _Keys(), _Keys()

    for guess in guesses:
        new = _Keys(word.key for word in agreement.add(guess))
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
