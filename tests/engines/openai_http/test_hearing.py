"""One turn as a remote engine hears it: in one piece, or where it is long in several."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import pytest

from realtime_asr.audio.timeline import samples
from realtime_asr.engines.cutting import LONGEST
from realtime_asr.engines.engine import Text
from realtime_asr.engines.openai_http.hearing import Recording, RemoteHearing
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest
from tests.engines.fakes import tone
from tests.engines.talking import Talk, minutes_of_talk

REQUEST: Final = TurnRequest("any")
LONG: Final = samples(40_000)
SAID: Final = Text((Word(" So", start=160, end=320), Word(" it", start=320, end=480)), "en")


def hearing(length: int = LONG, request: TurnRequest = REQUEST) -> RemoteHearing:
    turn = RemoteHearing(request)
    turn.feed(tone(0.5, length), 1.0)
    return turn


def second(turn: RemoteHearing, first: Text = SAID) -> Recording:
    """The piece after one in which that was said."""
    turn.learn(turn.verdict(LONG), first)
    return turn.verdict(LONG)


@pytest.mark.parametrize("length", [0, samples(5_000), LONGEST])
def test_what_fits_a_window_is_one_piece(length: int) -> None:
    piece = hearing(length).verdict(length)

    assert (True, 0, length) == (piece.whole, piece.start, piece.length)


def test_a_piece_goes_on_where_the_one_before_it_ended() -> None:
    turn = hearing()
    first = turn.verdict(LONG)
    turn.learn(first, SAID)
    last = turn.verdict(LONG)

    assert [False, True] == [first.whole, last.whole]
    assert (first.stop, LONG) == (last.start, last.stop)
    assert samples(22_000) <= first.stop <= LONGEST


def test_until_it_is_learnt_a_piece_is_the_same() -> None:
    turn = hearing()

    assert turn.verdict(LONG).audio == turn.verdict(LONG).audio


def test_words_are_told_where_they_are_in_the_turn() -> None:
    turn = hearing()
    last = second(turn)

    final = turn.learn(last, Text((Word(" went", start=0, end=160), Word("."))))

    at = last.start
    assert final == Hypothesis(
        (*SAID.words, Word(" went", start=at, end=at + 160), Word(".")), heard=LONG, settled=2
    )


def test_a_piece_is_told_what_was_said_right_before_it() -> None:
    request = replace(REQUEST, prompt="A prompt.", spoken_before="Another turn.")
    turn = hearing(request=request)
    first = turn.verdict(LONG)
    last = second(turn, Text(tuple(Word(f" w{n}") for n in range(20))))

    assert ("Another turn.", "A prompt.") == (first.request.spoken_before, last.request.prompt)
    assert " w8 w9 w10 w11 w12 w13 w14 w15 w16 w17 w18 w19" == last.request.spoken_before


def test_after_a_piece_in_which_nothing_was_said_the_turn_before_is_still_what_was_said_last() -> None:
    turn = hearing(request=replace(REQUEST, spoken_before="Another turn."))

    assert "Another turn." == second(turn, Text(())).request.spoken_before


@pytest.mark.parametrize(
    ("asked", "first", "told"),
    [
        ({}, SAID, "en"),
        ({"language": "de"}, SAID, "de"),
        ({}, Text((), "en"), None),
        ({"task": "translate"}, SAID, None),
    ],
    ids=["found", "asked for", "in silence", "of a translation"],
)
def test_all_pieces_are_in_the_language_of_the_first(
    asked: dict[str, Any], first: Text, told: str | None
) -> None:
    """Of a translation an endpoint may tell the language it is in."""
    turn = hearing(request=replace(REQUEST, **asked))

    assert told == second(turn, first).request.language


def test_of_minutes_of_talk_no_word_is_cut_or_lost() -> None:
    talk = minutes_of_talk(5)
    turn = RemoteHearing(REQUEST)
    turn.feed(talk.audio, 1.0)

    pieces, final = _heard(turn, talk)

    assert list(talk.words) == list(final.words)
    assert all(piece.length <= LONGEST for piece in pieces)
    assert all(earlier.stop == later.start for earlier, later in pairwise(pieces))


def _heard(turn: RemoteHearing, talk: Talk) -> tuple[Sequence[Recording], Hypothesis]:
    """By somebody who understands only words that are whole."""
    pieces: list[Recording] = []
    while True:
        pieces.append(piece := turn.verdict(len(talk.audio)))
        hypothesis = turn.learn(piece, Text(tuple(_words(talk, piece))))
        assert hypothesis is not None
        if piece.whole:
            return pieces, hypothesis


def _words(talk: Talk, piece: Recording) -> Sequence[Word]:
    return [
        replace(word, start=word.start - piece.start, end=word.end - piece.start)
        for word in talk.words
        if word.start is not None and word.end is not None
        if piece.start <= word.start and word.end <= piece.stop
    ]
