"""What models answer, and what of it anybody gets to see."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.checking import checked
from realtime_asr.engines.engine import EngineError, Text
from realtime_asr.engines.mel import HOP
from realtime_asr.transcript.hypothesis import Quality, Word, joined

END = 100 * HOP
NAN = float("nan")
SO, IT = Word(" so", -0.1, 0, 1_600, tokens=(1, 2)), Word(" it", -0.2, 1_600, END, tokens=(3,))
GOOD = Text((SO, IT), "en", "loop", Quality(0.2, 0.1))


def seen(answer: object) -> Text:
    text = checked(answer, END)
    assert isinstance(text, Text), text
    return text


@pytest.mark.parametrize("good", [GOOD, Text(()), Text((Word(" so"), Word(" it"))), Text((SO,), "yue")])
def test_a_good_answer_stays_as_it_is(good: Text) -> None:
    assert good == checked(good, END)


def test_an_error_is_an_answer() -> None:
    error = EngineError("The model refuses.")

    assert error is checked(error, END)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "so it",
        Text(None),  # type: ignore[arg-type]
        Text((None,)),  # type: ignore[arg-type]
        Text((" so",)),  # type: ignore[arg-type]
        Text([SO]),  # type: ignore[arg-type]
        Text((Word(b" so"),)),  # type: ignore[arg-type]
        Text((Word(" so\ud800"),)),
    ],
)
def test_what_cannot_be_read_is_an_error(answer: object) -> None:
    assert "The model's answer cannot be read." == str(checked(answer, END))


@pytest.mark.parametrize("words", [(Word("x" * 10_000_000),), (Word(" so"),) * 10_000])
def test_what_nobody_can_have_said_is_an_error(words: tuple[Word, ...]) -> None:
    assert "The model wrote more than anybody can have said." == str(checked(Text(words), END))


def test_in_a_long_turn_more_can_be_said() -> None:
    words = (Word(" so"),) * 10_000

    assert Text(words) == checked(Text(words), samples(20 * 60_000))


def test_empty_words_are_left_out() -> None:
    assert (SO, IT) == seen(Text((Word(""), SO, Word("", start=NAN), IT))).words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "moments",
    [
        (NAN, NAN),
        (1_600, NAN),
        (float("inf"), float("inf")),
        (1_600.0, 3_200.0),
        ("1600", "3200"),
        (None, 3_200),
        (1_600, None),
        (3_200, 1_600),
        (-160, 1_600),
        (1_600, END + 1),
    ],
)
def test_unless_all_times_can_be_true_none_is_told(moments: tuple[Any, Any]) -> None:
    start, end = moments

    words = seen(Text((SO, replace(IT, start=start, end=end)))).words

    assert (replace(SO, start=None, end=None), replace(IT, start=None, end=None)) == words


def test_words_in_the_wrong_order_have_no_times() -> None:
    assert {None} == {word.start for word in seen(Text((IT, SO))).words}


@pytest.mark.parametrize(
    "details",
    [{"logprob": NAN}, {"logprob": "-1"}, {"logprob": -1e300}, {"tokens": "ab"}, {"tokens": (1.5,)}],
)
def test_details_that_are_none_are_left_out(details: dict[str, Any]) -> None:
    assert (Word(" so", None, SO.start, SO.end), IT) == seen(Text((replace(SO, **details), IT))).words


@pytest.mark.parametrize(
    ("quality", "left"),
    [
        (Quality(NAN, 0.1), None),
        (Quality(0.2, NAN), Quality(0.2, None)),
        (Quality(0.2, None), Quality(0.2, None)),
        ({"temperature": 0.2}, None),
    ],
)
def test_a_quality_that_is_no_number_is_left_out(quality: Any, left: Quality | None) -> None:
    assert left == seen(replace(GOOD, quality=quality)).quality


@pytest.mark.parametrize("language", [7, "", "x" * 10_000_000, "d\ud800", "de\nen"])
def test_what_is_no_language_is_none(language: Any) -> None:
    assert seen(replace(GOOD, language=language)).language is None


@pytest.mark.parametrize("doubt", ["boredom", ["loop"], 7])
def test_a_doubt_nobody_knows_is_none(doubt: Any) -> None:
    assert seen(replace(GOOD, doubt=doubt)).doubt is None


anything = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.booleans()
moments = st.integers(-HOP, END + HOP) | anything
garbage = st.builds(
    Text,
    st.lists(st.builds(Word, st.text(max_size=9), anything, moments, moments, anything)).map(tuple),
    anything,
    anything,
    st.builds(Quality, anything, anything) | anything,
)


@given(garbage | anything)
def test_whatever_is_answered_what_is_seen_is_text_with_times_in_order(answer: object) -> None:
    text = checked(answer, END)

    if isinstance(text, EngineError):
        return
    joined(text.words).encode()
    times = [(word.start, word.end) for word in text.words if word.start is not None and word.end is not None]
    assert len(times) in (0, len(text.words))
    assert all(0 <= start <= end <= END for start, end in times)
    assert all(one[0] <= other[0] for one, other in pairwise(times))
    assert all(word.logprob is None or abs(word.logprob) < 1e9 for word in text.words)
