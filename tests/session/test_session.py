"""The session by example. Audio is counted in windows of 32 ms; server detection waits for seven quiet ones."""

import pytest

from realtime_asr.audio.detection import ServerVad
from realtime_asr.audio.formats import PCM16_24K, ULAW_8K, AudioFormat, Encoding, encode_pcm16
from realtime_asr.audio.timeline import RATE, WINDOW
from realtime_asr.session.commands import (
    ClearAudio,
    CommitAudio,
    Configure,
    DeleteItem,
    Drain,
    EndSession,
    HangUp,
    Refuse,
    RetrieveItem,
    TimePassed,
    TranscriptionBroke,
)
from realtime_asr.session.config import NoiseReduction, Patch, ServerVadPatch, TranscriptionPatch
from realtime_asr.session.effects import AbandonTurn, Close, FeedTurn, FinishTurn, OpenTurn, PrepareTurn
from realtime_asr.session.events import (
    AudioCleared,
    AudioCommitted,
    AudioDropped,
    IdleTimedOut,
    ItemAdded,
    ItemDeleted,
    ItemRetrieved,
    Rejected,
    SessionClosed,
    SessionCreated,
    SessionExpiring,
    SessionUpdated,
    SpeechStarted,
    SpeechStopped,
    TranscriptCompleted,
    TranscriptFailed,
    TranscriptGrew,
)
from realtime_asr.session.problem import Problem
from realtime_asr.transcript.request import TurnRequest
from tests.fakes import PCM16_16K, configured, limited, silence, speech
from tests.session.call import Call, Denoisers, asked, fed, loud, only, quiet, told

PADDING = 4_800
PCM16_48K = AudioFormat(Encoding.PCM16, 48_000)
BROKEN = Problem(None, "Out of order.", kind="server_error")
REQUEST = TurnRequest("whisper-1")


def committed(item_id: str, previous_id: str | None) -> list[AudioCommitted | ItemAdded]:
    return [AudioCommitted(item_id, previous_id), ItemAdded(item_id, previous_id)]


# Beginning


def test_a_session_begins_with_its_whole_configuration() -> None:
    assert [SessionCreated(configured())] == Call(format=PCM16_24K).greeting


def test_what_is_no_command_is_rejected_with_its_own_problem() -> None:
    problem = Problem("invalid_value", "Nonsense.", ref="event_1")

    assert [Rejected(problem)] == Call().do(Refuse(problem))


def test_no_audio_is_no_news() -> None:
    assert Call().hear(b"") == []


# Turns that the server detects


def test_a_detected_turn_starts_stops_and_becomes_an_item() -> None:
    call = Call()

    outputs = call.hear(quiet(20), loud(10), quiet(7))

    start, stop = 20 * WINDOW - PADDING, 37 * WINDOW
    assert [
        AudioDropped(0, start, "silence"),
        SpeechStarted("item_1", start),
        SpeechStopped("item_1", stop),
        *committed("item_1", None),
    ] == told(outputs)


def test_an_engine_hears_a_turn_from_its_padding_and_is_told_where_the_voice_ended() -> None:
    call = Call()

    outputs = call.hear(quiet(20), loud(10), quiet(7))

    voiced = 10 * WINDOW + PADDING
    assert [
        OpenTurn("item_1", REQUEST),
        PrepareTurn("item_1", voiced),
        FinishTurn("item_1", voiced),
    ] == asked(outputs)
    assert fed(outputs, "item_1") == voiced + 5 * WINDOW


def test_an_engine_hears_exactly_what_was_said() -> None:
    call = Call(chosen_detection=ServerVad(prefix_padding_ms=0))

    outputs = call.hear(quiet(3), loud(2))

    assert [loud(2)] == [encode_pcm16(feed.samples) for feed in only(FeedTurn, outputs)]


def test_the_transcript_follows_the_item() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))

    outputs = call.answer("item_1", "hello you")

    assert [
        TranscriptGrew("item_1", "hello you"),
        TranscriptCompleted("item_1", "hello you", 17 * WINDOW),
    ] == outputs


def test_padding_does_not_reach_before_the_first_sample() -> None:
    outputs = Call().hear(quiet(2), loud(1))

    assert [SpeechStarted("item_1", 0)] == told(outputs)


def test_padding_does_not_reach_into_the_turn_before() -> None:
    call = Call()
    call.hear(loud(1), quiet(7))

    outputs = call.hear(quiet(2), loud(1))

    assert [SpeechStarted("item_2", 8 * WINDOW)] == told(outputs)


def test_a_pause_shorter_than_the_silence_ends_nothing() -> None:
    outputs = Call().hear(loud(1), quiet(6), loud(1), quiet(6))

    assert [SpeechStarted("item_1", 0)] == told(outputs)


def test_a_commit_while_someone_speaks_ends_the_turn_without_a_stop() -> None:
    call = Call()
    call.hear(loud(10))

    outputs = call.do(CommitAudio())

    assert committed("item_1", None) == told(outputs)
    assert [FinishTurn("item_1", 10 * WINDOW)] == asked(outputs)


def test_speech_that_goes_on_after_a_commit_is_another_turn() -> None:
    call = Call()
    call.hear(loud(10))
    call.do(CommitAudio())

    assert [SpeechStarted("item_2", 10 * WINDOW)] == told(call.hear(loud(1)))


def test_audio_too_short_to_be_judged_goes_with_the_voice_before_it() -> None:
    call = Call()
    call.hear(loud(10.5))

    outputs = call.do(CommitAudio())

    assert [FinishTurn("item_1", 10 * WINDOW + 256)] == asked(outputs)


def test_audio_too_short_to_be_judged_goes_with_the_silence_before_it() -> None:
    call = Call()
    call.hear(loud(10), quiet(1.5))

    outputs = call.do(CommitAudio())

    assert [FinishTurn("item_1", 10 * WINDOW)] == asked(outputs)


# Turns that the client ends


def test_a_manual_turn_becomes_an_item_without_speech_events() -> None:
    call = Call(chosen_detection=None)

    outputs = [*call.hear(loud(10)), *call.do(CommitAudio()), *call.answer("item_1", "hello")]

    assert [
        *committed("item_1", None),
        TranscriptGrew("item_1", "hello"),
        TranscriptCompleted("item_1", "hello", 10 * WINDOW),
    ] == told(outputs)


def test_an_engine_is_spared_the_silence_before_and_after_a_manual_turn() -> None:
    call = Call(chosen_detection=None)

    outputs = [*call.hear(quiet(100), loud(10), quiet(100)), *call.do(CommitAudio())]

    voiced = 8_000 + 10 * WINDOW
    assert [
        OpenTurn("item_1", REQUEST),
        PrepareTurn("item_1", voiced),
        FinishTurn("item_1", voiced),
    ] == asked(outputs)
    assert fed(outputs, "item_1") == voiced + 5 * WINDOW


def test_deltas_come_before_the_commit_under_the_id_that_it_reports() -> None:
    call = Call(chosen_detection=None)
    call.hear(loud(10))

    early = call.guess("item_1", "so it goes", "so it goes")
    late = [*call.do(CommitAudio()), *call.answer("item_1", "so it goes")]

    assert [TranscriptGrew("item_1", "so it")] == early
    assert [
        *committed("item_1", None),
        TranscriptGrew("item_1", " goes"),
        TranscriptCompleted("item_1", "so it goes", 10 * WINDOW),
    ] == told(late)


def test_committed_silence_completes_with_nothing_and_costs_no_engine_anything() -> None:
    call = Call(chosen_detection=None)

    outputs = [*call.hear(quiet(10)), *call.do(CommitAudio())]

    assert [*committed("item_1", None), TranscriptCompleted("item_1", "", 10 * WINDOW)] == outputs


def test_a_commit_of_100_ms_is_enough() -> None:
    call = Call(format=PCM16_24K)
    call.hear(silence(0.1))

    assert committed("item_1", None) == call.do(CommitAudio())[:2]


@pytest.mark.parametrize(("seconds", "ms"), [(0.0, "0.00"), (0.05, "50.00"), (0.0015625, "1.56")])
def test_a_commit_below_100_ms_is_rejected_in_so_many_words(seconds: float, ms: str) -> None:
    call = Call()
    call.hear(silence(seconds, 16_000))

    rejected = call.do(CommitAudio(ref="event_1"))

    message = (
        "Error committing input audio buffer: buffer too small. "
        f"Expected at least 100ms of audio, but buffer only has {ms}ms of audio."
    )
    assert [Rejected(Problem("input_audio_buffer_commit_empty", message, ref="event_1"))] == rejected


@pytest.mark.parametrize("noise_reduction", [None, NoiseReduction("near_field")])
def test_a_commit_that_is_rejected_changes_nothing_of_what_is_heard(
    noise_reduction: NoiseReduction | None,
) -> None:
    def heard(*, impatient: bool) -> bytes | None:
        limits = limited(noise_reduction=True)
        call = Call(
            limits,
            new_denoiser=Denoisers(),
            format=PCM16_24K,
            chosen_detection=None,
            noise_reduction=noise_reduction,
        )
        said = speech(1)
        call.hear(said[:2_402])
        if impatient:
            rejected = call.do(CommitAudio())
            assert "only has 50.06ms" in only(Rejected, rejected)[0].problem.message
        call.hear(said[2_402:])
        [item] = only(ItemRetrieved, call.do(CommitAudio(), RetrieveItem("item_1")))
        return item.audio

    assert heard(impatient=False) == heard(impatient=True)


def test_a_commit_right_after_a_detected_turn_is_rejected_and_the_session_goes_on() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))

    rejected = call.do(CommitAudio())

    assert [r.problem.code for r in only(Rejected, rejected)] == ["input_audio_buffer_commit_empty"]
    assert [SpeechStarted("item_2", 17 * WINDOW)] == told(call.hear(loud(1)))


def test_silence_committed_by_the_client_between_detected_turns_is_an_item() -> None:
    call = Call()
    call.hear(loud(10), quiet(17))

    outputs = call.do(CommitAudio())

    assert committed("item_2", "item_1") == outputs


# Clearing


def test_a_clear_abandons_the_open_turn_whose_id_is_never_committed() -> None:
    call = Call()
    call.hear(loud(10))

    cleared = call.do(ClearAudio())
    later = [*call.hear(loud(4), quiet(7)), *call.answer("item_2", "hello")]

    assert [AbandonTurn("item_1"), AudioDropped(0, 10 * WINDOW, "cleared"), AudioCleared()] == cleared
    assert [
        SpeechStarted("item_2", 10 * WINDOW),
        SpeechStopped("item_2", 21 * WINDOW),
        *committed("item_2", None),
        TranscriptGrew("item_2", "hello"),
        TranscriptCompleted("item_2", "hello", 11 * WINDOW),
    ] == told(later)


def test_a_clear_of_nothing_is_answered_all_the_same() -> None:
    assert [AudioCleared()] == Call().do(ClearAudio())


def test_cleared_audio_counts_for_no_commit() -> None:
    call = Call(chosen_detection=None)
    call.hear(loud(10))
    call.do(ClearAudio())

    rejected = call.do(CommitAudio())

    assert "only has 0.00ms" in only(Rejected, rejected)[0].problem.message


def test_half_a_sample_is_cleared_like_the_rest() -> None:
    def heard_after(*cleared: bytes) -> list[ItemRetrieved]:
        call = Call(chosen_detection=None)
        call.hear(*cleared)
        call.do(ClearAudio())
        call.hear(loud(10))
        call.do(CommitAudio())
        return only(ItemRetrieved, call.do(RetrieveItem("item_1")))

    assert heard_after() == heard_after(b"\x01")


# Idleness


@pytest.mark.parametrize("chunks", [[quiet(25)], [quiet(1)] * 25])
def test_long_silence_becomes_items_one_after_the_other(chunks: list[bytes]) -> None:
    call = Call(chosen_detection=ServerVad(idle_timeout_ms=320))

    outputs = call.hear(*chunks)

    assert [
        IdleTimedOut("item_1", 0, 10 * WINDOW),
        *committed("item_1", None),
        TranscriptCompleted("item_1", "", 10 * WINDOW),
        IdleTimedOut("item_2", 10 * WINDOW, 20 * WINDOW),
        *committed("item_2", "item_1"),
        TranscriptCompleted("item_2", "", 10 * WINDOW),
    ] == outputs


def test_idleness_is_counted_from_the_end_of_the_last_turn() -> None:
    call = Call(chosen_detection=ServerVad(idle_timeout_ms=320))
    call.hear(loud(5), quiet(7))

    outputs = call.hear(quiet(10))

    assert [IdleTimedOut("item_2", 12 * WINDOW, 22 * WINDOW)] == told(outputs)[:1]


def test_nobody_is_idle_while_speaking() -> None:
    call = Call(chosen_detection=ServerVad(silence_duration_ms=1_000, idle_timeout_ms=320))

    assert [SpeechStarted("item_1", 0)] == told(call.hear(loud(1), quiet(30)))


# Configuration


def test_a_change_is_answered_with_the_whole_configuration_and_the_name_it_was_asked_by() -> None:
    call = Call()

    outputs = call.do(Configure(Patch(include=("logprobs",)), via="session.update"))

    assert [SessionUpdated(configured(format=PCM16_16K, include=("logprobs",)), "session.update")] == outputs


def test_a_change_with_one_bad_part_leaves_everything_as_it_was() -> None:
    call = Call()
    patch = Patch(format=ULAW_8K, detection=None, transcription=TranscriptionPatch(model="gpt-9"))

    refused = call.do(Configure(patch, "session.update", ref="event_1"))
    outputs = call.hear(loud(10), quiet(7))

    assert [(r.problem.code, r.problem.ref) for r in only(Rejected, refused)] == [
        ("model_not_found", "event_1")
    ]
    assert refused == only(Rejected, refused)
    assert ["session.update"] == [r.via for r in only(Rejected, refused)]
    assert [SpeechStarted("item_1", 0), SpeechStopped("item_1", 17 * WINDOW)] == told(outputs)[:2]


def test_an_unsupported_language_is_refused_and_the_session_goes_on() -> None:
    call = Call(limited(languages=frozenset({"en"})))

    refused = call.do(Configure(Patch(transcription=TranscriptionPatch(language="tlh")), "session.update"))

    assert [r.problem.code for r in only(Rejected, refused)] == ["unsupported_language"]
    assert [SpeechStarted("item_1", 0)] == told(call.hear(loud(1)))


def test_a_turn_keeps_the_request_it_was_opened_with() -> None:
    call = Call()
    first = call.hear(loud(10))
    patch = TranscriptionPatch(language="de", prompt="Names.", keywords=("Ada",), languages=("de",))
    call.do(Configure(Patch(transcription=patch, include=("logprobs",)), "session.update"))

    then = call.hear(quiet(7), loud(1))

    asked_for = TurnRequest("whisper-1", "de", ("de",), "Names.", ("Ada",), logprobs=True)
    assert [OpenTurn("item_1", REQUEST)] == asked(first)
    assert [FinishTurn("item_1", 10 * WINDOW), OpenTurn("item_2", asked_for)] == asked(then)[1:]


def test_without_transcription_turns_are_items_without_text() -> None:
    call = Call(transcription=None)

    outputs = [*call.hear(loud(10), quiet(7)), *call.answer("item_1", "hello")]

    assert [
        SpeechStarted("item_1", 0),
        SpeechStopped("item_1", 17 * WINDOW),
        *committed("item_1", None),
    ] == outputs


def test_a_turn_without_text_is_cleared_without_a_word_to_any_engine() -> None:
    call = Call(transcription=None)
    call.hear(loud(10))

    assert [AudioDropped(0, 10 * WINDOW, "cleared"), AudioCleared()] == call.do(ClearAudio())


def test_transcription_turned_off_while_someone_speaks_still_ends_that_turn_in_text() -> None:
    call = Call()
    call.hear(loud(10))
    call.do(Configure(Patch(transcription=None), "session.update"))
    call.hear(quiet(7), loud(10), quiet(7))

    outputs = call.answer("item_1", "hello")

    assert TranscriptCompleted("item_1", "hello", 17 * WINDOW) == outputs[-1]


def test_detection_turned_off_while_someone_speaks_leaves_the_turn_to_the_client() -> None:
    call = Call()
    call.hear(loud(10))
    call.do(Configure(Patch(detection=None), "session.update"))

    silent = call.hear(quiet(50))
    outputs = call.do(CommitAudio())

    assert told(silent) == []
    assert committed("item_1", None) == told(outputs)
    assert [FinishTurn("item_1", 10 * WINDOW)] == asked(outputs)


def test_detection_turned_off_and_on_while_someone_speaks_changes_nothing() -> None:
    call = Call()
    call.hear(loud(10))
    call.do(Configure(Patch(detection=None), "session.update"))
    call.hear(loud(10))
    call.do(Configure(Patch(detection=ServerVadPatch()), "session.update"))

    outputs = call.hear(quiet(7))

    assert [SpeechStopped("item_1", 27 * WINDOW), *committed("item_1", None)] == told(outputs)


def test_detection_turned_on_ends_a_turn_that_was_never_announced_without_a_stop() -> None:
    call = Call(chosen_detection=None)
    call.hear(loud(10))
    call.do(Configure(Patch(detection=ServerVadPatch()), "session.update"))

    assert committed("item_1", None) == told(call.hear(quiet(7)))


def test_each_append_is_read_in_the_format_valid_when_it_arrived() -> None:
    call = Call(chosen_detection=None, format=PCM16_24K)
    call.hear(speech(0.5))
    call.do(Configure(Patch(format=ULAW_8K), "session.update"))
    call.hear(b"\xff" * 4_000)
    call.do(Configure(Patch(format=PCM16_48K), "session.update"))
    call.hear(silence(0.5, 48_000))
    call.do(CommitAudio())

    outputs = call.answer("item_1", "hello")

    assert TranscriptCompleted("item_1", "hello", 3 * RATE // 2) == outputs[-1]


# Several turns at once


def test_what_is_said_of_a_turn_waits_until_the_turns_before_have_ended() -> None:
    call = Call()
    call.hear(loud(10), quiet(7), loud(10), quiet(7), loud(10))

    early = [
        *call.answer("item_2", "two"),
        *call.guess("item_3", "three four", "three four"),
    ]
    then = call.answer("item_1", "one")

    assert early == []
    assert [
        TranscriptGrew("item_1", "one"),
        TranscriptCompleted("item_1", "one", 17 * WINDOW),
        TranscriptGrew("item_2", "two"),
        TranscriptCompleted("item_2", "two", 17 * WINDOW),
        TranscriptGrew("item_3", "three"),
    ] == then


def test_a_turn_that_fails_lets_the_next_one_speak() -> None:
    call = Call()
    call.hear(loud(10), quiet(7), loud(10), quiet(7))
    call.answer("item_2", "two")

    outputs = call.do(TranscriptionBroke("item_1", BROKEN))

    assert [
        TranscriptFailed("item_1", BROKEN),
        TranscriptGrew("item_2", "two"),
        TranscriptCompleted("item_2", "two", 17 * WINDOW),
    ] == outputs


# Engines


def test_an_engine_that_breaks_before_the_commit_fails_the_item_once_there_is_one() -> None:
    call = Call()
    call.hear(loud(10))

    broken = [*call.do(TranscriptionBroke("item_1", BROKEN)), *call.guess("item_1", "so it", "so it")]
    outputs = call.hear(loud(1), quiet(7))

    assert broken == []
    assert [
        SpeechStopped("item_1", 18 * WINDOW),
        *committed("item_1", None),
        TranscriptFailed("item_1", BROKEN),
    ] == outputs


def test_an_engine_that_breaks_after_the_commit_fails_the_item_and_not_the_session() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))

    outputs = call.do(TranscriptionBroke("item_1", BROKEN))

    assert [TranscriptFailed("item_1", BROKEN)] == outputs
    assert [SpeechStarted("item_2", 17 * WINDOW)] == told(call.hear(loud(1)))


def test_what_comes_late_or_for_nobody_is_ignored() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))
    call.answer("item_1", "hello")

    late = [
        *call.answer("item_1", "hello again"),
        *call.guess("item_1", "hello", "hello"),
        *call.answer("item_9", "hello"),
        *call.do(TranscriptionBroke("item_1", BROKEN)),
    ]

    assert late == []


def test_what_comes_late_for_a_turn_that_waits_to_be_told_is_ignored() -> None:
    call = Call()
    call.hear(loud(10), quiet(7), loud(10), quiet(7))
    call.answer("item_2", "two")
    call.do(TranscriptionBroke("item_2", BROKEN))
    call.answer("item_2", "three")

    outputs = call.answer("item_1", "one")

    assert [done.transcript for done in only(TranscriptCompleted, outputs)] == ["one", "two"]


def test_a_final_before_the_commit_is_a_guess_like_any_other() -> None:
    call = Call()
    call.hear(loud(10))

    outputs = [*call.answer("item_1", "so it goes"), *call.answer("item_1", "so it goes")]

    assert [TranscriptGrew("item_1", "so it")] == outputs


def test_a_final_that_contradicts_what_was_said_is_marked_as_corrected() -> None:
    call = Call()
    call.hear(loud(10))
    call.guess("item_1", "so it goes", "so it goes")
    call.hear(quiet(7))

    outputs = call.answer("item_1", "no it goes")

    assert [TranscriptCompleted("item_1", "no it goes", 17 * WINDOW, corrected=True)] == outputs


# Items


def test_an_item_is_retrieved_with_its_audio_and_transcript() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))
    before = only(ItemRetrieved, call.do(RetrieveItem("item_1")))[0]
    call.answer("item_1", "hello")

    after = only(ItemRetrieved, call.do(RetrieveItem("item_1")))[0]

    assert (before.transcript, after.transcript) == (None, "hello")
    assert before.audio == after.audio
    assert len(after.audio or b"") == 2 * 17 * WINDOW * 3 // 2


def test_a_manual_item_is_retrieved_whole_with_the_silence_it_began_with() -> None:
    call = Call(chosen_detection=None)
    call.hear(*[quiet(10)] * 20, loud(10))
    call.do(CommitAudio())

    item = only(ItemRetrieved, call.do(RetrieveItem("item_1")))[0]

    assert len(item.audio or b"") == 2 * 210 * WINDOW * 3 // 2


@pytest.mark.parametrize("chunks", [[quiet(157)], [quiet(1)] * 157])
def test_audio_of_an_item_that_is_not_there_from_its_start_is_not_kept(chunks: list[bytes]) -> None:
    call = Call(chosen_detection=ServerVad(idle_timeout_ms=5_000))
    call.hear(*chunks)

    assert [ItemRetrieved("item_1", "", None)] == call.do(RetrieveItem("item_1"))


def test_audio_longer_than_15_seconds_is_not_kept() -> None:
    call = Call(chosen_detection=None)
    call.hear(*[loud(50)] * 10)
    call.do(CommitAudio())

    assert [ItemRetrieved("item_1", None, None)] == call.do(RetrieveItem("item_1"))


@pytest.mark.parametrize("command", [RetrieveItem("item_9", "event_1"), DeleteItem("item_9", "event_1")])
def test_what_is_not_there_can_neither_be_retrieved_nor_deleted(command: RetrieveItem | DeleteItem) -> None:
    problem = Problem("item_not_found", "Item with item_id 'item_9' not found.", "item_id", "event_1")

    assert [Rejected(problem)] == Call().do(command)


def test_the_next_item_follows_the_last_that_was_not_deleted() -> None:
    call = Call()
    call.hear(loud(10), quiet(7), loud(10), quiet(7), loud(10))

    deleted = call.do(DeleteItem("item_2"))
    outputs = call.hear(quiet(7))

    assert [ItemDeleted("item_2")] == deleted
    assert committed("item_3", "item_1") == told(outputs)[1:]


def test_a_deleted_item_still_gets_its_transcript_told() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))
    call.do(DeleteItem("item_1"))

    assert TranscriptCompleted("item_1", "hello", 17 * WINDOW) == call.answer("item_1", "hello")[-1]


# Endings

EXPIRED = "Your session hit the maximum duration of 60 minutes."


def test_an_expired_session_says_so_and_closes() -> None:
    call = Call()
    call.now = call.session.wake_at or 0.0

    outputs = call.do(TimePassed())

    assert call.now == 3600.0
    assert [Rejected(Problem("session_expired", EXPIRED)), Close(1001, EXPIRED)] == outputs
    assert call.session.wake_at is None


def test_an_expired_session_first_ends_its_items() -> None:
    call = Call()
    call.hear(loud(10))
    call.now = 3600.0

    expired = call.do(TimePassed())
    ignored = [*call.do(TimePassed()), *call.do(EndSession()), *call.hear(b"")]
    outputs = call.answer("item_1", "hello")

    assert [*committed("item_1", None), FinishTurn("item_1", 10 * WINDOW)] == expired
    assert ignored == []
    assert [
        TranscriptGrew("item_1", "hello"),
        TranscriptCompleted("item_1", "hello", 10 * WINDOW),
        Rejected(Problem("session_expired", EXPIRED)),
        Close(1001, EXPIRED),
    ] == outputs


def test_an_expired_session_waits_for_its_items_only_so_long() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))
    call.now = 3600.0
    call.do(TimePassed())
    call.now = call.session.wake_at or 0.0

    outputs = call.do(TimePassed())

    problem = Problem(None, "The session ended before this item was transcribed.", kind="server_error")
    assert call.now == 3610.0
    assert [
        AbandonTurn("item_1"),
        TranscriptFailed("item_1", problem),
        Rejected(Problem("session_expired", EXPIRED)),
        Close(1001, EXPIRED),
    ] == outputs


def test_items_that_wait_to_be_told_are_told_when_time_is_up() -> None:
    call = Call()
    call.hear(loud(10), quiet(7), loud(10), quiet(7))
    call.answer("item_2", "two")
    call.do(Drain(1012, ""))
    call.now = 10.0

    outputs = call.do(TimePassed())

    assert [failed.item_id for failed in only(TranscriptFailed, outputs)] == ["item_1"]
    assert [done.item_id for done in only(TranscriptCompleted, outputs)] == ["item_2"]
    assert [AbandonTurn("item_1"), Close(1012, "")] == asked(outputs)


def test_a_client_is_warned_only_if_it_asked_to_be() -> None:
    plain, asking = Call(), Call(limited(warning_seconds=60.0))

    assert (plain.session.wake_at, asking.session.wake_at) == (3600.0, 3540.0)


def test_a_warning_comes_once_and_tells_the_time_that_is_left() -> None:
    call = Call(limited(warning_seconds=60.0))
    call.now = 3540.5

    warned = [*call.do(TimePassed()), *call.do(TimePassed())]

    assert [SessionExpiring(59.5)] == warned
    assert call.session.wake_at == 3600.0


def test_time_that_brings_nothing_changes_nothing() -> None:
    assert Call().do(TimePassed()) == []


def test_a_drained_session_finishes_what_was_said_and_takes_no_more() -> None:
    call = Call()
    call.hear(loud(10))

    drained = call.do(Drain(1012, "Restarting."))
    refused = call.hear(loud(10))
    outputs = call.answer("item_1", "hello")

    assert [*committed("item_1", None), FinishTurn("item_1", 10 * WINDOW)] == drained
    assert [AudioDropped(10 * WINDOW, 20 * WINDOW, "closing")] == refused
    assert [
        TranscriptGrew("item_1", "hello"),
        TranscriptCompleted("item_1", "hello", 10 * WINDOW),
        Close(1012, "Restarting."),
    ] == outputs


def test_a_drained_session_with_nothing_to_finish_closes_at_once() -> None:
    call = Call()
    call.hear(quiet(10))

    outputs = call.do(Drain(1012, "Restarting."))

    assert [AudioDropped(0, 10 * WINDOW, "closing"), Close(1012, "Restarting.")] == outputs


def test_who_asked_for_warnings_is_told_how_long_is_left_when_it_has_to_leave() -> None:
    call = Call(limited(warning_seconds=60.0))
    call.hear(loud(10))

    drained, drained_again = call.do(Drain(1012, "Restarting.")), call.do(Drain(1012, "Restarting."))

    assert [SessionExpiring(10.0), *committed("item_1", None)] == told(drained)
    assert [] == drained_again


def test_who_was_warned_of_the_end_is_told_when_it_comes_sooner() -> None:
    call = Call(limited(warning_seconds=60.0))
    call.now = 3540.0
    call.do(TimePassed())

    assert [SessionExpiring(10.0), Close(1012, "Restarting.")] == call.do(Drain(1012, "Restarting."))


def test_who_ends_its_session_itself_is_not_warned_of_it() -> None:
    call = Call(limited(warning_seconds=60.0))

    assert [SessionClosed(), Close(1000, "")] == call.do(EndSession())


def test_who_has_to_leave_is_told_why_when_what_was_said_is_finished() -> None:
    call, why = Call(), Problem("rate_limit_exceeded", "Too much.", kind="requests")
    call.hear(loud(10))

    call.do(Drain(1013, why.name, why))
    outputs = call.answer("item_1", "hello")

    assert [Rejected(why), Close(1013, "requests.rate_limit_exceeded")] == outputs[-2:]
    assert isinstance(outputs[-3], TranscriptCompleted)


def test_a_client_ends_its_session_and_is_told_when_all_is_done() -> None:
    call = Call()
    call.hear(loud(10), quiet(7))

    ending = call.do(EndSession())
    outputs = call.answer("item_1", "")

    assert ending == []
    assert [TranscriptCompleted("item_1", "", 17 * WINDOW), SessionClosed(), Close(1000, "")] == outputs


def test_a_client_that_hangs_up_is_told_nothing_and_engines_stop() -> None:
    call = Call()
    call.hear(loud(10), quiet(7), loud(10), quiet(7), loud(10))
    call.answer("item_2", "two")

    outputs = call.do(HangUp())

    assert [
        AbandonTurn("item_1"),
        AbandonTurn("item_3"),
        AudioDropped(34 * WINDOW, 44 * WINDOW, "hung_up"),
    ] == outputs
    assert call.session.wake_at is None


def test_a_client_that_hangs_up_while_the_session_drains_is_told_nothing_either() -> None:
    call = Call()
    call.hear(loud(10))
    call.do(EndSession())

    assert [AbandonTurn("item_1")] == call.do(HangUp())


def test_nothing_is_answered_once_all_is_over() -> None:
    closed, gone = Call(), Call()
    closed.do(EndSession())
    gone.do(HangUp())

    for call in (closed, gone):
        assert call.hear(loud(10)) == []
        assert call.do(CommitAudio(), TimePassed(), HangUp()) == []


# Audio as clients send it


def test_the_rate_at_which_audio_is_sent_changes_nothing() -> None:
    usual, studio = Call(format=PCM16_24K), Call(format=PCM16_48K)

    stories = (
        told(usual.hear(speech(0.5), silence(0.5))),
        told(studio.hear(speech(0.5, 48_000), silence(0.5, 48_000))),
    )

    assert stories[0] == stories[1]
    assert [SpeechStarted, SpeechStopped, AudioCommitted, ItemAdded] == [type(event) for event in stories[0]]


@pytest.mark.parametrize("left", [60.0, 59.5, 0.5])
def test_a_warning_tells_what_is_left_when_it_comes(left: float) -> None:
    call = Call(limited(session_seconds=120.0, warning_seconds=60.0))

    call.now = 120.0 - left

    assert [SessionExpiring(left)] == told(call.do(TimePassed()))


def test_the_last_of_the_audio_is_heard_before_the_end() -> None:
    call = Call(chosen_detection=None, format=PCM16_24K)
    call.hear(speech(1.0))

    call.do(EndSession())
    [done] = only(TranscriptCompleted, call.answer("item_1", "so it goes"))

    assert 16_000 == done.length
