"""The text a turn grows, and how it ends."""

from realtime_asr.session.events import TranscriptCompleted, TranscriptFailed, TranscriptGrew
from realtime_asr.session.problem import Problem
from realtime_asr.session.turn import Turn
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import final, words

REQUEST = TurnRequest("whisper-1")


def test_text_grows_and_joins_to_the_transcript() -> None:
    turn = _turn()

    for guess in ("so it", "so it goes", "so it goes on"):
        turn.guess(words(guess))
    transcript = turn.complete(final("so it goes on"))

    assert transcript == "so it goes on"
    assert [
        TranscriptGrew("a", "so"),
        TranscriptGrew("a", " it"),
        TranscriptGrew("a", " goes on"),
        TranscriptCompleted("a", "so it goes on", 900),
    ] == list(turn.untold)


def test_a_final_that_contradicts_what_was_said_corrects_it() -> None:
    turn = _turn()
    for guess in ("so it goes", "so it goes"):
        turn.guess(words(guess))

    turn.complete(final("no it goes"))

    assert [
        TranscriptGrew("a", "so it"),
        TranscriptCompleted("a", "no it goes", 900, corrected=True),
    ] == list(turn.untold)


def test_nothing_said_completes_with_nothing() -> None:
    turn = _turn()

    turn.complete(final(""))

    assert [TranscriptCompleted("a", "", 900)] == list(turn.untold)
    assert turn.ended


def test_probabilities_are_told_where_they_were_asked_for() -> None:
    turn = _turn(TurnRequest("whisper-1", logprobs=True))

    turn.complete(final("so it"))

    assert [
        TranscriptGrew("a", "so it", words("so it")),
        TranscriptCompleted("a", "so it", 900, logprobs=words("so it")),
    ] == list(turn.untold)


def test_a_language_is_told_only_where_it_was_detected() -> None:
    detected, named = _turn(), _turn(TurnRequest("whisper-1", language="en"))

    detected.complete(final("", language="en"))
    named.complete(final("", language="en"))

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
    wordless.voice_from = 0
    story = [turn.listened_to]
    turn.voice_from = 100
    story.append(turn.listened_to)
    turn.complete(final(""))
    story.append(turn.listened_to)

    assert story == [False, True, False]
    assert not wordless.listened_to


def _turn(request: TurnRequest | None = REQUEST) -> Turn:
    return Turn("a", start=100, request=request, announced=True, voiced_until=100, stop=1_000)
