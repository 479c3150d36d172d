"""The text a turn grows, and how it ends."""

from dataclasses import replace

import numpy as np
import pytest

from realtime_asr.audio.buffer import AudioBuffer
from realtime_asr.session.events import TranscriptCompleted, TranscriptFailed, TranscriptGrew
from realtime_asr.session.excerpt import Excerpt
from realtime_asr.session.problem import Problem
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.agreement import Delay
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import final, partial, words

REQUEST = TurnRequest("whisper-1")
NOW = 9.5


def test_text_grows_and_joins_to_the_transcript() -> None:
    turn = _turn()

    for guess in ("so it", "so it goes", "so it goes on"):
        turn.guess(partial(guess))
    transcript = turn.complete(final("so it goes on"), NOW)

    assert transcript == "so it goes on"
    assert [
        TranscriptGrew("a", "so it"),
        TranscriptGrew("a", " goes"),
        TranscriptGrew("a", " on"),
        TranscriptCompleted("a", "so it goes on", 900),
    ] == list(turn.untold)


@pytest.mark.parametrize(
    "texts",
    [(" ", " so", " it"), (" so", " it", " "), (" so", " ", " it"), (" so", " \n", "\n "), (" ", " ")],
)
def test_words_that_are_blank_are_told_only_between_others(texts: tuple[str, ...]) -> None:
    turn = _turn()
    said = tuple(map(Word, texts))

    for guess in (Hypothesis(said[:2]), Hypothesis(said[:2]), Hypothesis(said), Hypothesis(said)):
        turn.guess(guess)
    transcript = turn.complete(Hypothesis(said, final=True), NOW)

    deltas = [event.text for event in turn.untold if isinstance(event, TranscriptGrew)]
    assert transcript == "".join(deltas)
    assert all(map(str.strip, deltas))


def test_a_final_that_contradicts_what_was_said_corrects_it() -> None:
    turn = _turn()
    for guess in ("so it goes", "so it goes"):
        turn.guess(partial(guess))

    turn.complete(final("no it goes"), NOW)

    assert [
        TranscriptGrew("a", "so it"),
        TranscriptCompleted("a", "no it goes", 900, corrected=True),
    ] == list(turn.untold)


def test_deltas_that_wait_for_the_commit_come_all_at_once_and_are_never_wrong() -> None:
    turn = _turn(live=False)
    for guess in ("so it goes", "so it goes"):
        turn.guess(partial(guess))

    growing = list(turn.untold)
    turn.complete(final("no it goes"), NOW)

    assert growing == []
    assert turn.said == "no it goes"
    assert [
        TranscriptGrew("a", "no it goes"),
        TranscriptCompleted("a", "no it goes", 900),
    ] == list(turn.untold)


@pytest.mark.parametrize(
    ("delay", "told"),
    [
        ("minimal", [3, 0, 0]),
        ("low", [0, 4, 0]),
        ("medium", [0, 3, 0]),
        ("high", [0, 0, 3]),
        ("xhigh", [0, 0, 1]),
    ],
)
def test_the_longer_the_delay_the_later_words_are_told(delay: Delay, told: list[int]) -> None:
    turn = _turn(TurnRequest("whisper-1", delay=delay))

    counts = []
    for _ in range(3):
        turn.guess(partial("so it goes on"))
        counts.append(
            sum(len(event.text.split()) for event in turn.untold if isinstance(event, TranscriptGrew))
        )
        turn.untold.clear()

    assert told == counts


@pytest.mark.parametrize(
    ("delay", "position"), [("minimal", 800), ("low", 600), ("medium", 600), ("xhigh", 400)]
)
def test_words_said_were_heard_by_the_oldest_guess_it_takes(delay: Delay, position: int) -> None:
    turn = _turn(TurnRequest("whisper-1", delay=delay))

    for heard in (100, 300, 500, 700):
        turn.guess(partial("so it goes", heard))

    assert position == turn.said_before


def test_settled_words_were_perhaps_heard_by_the_newest_guess_only() -> None:
    turn = _turn()
    turn.guess(partial("so", heard=300))

    turn.guess(replace(partial("so it goes", heard=500), settled=3))
    after = turn.said_before
    turn.guess(partial("so it goes on", heard=700))

    assert (600, 600) == (after, turn.said_before)
    assert turn.said == "so it goes"


@pytest.mark.parametrize(
    ("text", "heard", "finished"),
    [("So it goes.", 300, True), ("So it goes.", 299, False), ("So it", 300, False)],
)
def test_a_turn_sounds_finished_once_all_its_voice_was_heard_to_end_a_sentence(
    *, text: str, heard: int, finished: bool
) -> None:
    turn = _turn()
    turn.voiced_until = 400

    turn.guess(partial(text, heard))

    assert finished == turn.sounds_finished


def test_the_newest_guess_tells_whether_a_turn_sounds_finished() -> None:
    turn = _turn(TurnRequest("whisper-1", delay="high"))
    turn.voiced_until = 400

    for text, heard in (("So it goes.", 300), ("So it goes. And", 310), ("So it goes. And on.", 250)):
        turn.guess(partial(text, heard))

    # Of those before, one had heard the voice to its end.
    assert not turn.sounds_finished


def test_a_guess_that_heard_a_split_turn_to_its_very_end_counts() -> None:
    turn = _turn()

    for _ in range(2):
        turn.guess(partial("so it goes", heard=900))

    assert turn.said == "so it"


@pytest.mark.parametrize(("settled", "position"), [(0, 100), (1, 600)])
def test_only_a_guess_that_is_settled_to_its_end_makes_all_before_it_old(settled: int, position: int) -> None:
    """And one that says nothing settles nothing."""
    turn = _turn()

    turn.guess(replace(partial("so"[: 2 * settled], heard=500), settled=settled))

    assert position == turn.said_before


def test_before_any_guess_nothing_was_said() -> None:
    assert 0 == Turn("a", 0, None, announced=False, live=True, voiced_until=0).said_before


def test_a_turn_without_voice_sounds_unfinished() -> None:
    turn = _turn()
    turn.excerpt = None

    assert not turn.sounds_finished


def test_nothing_said_completes_with_nothing() -> None:
    turn = _turn()

    turn.complete(final(""), NOW)

    assert [TranscriptCompleted("a", "", 900)] == list(turn.untold)
    assert turn.ended


def test_probabilities_are_told_where_they_were_asked_for() -> None:
    turn = _turn(TurnRequest("whisper-1", logprobs=True))

    turn.complete(final("so it"), NOW)

    assert [
        TranscriptGrew("a", "so it", words("so it")),
        TranscriptCompleted("a", "so it", 900, logprobs=words("so it")),
    ] == list(turn.untold)


def test_the_final_knows_best_how_likely_words_are_that_were_said_before() -> None:
    turn = _turn(TurnRequest("whisper-1", logprobs=True))
    for _ in range(2):
        turn.guess(Hypothesis((Word(" So", -0.9), Word(" it", -0.9))))

    turn.complete(Hypothesis((Word(" so", -0.1), Word(" it,", -0.2)), final=True), NOW)

    assert [
        TranscriptGrew("a", "So", (Word(" So", -0.9),)),
        TranscriptGrew("a", " it,", (Word(" it,", -0.2),)),
        TranscriptCompleted("a", "So it,", 900, logprobs=(Word(" So", -0.1), Word(" it,", -0.2))),
    ] == list(turn.untold)


def test_words_are_told_with_their_times_on_the_clock_of_the_session() -> None:
    turn = _turn(TurnRequest("whisper-1", word_times=True))
    turn.excerpt = Excerpt(100)
    turn.excerpt.extend(500)
    turn.excerpt.skip_to(900)
    turn.excerpt.extend(990)
    spoken = [(0, 150), (350, 400), (400, 400), (400, 420), (390, 430)]

    turn.complete(Hypothesis(tuple(Word(" so", None, *times) for times in spoken), final=True), NOW)

    [done] = [event for event in turn.untold if isinstance(event, TranscriptCompleted)]
    assert done.logprobs is None
    assert [(100, 250), (450, 500), (900, 900), (900, 920), (490, 500)] == [
        (word.start, word.end) for word in done.words or ()
    ]


def test_words_whose_times_are_unknown_are_not_told_among_those_with_times() -> None:
    turn, silent = (_turn(TurnRequest("whisper-1", word_times=True)) for _ in range(2))
    silent.excerpt = None

    turn.complete(Hypothesis((Word(" so", None, 10, 20), Word(" it")), final=True), NOW)
    silent.complete(final(""), NOW)

    assert TranscriptCompleted("a", "so it", 900, words=(Word(" so", None, 110, 120),)) == turn.untold[-1]
    assert TranscriptCompleted("a", "", 900, words=()) == silent.untold[-1]


def test_a_language_is_told_only_where_it_was_detected() -> None:
    detected, named = _turn(), _turn(TurnRequest("whisper-1", language="en"))

    detected.complete(final("", language="en"), NOW)
    named.complete(final("", language="en"), NOW)

    assert TranscriptCompleted("a", "", 900, language="en") == detected.untold[-1]
    assert TranscriptCompleted("a", "", 900, language=None) == named.untold[-1]


def test_a_failed_turn_has_ended() -> None:
    turn = _turn()
    problem = Problem(None, "Broken.", kind="server_error")

    turn.fail(problem)

    assert [TranscriptFailed("a", problem)] == list(turn.untold)
    assert turn.ended


def test_an_engine_listens_from_the_first_voice_to_the_end() -> None:
    turn, wordless = _turn(), _turn(None)
    turn.excerpt = None
    story = [turn.listened_to]
    turn.excerpt = Excerpt(100)
    story.append(turn.listened_to)
    turn.complete(final(""), NOW)
    story.append(turn.listened_to)

    assert story == [False, True, False]
    assert not wordless.listened_to


@pytest.mark.parametrize(
    ("voiced_until", "stop", "until"), [(1_000, None, 3_560), (9_000, None, 9_500), (9_000, 8_000, 8_000)]
)
def test_an_engine_is_fed_to_shortly_after_the_voice_and_never_beyond_the_end(
    voiced_until: int, stop: int | None, until: int
) -> None:
    turn, buffer = _turn(), _counting(9_500)
    turn.voiced_until, turn.stop = voiced_until, stop

    fed, again = turn.feed(buffer), turn.feed(buffer)

    assert fed is not None
    assert ("a", list(range(600, until))) == (fed.item_id, fed.samples.tolist())
    assert again is None


def test_what_is_forgotten_before_it_was_fed_is_left_out() -> None:
    turn, buffer = _turn(), _counting(5_000)
    turn.voiced_until, turn.stop = 5_000, None
    buffer.forget_before(4_000)

    fed = turn.feed(buffer)

    assert fed is not None
    assert list(range(4_000, 5_000)) == fed.samples.tolist()
    assert turn.voiced == 500 + 1_000


def test_nothing_is_fed_to_an_engine_that_gave_up_or_never_began() -> None:
    broken, wordless, silent = _turn(), _turn(None), _turn()
    broken.broken = Problem(None, "Broken.", kind="server_error")
    silent.excerpt = None

    assert [None] * 3 == [turn.feed(_counting(5_000)) for turn in (broken, wordless, silent)]


def _counting(length: int) -> AudioBuffer:
    """Each sample tells its position."""
    buffer = AudioBuffer()
    buffer.append(np.arange(length, dtype=np.float32))
    return buffer


def _turn(request: TurnRequest | None = REQUEST, *, live: bool = True) -> Turn:
    """Its first 500 samples were fed."""
    excerpt = Excerpt(100)
    excerpt.extend(600)
    return Turn("a", 100, request, announced=True, live=live, voiced_until=100, excerpt=excerpt, stop=1_000)
