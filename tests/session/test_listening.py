"""What an engine hears of a turn, when it is told of a pause, and what it is told of the turns before."""

import pytest

from realtime_asr.audio.detection import SemanticVad, ServerVad
from realtime_asr.audio.formats import encode_pcm16
from realtime_asr.audio.timeline import WINDOW
from realtime_asr.session.commands import (
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    Drain,
    EndSession,
    HypothesisArrived,
    TranscriptionBroke,
)
from realtime_asr.session.config import Patch, SemanticVadPatch, ServerVadPatch, Transcription
from realtime_asr.session.effects import AbandonTurn, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import (
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.session.session import Output
from realtime_asr.transcript.hypothesis import Hypothesis, Word
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import PCM16_16K, configured, limited, session
from tests.session.call import Call, Wavering, asked, fed, loud, only, quiet, told

BROKEN = Problem(None, "Out of order.", kind="server_error")
UNPADDED = ServerVad(prefix_padding_ms=0, silence_duration_ms=2_000)
PAUSE, BREATH = 5 * WINDOW, 8_000


def heard(outputs: list[Output]) -> bytes:
    return b"".join(encode_pcm16(feed.samples) for feed in only(FeedTurn, outputs))


# What it hears


@pytest.mark.parametrize("detection", [UNPADDED, None])
def test_an_engine_hears_160_ms_of_a_silence_and_no_more_for_now(detection: ServerVad | None) -> None:
    call = Call(chosen_detection=detection)

    outputs = call.hear(loud(10), *[quiet(0.7)] * 30)

    assert loud(10) + quiet(5) == heard(outputs)


@pytest.mark.parametrize("detection", [UNPADDED, None])
def test_a_pause_up_to_a_second_is_heard_once_the_voice_goes_on(detection: ServerVad | None) -> None:
    call = Call(chosen_detection=detection)
    said = [loud(10), quiet(31), loud(1)]

    outputs = call.hear(*said)

    assert b"".join(said) == heard(outputs)


@pytest.mark.parametrize("detection", [UNPADDED, None])
def test_of_a_longer_pause_only_the_last_half_second_is_heard(detection: ServerVad | None) -> None:
    call = Call(chosen_detection=detection)

    outputs = call.hear(loud(10), quiet(32), loud(3))

    assert loud(10) + quiet(5) + bytes(2 * BREATH) + loud(3) == heard(outputs)


def test_minutes_of_silence_within_a_manual_turn_cost_nothing() -> None:
    call = Call(chosen_detection=None)

    outputs = [*call.hear(loud(10), *[quiet(50)] * 100, loud(10)), *call.do(CommitAudio())]

    voiced = 20 * WINDOW + PAUSE + BREATH
    assert [
        OpenTurn("item_1", TurnRequest("whisper-1")),
        PrepareTurn("item_1", 10 * WINDOW),
        FinishTurn("item_1", voiced),
    ] == asked(outputs)
    assert fed(outputs, "item_1") == voiced


def test_minutes_of_silence_within_a_manual_turn_are_not_remembered_either() -> None:
    call = Call(chosen_detection=None)
    call.hear(loud(10), *[quiet(50)] * 100)

    turn = call.session._listener.open

    assert turn is not None
    assert turn.excerpt is not None
    assert len(turn.excerpt._starts) == 1


def test_what_is_forgotten_already_is_not_heard() -> None:
    call = Call(limited(kept_audio=10 * WINDOW), chosen_detection=UNPADDED)

    outputs = call.hear(*[loud(1)] * 10, *[quiet(1)] * 20, loud(1), *[quiet(1)] * 40, loud(1))

    kept = quiet(10)
    assert loud(1) * 10 + quiet(5) + kept + loud(1) + quiet(5) + kept + loud(1) == heard(outputs)


def test_an_engine_hears_a_second_before_the_voice_however_long_the_padding() -> None:
    call = Call(chosen_detection=ServerVad(prefix_padding_ms=20_000))

    outputs = call.hear(quiet(200), loud(2))

    [started] = only(SpeechStarted, outputs)
    assert started.at == 0
    assert 16_000 <= fed(outputs, started.item_id) <= 16_000 + 3 * WINDOW


def test_a_turn_without_text_has_nobody_to_hear_it_however_it_goes_on() -> None:
    call = Call(transcription=None, chosen_detection=None)

    outputs = [*call.hear(loud(10), quiet(50), loud(10), quiet(10)), *call.do(CommitAudio())]

    assert asked(outputs) == []
    assert fed(outputs, "item_1") == 0


def test_an_engine_knows_how_sure_the_detector_was_at_its_surest() -> None:
    talk = session(configured(format=PCM16_16K), scorer=Wavering(0.6, 0.8, 0.5, 0.9, *[0.0] * 10, 0.7))

    outputs = [output for _ in range(15) for output in talk.receive(AppendAudio(loud(1)), 0.0)]

    told_so = [(feed.item_id, feed.voice) for feed in only(FeedTurn, outputs)]
    assert [("item_1", voice) for voice in (0.6, 0.8, 0.8, 0.9)] == told_so[:4]
    assert ("item_2", 0.7) == told_so[-1]


def test_a_detector_that_cannot_tell_voices_is_no_evidence_against_one() -> None:
    detector = Wavering(0.6, 0.8, 0.5, tells_voices=False)
    talk = session(configured(format=PCM16_16K), scorer=detector)

    outputs = [output for _ in range(3) for output in talk.receive(AppendAudio(loud(1)), 0.0)]

    assert {1.0} == {feed.voice for feed in only(FeedTurn, outputs)}


# Pauses


@pytest.mark.parametrize("detection", [UNPADDED, SemanticVad(), None])
def test_an_engine_is_told_once_that_a_turn_may_be_over(
    detection: ServerVad | SemanticVad | None,
) -> None:
    call = Call(chosen_detection=detection)
    call.hear(loud(10))

    early = asked(call.hear(quiet(4)))
    told_so = asked(call.hear(quiet(1)))
    late = asked(call.hear(quiet(30)))

    assert ([], [PrepareTurn("item_1", 10 * WINDOW)], []) == (early, told_so, late)


def test_an_engine_that_prepares_has_heard_everything() -> None:
    outputs = Call(chosen_detection=None).hear(loud(10) + quiet(20) + loud(3))

    kinds = [type(output) for output in outputs]
    assert [OpenTurn, FeedTurn, PrepareTurn, FeedTurn] == kinds


def test_every_pause_may_be_the_end() -> None:
    call = Call(chosen_detection=None)

    outputs = call.hear(loud(10), quiet(20), loud(10), quiet(20))

    assert [PrepareTurn("item_1", 10 * WINDOW), PrepareTurn("item_1", 40 * WINDOW)] == only(
        PrepareTurn, outputs
    )


def test_a_turn_that_ends_at_once_needs_no_preparing() -> None:
    call = Call(chosen_detection=ServerVad(silence_duration_ms=160))

    outputs = call.hear(loud(10), quiet(5))

    assert [OpenTurn("item_1", TurnRequest("whisper-1")), FinishTurn("item_1", 10 * WINDOW)] == asked(outputs)


@pytest.mark.parametrize("end", [CommitAudio(), EndSession(), Drain(1012, "")])
@pytest.mark.parametrize("detection", [UNPADDED, None])
def test_a_turn_ended_in_a_pause_ends_as_it_was_prepared(
    detection: ServerVad | None, end: CommitAudio | EndSession | Drain
) -> None:
    call = Call(chosen_detection=detection)
    prepared = asked(call.hear(loud(10), quiet(8), loud(0.5)))[1:]

    outputs = call.do(end)

    assert [PrepareTurn("item_1", 10 * WINDOW)] == prepared
    assert [FinishTurn("item_1", 10 * WINDOW)] == asked(outputs)
    assert fed(outputs, "item_1") == 0


def test_a_turn_cleared_in_a_pause_is_abandoned_and_its_silence_is_not_the_next_turns() -> None:
    call = Call(chosen_detection=UNPADDED)
    call.hear(loud(10), quiet(8))

    cleared = call.do(ClearAudio())
    then = call.hear(quiet(8), loud(1))

    assert [AbandonTurn("item_1")] == asked(cleared)
    assert [OpenTurn("item_2", TurnRequest("whisper-1"))] == asked(then)
    assert loud(1) == heard(then)


def test_a_broken_engine_is_neither_fed_nor_prepared() -> None:
    call = Call(chosen_detection=None)
    call.hear(loud(10))
    call.do(TranscriptionBroke("item_1", BROKEN))

    assert call.hear(loud(5), quiet(50), loud(5), quiet(20)) == []


# Where the words say that a turn is over

FINISHED = [("high", 16), ("medium", 25), ("auto", 25), ("low", 47)]
UNFINISHED = [("high", 63), ("medium", 125), ("auto", 125), ("low", 250)]


@pytest.mark.parametrize(("eagerness", "windows"), FINISHED)
def test_a_finished_sentence_ends_a_turn_early(eagerness: str, windows: int) -> None:
    call = Call(chosen_detection=SemanticVad(eagerness))  # type: ignore[arg-type]
    call.hear(loud(10), quiet(5))
    call.guess("item_1", "So it goes.", heard=10 * WINDOW)

    patient = told(call.hear(quiet(windows - 6)))
    ended = told(call.hear(quiet(1)))

    assert patient == []
    assert [SpeechStopped("item_1", (10 + windows) * WINDOW)] == ended[:1]


@pytest.mark.parametrize(("eagerness", "windows"), UNFINISHED)
@pytest.mark.parametrize(("text", "heard"), [("So it goes, um.", 10), ("So it", 10), ("So it goes.", 9)])
def test_within_a_sentence_a_turn_lasts_as_long_as_documented(
    eagerness: str, windows: int, text: str, heard: int
) -> None:
    call = Call(chosen_detection=SemanticVad(eagerness))  # type: ignore[arg-type]
    call.hear(loud(10), quiet(5))
    call.guess("item_1", text, heard=heard * WINDOW)

    patient = told(call.hear(quiet(windows - 6)))
    ended = told(call.hear(quiet(1)))

    assert patient == []
    assert [SpeechStopped("item_1", (10 + windows) * WINDOW)] == ended[:1]


def test_a_sentence_found_finished_during_the_silence_ends_the_turn_at_once() -> None:
    call = Call(chosen_detection=SemanticVad("high"))
    call.hear(loud(10), quiet(30.5))

    early = call.guess("item_1", "So it goes.", heard=9 * WINDOW)
    ended = call.guess("item_1", "So it goes.", heard=15 * WINDOW)

    assert only(SpeechStopped, early) == []
    assert [SpeechStopped("item_1", 40 * WINDOW)] == only(SpeechStopped, ended)
    assert [FinishTurn("item_1", 10 * WINDOW)] == asked(ended)


def test_a_sentence_found_finished_too_soon_waits_for_its_silence() -> None:
    call = Call(chosen_detection=SemanticVad("high"))
    call.hear(loud(10), quiet(10))

    early = call.guess("item_1", "So it goes.", heard=15 * WINDOW)

    assert told(early) == []
    assert [SpeechStopped("item_1", 26 * WINDOW)] == only(SpeechStopped, call.hear(quiet(10)))


def test_a_guess_at_what_came_before_a_pause_ends_nothing_that_came_after() -> None:
    call = Call(chosen_detection=SemanticVad("high"))
    call.hear(loud(10), quiet(10))
    call.guess("item_1", "So it goes.", heard=15 * WINDOW)

    outputs = call.hear(loud(10) + quiet(40))

    assert told(outputs) == []


def test_a_sentence_is_finished_also_after_silence_that_was_left_out() -> None:
    call = Call(chosen_detection=SemanticVad("auto"))
    call.hear(loud(10), quiet(60), loud(10), quiet(5))
    call.guess("item_1", "So it goes.", heard=20 * WINDOW + PAUSE + BREATH)

    assert [SpeechStopped("item_1", 105 * WINDOW)] == only(SpeechStopped, call.hear(quiet(20)))


@pytest.mark.parametrize("detection", [ServerVad(silence_duration_ms=0), None])
def test_text_ends_no_turn_that_still_speaks(detection: ServerVad | None) -> None:
    call = Call(chosen_detection=detection)
    call.hear(loud(10))

    assert told(call.guess("item_1", "So it goes.", heard=10 * WINDOW)) == []


def test_how_a_turn_ends_can_change_while_it_lasts() -> None:
    call = Call(chosen_detection=SemanticVad("low"))
    call.hear(loud(10), quiet(20))

    call.do(Configure(Patch(detection=None), ""))
    manual = call.hear(quiet(300), loud(10), quiet(5))
    call.do(Configure(Patch(detection=SemanticVadPatch("high")), ""))
    semantic = call.hear(quiet(50))
    call.do(Configure(Patch(detection=ServerVadPatch(silence_duration_ms=200)), ""))
    server = call.hear(quiet(1))

    assert (told(manual), told(semantic)) == ([], [])
    assert [SpeechStopped("item_1", 396 * WINDOW)] == told(server)[:1]
    assert [FinishTurn("item_1", 20 * WINDOW + PAUSE + BREATH)] == asked(server)


# Live text


@pytest.mark.parametrize("end", [CommitAudio(), Drain(1012, "")])
def test_deltas_asked_for_after_the_commit_come_all_at_once_then(end: Command) -> None:
    call = Call(transcription=Transcription("whisper-1", deltas="after_commit"))
    call.hear(loud(10))

    early = call.guess("item_1", "so it goes", "so it goes")
    late = [*call.do(end), *call.guess("item_1", "so it goes")]
    outputs = call.answer("item_1", "no it goes")

    assert early == []
    assert only(TranscriptGrew, late) == []
    assert [
        TranscriptGrew("item_1", "no it goes"),
        TranscriptCompleted("item_1", "no it goes", 10 * WINDOW),
    ] == told(outputs)[:2]


def test_a_delay_sets_the_pace_and_the_engine_knows() -> None:
    call = Call(transcription=Transcription("whisper-1", delay="minimal"))

    opened = call.hear(loud(10))
    outputs = call.guess("item_1", "so it goes")

    assert [OpenTurn("item_1", TurnRequest("whisper-1", delay="minimal"))] == asked(opened)
    assert [TranscriptGrew("item_1", "so it")] == outputs


# Words


def test_words_are_where_they_were_spoken_also_after_silence_that_was_left_out() -> None:
    call = Call(chosen_detection=None, include=("word_times", "logprobs"))
    call.hear(quiet(100), loud(10), quiet(1_000), loud(10))
    call.do(CommitAudio())
    lead, gap = 8_000, 10 * WINDOW + PAUSE + BREATH

    spoken = (
        Word(" so", -0.1, lead, lead + 5 * WINDOW),
        Word(" it", -0.2, lead + 9 * WINDOW, lead + 10 * WINDOW),
        Word(" goes", -0.3, lead + gap, lead + gap + 10 * WINDOW),
    )
    outputs = call.do(HypothesisArrived("item_1", Hypothesis(spoken, final=True)))

    [done] = only(TranscriptCompleted, outputs)
    assert spoken == done.logprobs
    assert (
        Word(" so", -0.1, 100 * WINDOW, 105 * WINDOW),
        Word(" it", -0.2, 109 * WINDOW, 110 * WINDOW),
        Word(" goes", -0.3, 1_110 * WINDOW, 1_120 * WINDOW),
    ) == done.words


def test_the_next_turn_knows_the_language_of_the_newest_text() -> None:
    call = Call()

    def next_language() -> str | None:
        [opened] = only(OpenTurn, call.hear(loud(3), quiet(7)))
        return opened.request.language_before

    languages = [next_language()]
    for item_id, text, language in [
        ("item_1", "so", "de"),
        ("item_2", "so", None),
        ("item_3", "", "fr"),
        ("item_4", "so", "en"),
    ]:
        call.answer(item_id, text, language)
        languages.append(next_language())

    assert [None, "de", "de", "de", "en"] == languages
