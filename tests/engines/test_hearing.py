"""What is known of a turn between two passes over it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_asr.audio.timeline import Samples, samples, seconds
from realtime_asr.engines import mel
from realtime_asr.engines.engine import Text
from realtime_asr.engines.hearing import TAIL, Hearing, Pass
from realtime_asr.engines.mel import HOP, Frames
from realtime_asr.transcript.credibility import Reason
from realtime_asr.transcript.hypothesis import Hypothesis, Quality, Word
from realtime_asr.transcript.request import TurnRequest
from tests.engines.talking import Dreamer, Listener, Talk, minutes_of_talk, talk, talks
from tests.fakes import words

EVERY = samples(500)
BANDS = 8
"""Few, for speed: nobody really listens."""
REQUEST = TurnRequest("any", word_times=True)
STEADY = minutes_of_talk(0.25)


def hearing(request: TurnRequest = REQUEST, audio: Samples | None = None) -> Hearing:
    heard = Hearing(request, BANDS)
    if audio is not None:
        heard.feed(audio)
    return heard


def chunks(audio: Samples, length: int = EVERY) -> list[Samples]:
    return [audio[at : at + length] for at in range(0, len(audio), length)]


def final(turn: Hearing, listener: Listener | Dreamer) -> Hypothesis:
    """As an engine makes it: pass after pass, until one reaches the end."""
    while True:
        work = turn.verdict(turn.fed)
        hypothesis = turn.learn(work, listener.hear(work))
        assert hypothesis is not None
        if work.whole:
            return hypothesis


def streamed(talk: Talk, *, error: int = 0, verdicts: Sequence[bool] = ()) -> list[Hypothesis]:
    """All hypotheses of a turn that is listened to all the time; sometimes as if it ended."""
    turn, listener, told = hearing(), Listener(talk, error=error), []
    for n, chunk in enumerate(chunks(talk.audio)):
        turn.feed(chunk)
        is_verdict = n < len(verdicts) and verdicts[n]
        work = turn.verdict(turn.fed) if is_verdict else turn.guess()
        told.append(turn.learn(work, listener.hear(work)))
    return [*(hypothesis for hypothesis in told if hypothesis is not None), final(turn, listener)]


# Text


@given(talk=talks, error=st.integers(0, samples(60)), verdicts=st.lists(st.booleans()))
@settings(max_examples=60)
def test_no_word_is_lost_or_said_twice_where_audio_is_forgotten(
    talk: Talk, error: int, verdicts: list[bool]
) -> None:
    assert talk.texts == [word.text for word in streamed(talk, error=error, verdicts=verdicts)[-1].words]


@given(talk=talks, error=st.integers(0, samples(60)))
@settings(max_examples=60)
def test_settled_words_are_the_same_in_every_hypothesis_that_follows(talk: Talk, error: int) -> None:
    for before, after in pairwise(streamed(talk, error=error)):
        assert before.settled <= after.settled
        assert before.words[: before.settled] == after.words[: before.settled]


def test_words_are_settled_while_one_speaks() -> None:
    told = streamed(STEADY)

    assert told[-2].settled > 12


@given(length=st.integers(1, 5 * EVERY))
@settings(max_examples=20)
def test_how_audio_is_cut_into_feeds_changes_nothing(length: int) -> None:
    whole, cut = hearing(), hearing()
    one, other = Listener(STEADY), Listener(STEADY)

    for chunk in chunks(STEADY.audio[: samples(8_000)]):
        whole.feed(chunk)
        for part in chunks(chunk, length):
            cut.feed(part)
        work, same = whole.guess(), cut.guess()
        assert (work.job.frames == same.job.frames).all()
        assert whole.learn(work, one.hear(work)) == cut.learn(same, other.hear(same))


# Cost


@given(talk=talks, error=st.integers(0, samples(60)))
@settings(max_examples=60)
def test_while_guesses_agree_a_pass_is_over_the_last_seconds(talk: Talk, error: int) -> None:
    turn, listener = hearing(), Listener(talk, error=error)

    for chunk in chunks(talk.audio):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, listener.hear(work))

        assert seconds(work.stop - work.start) <= 6.0


@given(every=st.integers(EVERY, samples(9_000)))
@settings(max_examples=10)
def test_where_guesses_never_agree_no_pass_is_over_more_than_a_window(every: int) -> None:
    turn, dreamer = hearing(), Dreamer()

    for chunk in chunks(minutes_of_talk(1.5).audio, every):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, dreamer.hear(work))

        assert len(work.job.frames) * HOP <= samples(28_000)
        assert turn.stretch <= samples(28_000) + every


def test_the_tenth_minute_costs_what_the_first_does_and_its_times_are_as_exact() -> None:
    talk = minutes_of_talk(10)
    turn, listener = hearing(), Listener(talk)

    stretches, kept = [], []
    for chunk in chunks(talk.audio, 2 * EVERY):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, listener.hear(work))
        stretches.append(work.stop - work.start)
        kept.append(turn.fed - turn._mel.start)

    heard = final(turn, listener).words
    assert talk.texts == [word.text for word in heard]
    assert max(map(apart, talk.words, heard)) <= samples(80)
    assert sum(stretches[-60:]) <= 1.1 * sum(stretches[:60])
    assert max(kept[60:]) <= 1.1 * max(kept[:60])


def apart(one: Word, other: Word) -> int:
    """Where there is hardly a pause, the cut between two words may fall into the second."""
    assert one.start is not None
    assert one.end is not None
    assert other.start is not None
    assert other.end is not None
    return max(abs(one.start - other.start), abs(one.end - other.end))


# Long audio at once


@pytest.mark.parametrize("length", [29, 75, 200])
def test_audio_longer_than_a_window_is_heard_in_pieces(length: int) -> None:
    talk = minutes_of_talk(length / 60)
    turn = hearing(audio=talk.audio)

    ending = final(turn, Listener(talk))

    assert talk.words == ending.words


def test_however_long_the_audio_is_no_pass_draws_more_of_it_than_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[int] = []

    def drawing(audio: Samples, bands: int) -> Frames:
        drawn.append(len(audio))
        return draw(audio, bands)

    draw = mel._log_mel
    monkeypatch.setattr(mel, "_log_mel", drawing)
    talk = minutes_of_talk(5)

    heard = final(hearing(audio=talk.audio), Listener(talk))

    assert talk.texts == [word.text for word in heard.words]
    assert max(drawn) <= samples(29_000)


def test_a_piece_settles_its_words_at_once_and_they_are_the_context_of_the_next() -> None:
    talk = minutes_of_talk(1)
    turn = hearing(audio=talk.audio)

    work = turn.guess()
    hypothesis = turn.learn(work, Listener(talk).hear(work))
    after = turn.guess()

    assert hypothesis is not None
    assert (work.whole, work.job.thorough) == (False, True)
    assert hypothesis.settled == len(hypothesis.words)
    assert after.start == work.stop == hypothesis.heard
    assert after.job.spoken_before == "".join(talk.texts[: hypothesis.settled][-12:])


# What passes are told


def test_a_guess_is_quick_and_a_verdict_thorough() -> None:
    turn = hearing(audio=STEADY.audio[: samples(2_000)])

    assert (False, True) == (turn.guess().job.thorough, turn.verdict(100).job.thorough)


def test_every_pass_knows_how_sure_the_detector_was() -> None:
    turn = hearing(audio=STEADY.audio[: samples(1_000)])

    assert (1.0, 1.0) == (turn.guess().job.voice, turn.verdict(100).job.voice)

    turn.feed(STEADY.audio[: samples(500)], 0.8)

    assert (0.8, 0.8) == (turn.guess().job.voice, turn.verdict(100).job.voice)


def test_a_verdict_hears_the_words_and_the_end_of_the_last_one() -> None:
    turn = hearing(audio=STEADY.audio[: samples(2_000)])

    assert [turn.verdict(samples(ms)).stop for ms in (1_000, 1_990)] == [
        samples(1_000) + TAIL,
        samples(2_000),
    ]


def test_words_that_guesses_agree_on_are_given_to_the_next() -> None:
    turn = hearing(audio=STEADY.audio[: samples(2_000)])

    told = []
    for _ in range(3):
        work = turn.guess()
        told.append("".join(word.text for word in work.job.given))
        turn.learn(work, Text(words("so it goes")))

    assert told == ["", "", " so it"]


def test_nothing_is_given_to_a_verdict_while_nothing_is_settled() -> None:
    turn = hearing(audio=STEADY.audio[: samples(2_000)])
    for _ in range(2):
        turn.learn(turn.guess(), Text(words("so it goes")))

    assert turn.verdict(turn.fed).job.given == ()


def test_after_settled_words_a_verdict_is_given_two_of_the_next_at_most() -> None:
    talk, turn = STEADY, hearing()
    listener = Listener(talk)
    for chunk in chunks(talk.audio):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, listener.hear(work))

    told = turn.verdict(turn.fed).job

    after = told.spoken_before.rpartition(" ")[2]
    following = talk.texts[talk.texts.index(f" {after}") + 1 :]
    assert 1 <= len(told.given) <= 2
    assert following[: len(told.given)] == [word.text for word in told.given]


def test_what_was_said_before_the_turn_is_the_context_while_nothing_is_settled() -> None:
    turn = hearing(replace(REQUEST, spoken_before="As I said,"))

    assert turn.guess().job.spoken_before == "As I said,"


def test_a_guess_that_is_nothing_to_believe_teaches_nothing() -> None:
    turn = hearing(audio=STEADY.audio[: samples(2_000)])

    told = [turn.learn(turn.guess(), Text(words("so so so so"), doubt="loop")) for _ in range(3)]

    assert told == [None, None, None]
    assert turn.guess().job.given == ()


def test_a_verdict_counts_even_where_its_first_try_was_doubted() -> None:
    turn = hearing(audio=STEADY.audio[: samples(2_000)])

    hypothesis = turn.learn(turn.verdict(turn.fed), Text(words("so it goes"), doubt="loop"))

    assert hypothesis == Hypothesis(words("so it goes"), heard=turn.fed)


def test_a_turn_may_end_before_what_is_settled() -> None:
    talk, turn = STEADY, hearing()
    listener = Listener(talk)
    for chunk in chunks(talk.audio):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, listener.hear(work))

    work = turn.verdict(samples(100))

    assert (len(work.job.frames), work.start) == (0, work.stop)


@pytest.mark.parametrize(("length", "language"), [(1_990, None), (2_000, "fr")])
def test_two_seconds_tell_the_language_of_the_turn(length: int, language: str | None) -> None:
    turn = hearing(audio=STEADY.audio[: samples(length)])

    turn.learn(turn.guess(), Text(words("so it goes"), "fr"))
    turn.learn(turn.guess(), Text(words("so it goes"), None))

    assert turn.guess().job.language == language


def test_audio_without_words_tells_no_language() -> None:
    turn = hearing(audio=STEADY.audio[: samples(3_000)])

    turn.learn(turn.guess(), Text((), "nn"))
    turn.learn(turn.verdict(samples(3_000)), Text((), "nn", "no_speech"))

    assert turn.guess().job.language is None


def test_a_language_that_was_asked_for_is_never_found_out() -> None:
    turn = hearing(replace(REQUEST, language="de"), STEADY.audio[: samples(3_000)])

    turn.learn(turn.guess(), Text(words("so it goes"), "fr"))

    assert turn.guess().job.language == "de"


@pytest.mark.parametrize(
    ("request_", "detailed"),
    [
        (TurnRequest("any"), False),
        (TurnRequest("any", logprobs=True), True),
        (TurnRequest("any", word_times=True), True),
    ],
)
def test_a_verdict_tells_of_its_words_what_the_client_asked_for(
    request_: TurnRequest, *, detailed: bool
) -> None:
    turn = hearing(request_, STEADY.audio[: samples(4_000)])

    assert turn.verdict(turn.fed).job.detailed == detailed


def test_guesses_that_are_told_as_much_have_the_same_outline() -> None:
    plain = hearing().outline

    assert plain == hearing(audio=STEADY.audio).outline
    assert plain != hearing(replace(REQUEST, prompt="My name is Anna.")).outline
    assert plain != hearing(replace(REQUEST, spoken_before="As I said,")).outline
    assert plain != hearing(replace(REQUEST, temperature=0.2)).outline


def test_words_that_are_given_are_counted_by_their_tokens() -> None:
    one, other, longer = (
        agreeing(*words) for words in [[(1,), (2, 3), (4,)], [(5, 6), (7,), (8,)], [(1,), (2, 3, 9), (4,)]]
    )

    assert one.outline == other.outline
    assert one.outline not in {longer.outline, hearing().outline}


def agreeing(*tokens: tuple[int, ...]) -> Hearing:
    """Two guesses heard the same words, which have so many tokens."""
    turn = hearing()
    words = tuple(Word(f" w{number}", tokens=each) for number, each in enumerate(tokens))
    for _ in range(2):
        turn.feed(np.zeros(samples(500), np.float32))
        turn.learn(turn.guess(), Text(words))
    return turn


def test_turns_that_are_told_the_same_have_the_same_preface() -> None:
    plain = hearing().preface

    assert plain == hearing(audio=STEADY.audio).preface
    assert plain != hearing(replace(REQUEST, prompt="My name is Anna.")).preface
    assert plain != hearing(replace(REQUEST, keywords=("Anna",))).preface
    assert plain != hearing(replace(REQUEST, spoken_before="As I said,")).preface
    assert plain != hearing(replace(REQUEST, task="translate")).preface
    assert plain != hearing(replace(REQUEST, temperature=0.2)).preface


def test_what_was_found_out_about_a_word_first_is_what_is_told() -> None:
    turn, listener = hearing(replace(REQUEST, logprobs=True)), Doubter(STEADY)

    for chunk in chunks(STEADY.audio):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, listener.hear(work))

    assert {-0.1} == {word.logprob for word in final(turn, listener).words[1:]}


def test_words_bring_the_tokens_of_the_pass_whose_text_they_have() -> None:
    turn = hearing(replace(REQUEST, logprobs=True), STEADY.audio[: samples(2_000)])
    first, second = Word(" so", -0.1, 0, 1_600, tokens=(1,)), Word(" So", -0.2, 0, 1_600, tokens=(2,))

    turn.learn(turn.guess(), Text((first,)))
    hypothesis = turn.learn(turn.guess(), Text((second,)))

    assert hypothesis is not None
    assert (replace(first, text=" So", tokens=(2,)),) == hypothesis.words


def test_how_a_text_was_found_is_told_of_the_last_pass() -> None:
    turn, listener = hearing(audio=minutes_of_talk(1).audio), Listener(minutes_of_talk(1))

    told = []
    for temperature in (0.2, 0.4):
        work = turn.verdict(turn.fed)
        text = replace(listener.hear(work), quality=Quality(temperature, 0.1))
        told.append(turn.learn(work, text))

    assert [Quality(0.2, 0.1), Quality(0.4, 0.1)] == [one.quality for one in told if one is not None]


class Doubter(Listener):
    """Does not believe the word that its stretch begins with."""

    def hear(self, work: Pass, doubt: Reason | None = None) -> Text:
        text = super().hear(work, doubt)
        words = [replace(word, logprob=-0.1 if n else -9.0) for n, word in enumerate(text.words)]
        return replace(text, words=tuple(words))


def test_words_without_times_are_not_settled() -> None:
    turn = hearing()
    for chunk in chunks(STEADY.audio[: samples(6_000)]):
        turn.feed(chunk)
        hypothesis = turn.learn(turn.guess(), Text((Word(" so"), Word(" it"), Word(" goes"))))

    assert hypothesis is not None
    assert hypothesis.settled == 0


def test_the_cut_lies_in_the_deepest_pause_of_the_last_words() -> None:
    said = talk([*[(150, 20)] * 9, (150, 120), *[(150, 20)] * 9])
    turn, listener = hearing(), Listener(said)
    for chunk in chunks(said.audio[: samples(3_000)]):
        turn.feed(chunk)
        work = turn.guess()
        turn.learn(work, listener.hear(work))

    after_pause, before_pause = said.words[10].start, said.words[9].end
    assert before_pause is not None
    assert after_pause is not None
    assert before_pause <= turn.guess().start <= after_pause


@given(talk=talks)
@settings(max_examples=20)
def test_words_of_the_newest_second_are_not_settled(talk: Talk) -> None:
    for hypothesis in streamed(talk)[:-1]:
        ends = [word.end for word in hypothesis.words[: hypothesis.settled]]
        assert all(end is not None and end <= hypothesis.heard - samples(1_000) for end in ends)
